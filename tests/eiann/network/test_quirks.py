"""The table of quirks of the reference model (MODEL.md, section 16), row by row: we match it, or say why not.

Each test carries the number of its row; the last one counts them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import eiann
from eiann import metrics
from eiann.data import Dataset, load
from eiann.executors.choose import EXECUTORS
from eiann.io.state import network_tensors
from optimize.objective import windowed
from optimize.space.document import RunSettings
from tests.eiann.tiny import P, projection, rule, tiny_config, tiny_data

ROWS: dict[int, str] = {}
DATA = tiny_data()
BP = rule("BP_like_2L")


def row(number: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Marks a test with the number of its row; an error case may have several tests."""

    def add(test: Callable[..., None]) -> Callable[..., None]:
        ROWS[number] = test.__name__
        return test

    return add


def tiny(hidden: dict[str, Any] = BP, output: dict[str, Any] | None = None, **keys: Any) -> dict[str, Any]:
    return tiny_config(hidden, hidden if output is None else output, **keys).to_dict()


def build(raw: dict[str, Any], seeds: tuple[int, ...] = (66049,), dtype: torch.dtype = torch.float32) -> eiann.Network:
    return eiann.Network(eiann.NetworkConfig.from_dict(raw), seeds=seeds, dtype=dtype)


def refused(raw: dict[str, Any], words: str) -> None:
    """One clear error when the network is built."""
    with pytest.raises(eiann.ConfigError) as caught:
        build(raw)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def trained(raw: dict[str, Any], *callbacks: Any, executor: str = "auto", **keys: Any) -> eiann.Network:
    network = build(raw)
    eiann.train(network, DATA, [257], executor=executor, callbacks=callbacks, **keys)
    return network


def recorded(raw: dict[str, Any], *what: str, executor: str = "auto") -> eiann.Recording:
    recorder = eiann.Recorder(*what)
    trained(raw, recorder, executor=executor)
    return recorder.recording


def same(one: eiann.Network, other: eiann.Network) -> bool:
    mine, its = one.state_dict(), other.state_dict()
    return mine.keys() == its.keys() and all(torch.equal(mine[name], its[name]) for name in mine)


def incoming(raw: dict[str, Any], post: str, pre: str) -> dict[str, Any]:
    """The section of a projection, ``incoming(raw, "H1.E", "Input.E")``; made if it is not there."""
    (layer, name), (pre_layer, pre_name) = post.split("."), pre.split(".")
    sources = raw["projection_config"][layer][name]
    return sources.setdefault(pre_layer, {}).setdefault(pre_name, {})  # type: ignore[no-any-return]


def convolutional() -> dict[str, Any]:
    backprop = {"learning_rule": "Backprop", "weight_init": "scaled_kaiming"}
    return {
        "layer_config": {
            "Input": {"E": {"channels": 2, "image_dim": 8}},
            "Conv": {"E": {"population_type": "Conv2D", "channels": 3, "kernel_size": 3, "image_source": "Input.E",
                           "activation": "relu"}},
            "Pool": {"E": {"population_type": "MaxPool2D", "source": "Conv.E", "kernel_size": 2}},
            "Flat": {"E": {"population_type": "Flatten", "source": "Pool.E"}},
            "Output": {"E": {"size": 3}},
        },
        "projection_config": {
            "Conv": {"E": {"Input": {"E": dict(backprop)}}},
            "Output": {"E": {"Flat": {"E": dict(backprop)}}},
        },
        "training_kwargs": {"learning_rate": 0.1},
    }  # fmt: skip


@row(1)
def test_the_output_is_the_first_population_of_the_last_layer() -> None:
    raw = tiny()
    assert build(raw).architecture.output.label == "Output.E"
    raw["layer_config"]["Output"]["E"]["output_pop"] = True
    assert build(raw).architecture.output.label == "Output.E"
    raw["layer_config"]["Output"]["SomaI"]["output_pop"] = True
    refused(raw, "found output_pop on Output.SomaI; the output is the first of the last layer, Output.E")


@row(2)
def test_convolutions_without_a_constraint_can_be_built_and_trained() -> None:
    network = build(convolutional())
    data = Dataset(torch.rand(4, 2, 8, 8), torch.eye(3)[[0, 1, 2, 0]], "images")
    assert torch.isfinite(eiann.train(network, data, [1]).loss).all()


@row(3)
def test_the_population_type_default_is_accepted() -> None:
    raw = tiny()
    plain = trained(raw)
    raw["layer_config"]["H1"]["E"]["population_type"] = "default"
    assert same(trained(raw), plain)


@row(4)
def test_the_compartment_dendrite_is_an_alias_of_dend() -> None:
    raw = tiny()
    plain = trained(raw)
    incoming(raw, "H1.E", "Output.E")["compartment"] = "dendrite"
    assert same(trained(raw), plain)


@row(5)
@pytest.mark.parametrize(
    "name",
    [
        "Hebbian_Temporal_Contrast",
        "Top_Down_Hebbian_Temporal_Contrast_1",
        "Top_Down_Hebbian_Temporal_Contrast_3",
    ],
)
def test_temporal_contrast_in_the_recurrent_direction_is_an_error(name: str) -> None:
    raw = tiny()
    incoming(raw, "H1.SomaI", "H1.E").update(rule(name))
    refused(raw, f"found {name} on a recurrent projection")


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


