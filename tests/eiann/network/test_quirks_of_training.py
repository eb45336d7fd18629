"""The table of quirks of the reference model (MODEL.md, section 16), rows that show when a network runs.

We match the row, or say why not in one line.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import eiann
from eiann import metrics
from eiann.data import load
from eiann.executors.choose import EXECUTORS
from eiann.io.state import network_tensors
from optimize.objective import windowed
from optimize.space.document import RunSettings
from tests.eiann.network.quirks import DATA, OF_TRAINING, Rows, build, incoming, recorded, refused, same, tiny, trained
from tests.eiann.tiny import P, projection, rule

row = Rows()


@row(6)
@pytest.mark.parametrize("executor", list(EXECUTORS))
@pytest.mark.parametrize("name", ["BP_like_2L", "Hebbian_Temporal_Contrast"])
def test_storing_dynamics_does_not_change_what_is_learned(name: str, executor: str) -> None:
    """Populations without B or A inputs stay as they were, stored or not: Output.SomaI here."""
    raw = tiny(rule(name))
    incoming(raw, "Output.SomaI", "Output.E")["update_phase"] = "F"
    recorder = eiann.Recorder("dynamics", "activity", "backward_activity")
    assert same(trained(raw, recorder, executor=executor), trained(raw, executor=executor))
    found = recorder.recording
    assert torch.equal(found["backward_activity:Output.SomaI"], found["activity:Output.SomaI"])
    assert not torch.equal(found["backward_activity:Output.E"], found["activity:Output.E"])


@row(7)
@pytest.mark.parametrize("executor", list(EXECUTORS))
def test_the_threshold_of_negative_events_silences_positive_ones_too(executor: str) -> None:
    found = {}
    for threshold in (None, 100.0):
        found[threshold] = recorded(tiny(rule("BTSP_19", neg_rate_th=threshold)), "plateau", executor=executor)
    assert (found[None]["plateau:H1.E"] > 0).any()
    assert not found[100.0]["plateau:H1.E"].any()
    assert (found[100.0]["plateau:Output.E"] != 0).any()  # the output has no threshold


@row(8)
@pytest.mark.parametrize("executor", list(EXECUTORS))
def test_the_fraction_is_per_sign_and_zero_is_an_error(executor: str) -> None:
    refused(tiny(rule("BP_like_2L", max_pop_fraction=0)), "max_pop_fraction: found 0")
    raw = tiny(rule("BP_like_2L", max_pop_fraction=0.3))
    error, found = (recorded(r, "plateau", executor=executor)["plateau:H1.E"][0] for r in (tiny(), raw))
    most = 2  # the ceiling of 0.3 * 6
    assert ((found > 0).sum(1) <= most).all()
    assert ((found < 0).sum(1) <= most).all()
    for sign in (1, -1):
        first = torch.sort((sign * error[0]).clamp(min=0), descending=True).values[:most]
        kept = torch.sort((sign * found[0]).clamp(min=0), descending=True).values
        assert torch.equal(kept[:most], first)
        assert not kept[most:].any()


@row(9)
@pytest.mark.parametrize("executor", list(EXECUTORS))
def test_the_first_projection_of_a_class_supplies_the_parameters_of_selection(executor: str) -> None:
    def both(first: float, second: float) -> torch.Tensor:
        raw = tiny(rule("BP_like_2L", max_pop_fraction=first))
        recurrent = projection(1.0, P, direction="R", **rule("BP_like_2L", max_pop_fraction=second))
        incoming(raw, "H1.E", "H1.E").update(recurrent)
        return recorded(raw, "plateau", executor=executor)["plateau:H1.E"]

    assert torch.equal(both(0.3, 1.0), both(0.3, 0.3))
    assert not torch.equal(both(1.0, 0.3), both(0.3, 0.3))


@row(10)
@pytest.mark.parametrize("executor", list(EXECUTORS))
def test_normalized_weights_are_not_clamped_again(executor: str) -> None:
    raw = tiny()
    section = incoming(raw, "H1.DendI", "H1.E")
    section.update(weight_bounds=[0, 0.1], weight_constraint_kwargs={"scale": 1.5})
    weight = trained(raw, executor=executor).state_dict()["module_dict.H1DendI_H1E.weight"]
    assert torch.allclose(weight.abs().sum(2), torch.tensor(1.5))
    assert weight.max() > 0.1


@row(11)
@pytest.mark.parametrize("executor", list(EXECUTORS))
def test_a_clone_of_a_clone_that_comes_later_lags_by_one_pass(executor: str) -> None:
    raw = tiny()
    incoming(raw, "H1.E", "Output.E")["weight_constraint_kwargs"] = {"source": "Output.SomaI.H1.E", "transpose": True}
    raw["layer_config"]["Output"]["SomaI"]["size"] = 3
    section = incoming(raw, "Output.SomaI", "H1.E")
    section.update(weight_constraint="clone_weight", weight_constraint_kwargs={"source": "Output.E.H1.E"})
    found = recorded(raw, "parameters", executor=executor)
    late, early = found["module_dict.OutputSomaI_H1E.weight"], found["module_dict.H1E_OutputE.weight"]
    assert torch.equal(late, found["module_dict.OutputE_H1E.weight"])
    assert torch.equal(early[:, 1:], late[:, :-1].transpose(2, 3))
    assert not torch.equal(early, late.transpose(2, 3))


@row(12)
@pytest.mark.parametrize("executor", list(EXECUTORS))
def test_a_transposed_clone_has_the_numbers_of_its_source(executor: str) -> None:
    """Its numbers are those of the source; sums over it may round otherwise, within the tolerance of the traces."""
    state = trained(tiny(), executor=executor).state_dict()
    source = state["module_dict.OutputE_H1E.weight"]
    assert torch.equal(state["module_dict.H1E_OutputE.weight"], (source * 0.5).transpose(1, 2))


@row(13)
@pytest.mark.parametrize("rule_", [rule("BTSP_19"), rule("Supervised_BCM_4", theta_tau=10, k=0.3)])
def test_mini_batches_of_a_rule_with_traces_are_an_error_before_the_first_sample(rule_: dict[str, Any]) -> None:
    with pytest.raises(eiann.UserError, match=r"batch_size: found 4; .* from sample to sample, use 1"):
        trained(tiny(rule_), batch_size=4)


@row(15)
def test_training_takes_whole_batches_and_says_so_at_the_start() -> None:
    network = build(tiny(rule("Backprop"), backward_steps=3))
    assert eiann.train(network, DATA, [1], batch_size=5).loss.shape == (1, 2)
    with pytest.raises(eiann.UserError, match="an epoch has 12 samples, use at most 2 steps"):
        eiann.train(network, DATA, [1], steps=3, batch_size=5)


@row(17)
def test_thresholds_traces_and_masks_are_part_of_the_state() -> None:
    raw = tiny(rule("Supervised_BCM_4", theta_tau=10, k=0.3))
    section = incoming(raw, "H1.SomaI", "Input.E")
    section.update(weight_constraint="receptive_field_mask",
                   weight_constraint_kwargs={"receptive_field_size": 1, "image_dims": [2, 2]})  # fmt: skip
    network = trained(raw)
    kept = network_tensors(network)
    assert {"state.theta:1", "state.theta:4", "mask.H1SomaI_InputE"} <= set(kept)
    theta = network.states["theta:1"].clone()
    network.reset_traces()  # as every training call begins
    assert torch.equal(network.states["theta:1"], theta)
    traces = trained(tiny(rule("BTSP_19")))
    assert {"state.past_plateau:1", "state.past_activity:0"} <= set(network_tensors(traces))
    assert traces.states["past_activity:0"].any()
    traces.reset_traces()
    assert not traces.states["past_activity:0"].any()


@row(18)
def test_histories_are_recorded_in_networks_of_mixed_rules_too() -> None:
    raw = tiny(rule("BP_like_2L"), rule("Hebbian_Temporal_Contrast"))
    found = recorded(raw, "plateau", "forward_dendritic_state", "backward_dendritic_state", "backward_activity")
    assert {"plateau:H1.E", "plateau:Output.E", "forward_dendritic_state:H1.E"} <= set(found)
    assert len([name for name in found if name.startswith("backward_activity")]) == 6


@row(19)
def test_the_comparison_with_backprop_leaves_the_network_alone() -> None:
    network = build(tiny())
    recorder = eiann.Recorder("parameters", step_before=True)
    history = eiann.train(network, DATA, [257], callbacks=[recorder])
    before = network.configs[0].to_dict(), {name: value.clone() for name, value in network_tensors(network).items()}
    metrics.backprop_angles(network, recorder.recording, DATA, history)
    assert network.configs[0].to_dict() == before[0]
    assert all(torch.equal(value, before[1][name]) for name, value in network_tensors(network).items())


@row(21)
def test_one_input_of_the_backward_phase_marks_a_population() -> None:
    """Only that there is one matters: all somatic inputs are used then, those of phase F included."""
    raw = tiny()
    incoming(raw, "Output.SomaI", "Output.E")["update_phase"] = "F"
    incoming(raw, "Output.SomaI", "H1.E")["update_phase"] = "A"
    for changed in (tiny(), raw):
        architecture = build(changed).architecture
        assert {p.label for p in architecture.populations if architecture.takes_part_in_backward(p.index)} == {
            "H1.E", "H1.SomaI", "H1.DendI", "Output.SomaI",
        }  # fmt: skip
    assert same(trained(raw), trained(tiny()))


@row(23)
def test_a_window_shorter_than_the_distance_of_validations_means_all_of_them() -> None:
    settings = RunSettings.model_validate({"window": 99, "score": "final"})
    assert windowed({"loss": np.array([4.0, 1.0, 1.0])}, settings)["loss"] == 2.0


@row(24)
def test_the_published_spiral_validates_on_its_test_set_and_says_so() -> None:
    data = load("spiral")
    assert torch.equal(data.validation.inputs, data.test.inputs)
    assert data.caution is not None
    separate = load("spiral", protocol="separate")
    assert not torch.equal(separate.validation.inputs, separate.test.inputs)
    assert separate.caution is None


@row(28)
@pytest.mark.parametrize("executor", list(EXECUTORS))
def test_a_recurrent_projection_sends_what_was_before_the_step(executor: str) -> None:
    """With one time step that is the activity at the reset, phi(b): zero without a bias."""
    raw = tiny(rule("Backprop"), backward_steps=1)
    raw["training_kwargs"].update(forward_steps=1)
    plain = build(raw)
    incoming(raw, "H1.E", "H1.E").update(projection(1.0, P, direction="R"))
    found = build(raw)
    for name, value in plain.state_dict().items():
        found.state_dict()[name].copy_(value)
    outputs = [eiann.predict(network, DATA.inputs, executor) for network in (plain, found)]
    assert torch.equal(*outputs)
    for network in (plain, found):
        network.biases[1].fill_(0.5)
    outputs = [eiann.predict(network, DATA.inputs, executor) for network in (plain, found)]
    assert not torch.equal(*outputs)


@row(31)
@pytest.mark.parametrize("executor", list(EXECUTORS))
def test_dynamics_that_overflow_give_nan_and_the_replica_counts_as_failed(executor: str) -> None:
    """As the networks with recurrent excitation and a polynomial activation do, unless they are tuned."""
    raw = tiny()
    for population in ("E", "SomaI"):
        raw["layer_config"]["H1"][population].update(activation="polynomial", activation_kwargs={"n": 2})
    incoming(raw, "H1.E", "H1.E").update(projection(20.0, P, direction="R"))
    network = build(raw)
    history = eiann.train(network, DATA, [257], executor=executor)
    assert history.failed.tolist() == [True]
    assert torch.isnan(network.state_dict()["module_dict.H1E_InputE.weight"]).any()


def test_every_row_has_its_test() -> None:
    assert set(row) == OF_TRAINING
