"""Measures on networks: against autograd, against what training itself found, and without touching the network."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import eiann
from eiann import metrics, plots
from eiann.io.state import network_tensors
from eiann.training.evaluation import activities
from tests.eiann.tiny import rule, tiny_config, tiny_data

DATA = tiny_data()


def trained(config: eiann.NetworkConfig, interval: Any = (0, -1, 1), **keys: Any) -> Any:
    network = eiann.Network(config, seeds=[66049, 7], dtype=torch.float64)
    recorder = eiann.Recorder("parameters", interval=interval, step_before=True)
    history = eiann.train(network, DATA, [257, 3], callbacks=[recorder], **keys)
    return network, recorder.recording, history


def test_backprop_is_at_no_angle_to_itself() -> None:
    network, recording, history = trained(
        tiny_config(rule("Backprop"), rule("Backprop"), "BackpropBias", 3), (0, -1, 4)
    )
    steps, angles = metrics.backprop_angles(network, recording, DATA, history)
    assert steps.tolist() == [3, 7, 11]
    assert set(angles) == {"module_dict.H1E_InputE.weight", "module_dict.OutputE_H1E.weight", "all_params"}
    for name, values in angles.items():
        assert values.shape == (2, 3)
        assert np.nanmax(values) < 1e-3, name


def test_local_rules_are_at_the_angle_of_autograd() -> None:
    network, recording, history = trained(tiny_config(rule("BP_like_2E"), rule("BP_like_2E")))
    before = network_tensors(network)
    before = {name: value.clone() for name, value in before.items()}
    configs = [config.to_dict() for config in network.configs]
    steps, angles = metrics.backprop_angles(network, recording, DATA, history, constrain=False)
    assert [config.to_dict() for config in network.configs] == configs
    assert all(torch.equal(value, before[name]) for name, value in network_tensors(network).items())
    name = "module_dict.OutputE_H1E.weight"
    for point in (0, 5, 10):
        state = {key: value[0, point].clone() for key, value in recording.items()}
        step = int(steps[point])
        gradient = autograd_of_output_weight(network, state, int(history.sample_order[0, step]))
        change = recording[name][0, point + 1] - recording[name][0, point]
        cosine = -(change * gradient).sum() / (change.norm() * gradient.norm())
        assert angles[name][0, point] == pytest.approx(float(torch.rad2deg(torch.arccos(cosine))), abs=1e-4)
    assert np.nanmean(angles[name]) < 90


def autograd_of_output_weight(network: eiann.Network, state: dict[str, torch.Tensor], sample: int) -> torch.Tensor:
    """The forward phase of the specification for one sample, written out, with autograd through the last 3 steps."""
    weights = {key.split(".")[1]: value for key, value in state.items() if key.startswith("module")}
    output = weights["OutputE_H1E"].requires_grad_()
    x = DATA.inputs[sample].double()
    sizes = {"H1E": 6, "H1SomaI": 3, "H1DendI": 3, "OutputE": 3, "OutputSomaI": 2}
    s = {name: torch.zeros(n, dtype=torch.float64) for name, n in sizes.items()}
    a = {"InputE": x, **{name: value.relu() for name, value in s.items()}}
    forward = {"H1E": ["InputE"], "H1SomaI": ["InputE"], "H1DendI": [], "OutputE": ["H1E"], "OutputSomaI": ["H1E"]}
    recurrent = {"H1E": ["H1SomaI"], "H1SomaI": ["H1E", "H1SomaI"], "H1DendI": ["H1E", "H1DendI"],
                 "OutputE": ["OutputSomaI"], "OutputSomaI": ["OutputE", "OutputSomaI"]}  # fmt: skip
    for t in range(15):
        with torch.set_grad_enabled(t >= 12):
            previous = dict(a)
            for name in sizes:
                change = -s[name]
                for source in forward[name]:
                    change = change + weights[f"{name}_{source}"] @ a[source]
                for source in recurrent[name]:
                    change = change + weights[f"{name}_{source}"] @ previous[source]
                s[name] = s[name] + change / 3
                a[name] = s[name].relu()
    loss = torch.nn.functional.mse_loss(a["OutputE"], DATA.targets[sample].double())
    return torch.autograd.grad(loss, output)[0]


def test_angles_over_the_whole_set_signs_and_a_figure() -> None:
    network, recording, history = trained(tiny_config(rule("BP_like_2L"), rule("BP_like_2L")), (0, -1, 5))
    steps, one = metrics.backprop_angles(network, recording, DATA, history)
    _, whole = metrics.backprop_angles(network, recording, DATA, history, whole_set=True, signs=True, changed_only=True)
    assert one["all_params"].shape == whole["all_params"].shape == (2, 3)
    assert not np.allclose(one["all_params"], whole["all_params"], equal_nan=True)
    plots.angle_curves(steps, one)


def test_without_the_step_before_there_is_no_angle() -> None:
    network, _, history = trained(tiny_config(rule("BP_like_2L"), rule("BP_like_2L")))
    empty = eiann.Recording(torch.tensor([3, 7]), {name: torch.zeros(2, 2, 1, 1) for name in network.state_dict()})
    with pytest.raises(eiann.UserError, match="step_before=True"):
        metrics.backprop_angles(network, empty, DATA, history)


def test_the_test_history_is_what_validation_found_on_the_way() -> None:
    interval = (0, -1, 4)
    network = eiann.Network(tiny_config(rule("BTSP_19"), rule("BTSP_19")), seeds=[1, 2])
    recorder = eiann.Recorder("parameters", interval=interval)
    history = eiann.train(network, DATA, [3, 4], validation=DATA, val_interval=interval, callbacks=[recorder])
    before = {name: value.clone() for name, value in network_tensors(network).items()}
    steps, loss, accuracy = metrics.performance_history(network, recorder.recording, DATA)
    assert torch.equal(steps, history.val_steps)
    assert torch.equal(loss, history.val_loss)
    assert torch.equal(accuracy, history.val_accuracy)
    assert all(torch.equal(value, before[name]) for name, value in network_tensors(network).items())


def test_feedback_that_is_a_clone_is_at_no_angle() -> None:
    network, recording, _ = trained(tiny_config(rule("BP_like_2E"), rule("BP_like_2E")), (0, -1, 5))
    steps, angles = metrics.feedback_angle_history(network, recording)
    assert angles["module_dict.OutputE_H1E.weight"].shape == (2, len(steps))
    assert np.nanmax(angles["all_params"]) < 1e-5
    steps, changes = metrics.feedback_angle_history(network, recording, changes=True)
    assert changes["all_params"].shape == (2, len(steps))
    alone = network.configs[0].to_dict()
    del alone["projection_config"]["H1"]["E"]["Output"]
    alone["projection_config"]["H1"]["E"]["Input"]["E"]["learning_rule"] = None
    without = eiann.Network(eiann.NetworkConfig.from_dict(alone), seeds=[1, 2])
    assert metrics.feedback_angle_history(without, recording)[1] == {}


@pytest.mark.parametrize("backward_steps", [3, 15])
def test_the_gradient_of_a_unit_is_that_of_finite_differences(backward_steps: int) -> None:
    config = tiny_config(rule("Backprop"), rule("Backprop"), "BackpropBias", backward_steps)
    raw = config.to_dict()
    for layer in raw["layer_config"].values():
        for population in layer.values():
            population.update({} if len(population) == 1 else {"activation": "softplus"})
    network = eiann.Network(eiann.NetworkConfig.from_dict(raw), seeds=[1, 2], dtype=torch.float64)
    x = DATA.inputs[:3].double()
    gradient = metrics.activity_gradient(network, "Output.E")(x)
    assert gradient.shape == (3, 2, 3, 4)
    if backward_steps < 15:  # a truncated gradient leaves out the earlier steps
        return
    for feature in range(4):
        moved = torch.zeros(4, dtype=torch.float64)
        moved[feature] = 1e-6
        up, down = (torch.cat([v["activity:4"] for _, v in activities(network, x + sign * moved, ["activity:4"])], 1)
                    for sign in (1, -1))  # fmt: skip
        slope = ((up - down) / 2e-6).permute(1, 0, 2)
        assert torch.allclose(gradient[..., feature], slope, atol=1e-7)


def test_fields_of_deep_units_have_a_structure() -> None:
    network = eiann.Network(tiny_config(rule("BP_like_2E"), rule("BP_like_2E")), seeds=[1, 2])
    gradient = metrics.activity_gradient(network, "H1.E")
    fields = metrics.activation_maximization(gradient, DATA.inputs, samples=100, batch=20)
    assert fields.shape == (2, 6, 4)
    assert metrics.field_structure(fields, (2, 2)).shape == (2, 6)
    with pytest.raises(eiann.UserError, match="the populations are"):
        metrics.activity_gradient(network, "H7.E")