@row(14)
def test_samples_have_a_batch_axis_and_a_single_input_is_no_exception() -> None:
    with pytest.raises(eiann.UserError, match="found inputs of shape"):
        eiann.train(build(convolutional()), Dataset(torch.rand(2, 8, 8), torch.eye(3)[:2], "one image"), [1])
    one = {
        "layer_config": {"Input": {"E": {"size": 1}}, "Output": {"E": {"size": 1}}},
        "projection_config": {"Output": {"E": {"Input": {"E": {"learning_rule": "Backprop"}}}}},
        "training_kwargs": {"learning_rate": 0.1},
    }
    history = eiann.train(build(one), Dataset(torch.rand(3, 1), torch.ones(3, 1), "one number"), [1])
    assert history.loss.shape == (1, 3)


@row(15)
def test_training_takes_whole_batches_and_says_so_at_the_start() -> None:
    network = build(tiny(rule("Backprop"), backward_steps=3))
    assert eiann.train(network, DATA, [1], batch_size=5).loss.shape == (1, 2)
    with pytest.raises(eiann.UserError, match="an epoch has 12 samples, use at most 2 steps"):
        eiann.train(network, DATA, [1], steps=3, batch_size=5)


@row(16)
def test_training_and_evaluation_have_names_of_their_own() -> None:
    network = build(tiny())
    assert not hasattr(network, "eval")
    assert not hasattr(network, "train")
    assert eiann.evaluate(network, DATA).loss.shape == (1,)


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


@row(20)
def test_an_omitted_rule_is_backprop_and_null_is_none() -> None:
    raw = tiny(rule("Backprop"), backward_steps=3)
    section = incoming(raw, "H1.E", "Input.E")
    del section["learning_rule"]
    rules = {j.name: j.rule for j in build(raw).architecture.projections}
    assert rules["H1E_InputE"] is not None
    assert rules["H1E_InputE"].name == "Backprop"
    assert rules["H1SomaI_InputE"] is None
    section["learning_rule"] = "None"
    refused(raw, "no learning rule has that name")
    layers = {"Input": {"E": {"size": 2}}, "Output": {"E": {"size": 2}}}
    dotted = {"layer_config": layers, "projection_config": {"Output.E": {"Input.E": {"learning_rule": "None"}}}}
    assert build(dotted).architecture.projections[0].rule is None


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


@row(22)
@pytest.mark.parametrize("name", ["BP_like_2E", "BP_like_2L", "Hebbian_Temporal_Contrast", "BTSP_19"])
def test_a_hidden_population_needs_a_dendrite_for_its_error_and_the_output_does_not(name: str) -> None:
    raw = tiny(rule(name))
    del raw["projection_config"]["H1"]["E"]["Output"], raw["projection_config"]["H1"]["E"]["H1"]["DendI"]
    refused(raw, "H1.E has no dendritic input")
    incoming(raw, "H1.E", "Input.E").update(learning_rule=None, learning_rule_kwargs={})
    assert build(raw).R == 1


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


@row(25)
def test_a_rule_that_does_not_exist_is_an_error() -> None:
    refused(tiny(rule("almost_backprop2")), "found 'almost_backprop2'; no learning rule has that name")


@row(26)
@pytest.mark.parametrize("dims", [[3, 3], [2, 2, 2], None])
def test_a_field_of_another_image_is_an_error(dims: list[int] | None) -> None:
    raw = tiny()
    given = {"receptive_field_size": 1} | ({} if dims is None else {"image_dims": dims})
    section = incoming(raw, "H1.E", "Input.E")
    section.update(weight_constraint="receptive_field_mask", weight_constraint_kwargs=given)
    refused(raw, "Input.E has 4")


@row(27)
def test_an_image_needs_a_size_and_the_output_comes_last() -> None:
    raw = convolutional()
    del raw["layer_config"]["Conv"]["E"]["image_source"]
    refused(raw, "missing; give image_dim, or image_source")
    raw = tiny()
    raw["layer_config"]["H1"] = raw["layer_config"].pop("H1")
    refused(raw, "found the layer 'Output' before 'H1'")


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


@row(29)
@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"backward_steps": 0}, "need at least one backward step"),
        ({"optimizer": None}, "need an optimizer"),
        ({"learning_rate": None}, "give the rule a learning_rate"),
    ],
)
def test_backprop_without_what_it_needs_is_an_error_at_construction(keys: dict[str, Any], words: str) -> None:
    raw = tiny({"learning_rule": "Backprop"}, backward_steps=3)
    raw["training_kwargs"].update(keys)
    refused(raw, words)


@row(30)
@pytest.mark.parametrize("keys", [{"kernel_size": 5}, {"stride": 2}, {"padding": 1}, {"dilation": 2}])
def test_a_convolution_that_gives_another_image_is_an_error_at_construction(keys: dict[str, int]) -> None:
    raw = convolutional()
    incoming(raw, "Conv.E", "Input.E").update(keys)
    refused(raw, "set its image_dim to")


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


@row(32)
@pytest.mark.parametrize("place", ["Input", "Pool", "Flat"])
@pytest.mark.parametrize(("key", "value"), [("activation", "relu"), ("include_bias", True), ("tau", 2)])
def test_keys_that_would_mean_nothing_are_an_error(place: str, key: str, value: Any) -> None:
    raw = convolutional()
    raw["layer_config"][place]["E"][key] = value
    refused(raw, f"found {key}; it has no effect on")


@row(33)
@pytest.mark.parametrize("name", ["H_1", "H.1"])
def test_names_hold_no_separator(name: str) -> None:
    raw = tiny()
    raw["layer_config"][name] = {"E": {"size": 2}}
    with pytest.raises(eiann.ConfigError, match="letters and digits only"):
        build(raw)
    raw = tiny()
    raw["layer_config"]["H1"][name] = {"size": 2}
    with pytest.raises(eiann.ConfigError, match="letters and digits only"):
        build(raw)


def test_every_row_has_its_test() -> None:
    assert sorted(ROWS) == list(range(1, 34))
