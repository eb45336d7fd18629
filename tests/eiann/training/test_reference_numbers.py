"""The tiny network of the specification trains to the numbers that stand there, with every rule."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import eiann
from eiann.executors.choose import EXECUTORS

_SPEC = importlib.util.spec_from_file_location("tiny", Path(__file__).parents[1] / "tiny.py")
assert _SPEC is not None
assert _SPEC.loader is not None
tiny = importlib.util.module_from_spec(_SPEC)
sys.modules["tiny"] = tiny
_SPEC.loader.exec_module(tiny)


@pytest.mark.parametrize("executor", list(EXECUTORS))
@pytest.mark.parametrize("fixture", tiny.FIXTURES, ids=[fixture[0] for fixture in tiny.FIXTURES])
def test_tiny_network_trains_to_the_specified_numbers(fixture: tuple[Any, ...], executor: str) -> None:
    _, hidden, output, bias_rule, backward_steps, losses, final_sum, val_losses = fixture
    config = tiny.tiny_config(hidden, output or hidden, bias_rule, backward_steps)
    network = eiann.Network(config, seeds=[66049])
    start = sum(value.double().sum().item() for value in network.state_dict().values())
    if hidden.get("weight_bounds") is None:
        assert start == pytest.approx(31.082727283 if bias_rule else 29.129243231, abs=2e-7)
    network.generators[0].manual_seed(9)
    if EXECUTORS[executor].refusal(network) is not None:
        assert hidden["learning_rule_kwargs"].get("stochastic")
        return
    data = tiny.tiny_data()
    history = eiann.train(
        network, data, [257], validation=data, val_interval=(0, -1, 4), executor=executor
    )  # fmt: skip
    assert history.sample_order[0].tolist() == [6, 5, 1, 9, 11, 7, 0, 8, 4, 2, 10, 3]
    assert history.val_steps.tolist() == [0, 3, 7, 11]
    found = history.loss[0, [0, 1, 2, 11]]
    assert found.tolist() == pytest.approx(list(losses), rel=2e-6)
    assert history.val_loss[0].tolist() == pytest.approx(list(val_losses), rel=2e-6)
    end = sum(value.double().sum().item() for value in network.state_dict().values())
    assert end == pytest.approx(final_sum, abs=2e-5)


def test_initial_weights_are_those_of_the_seed() -> None:
    network = eiann.Network(tiny.tiny_config(tiny.rule("BP_like_2E"), tiny.rule("BP_like_2E")), seeds=[66049])
    state = network.state_dict()
    expected = {
        "H1E_InputE": (0.62938941, 0.98305404, 0.90190625),
        "H1E_OutputE": (0.08361147, 0.28798881, 0.27670407),
        "OutputE_H1E": (0.16722295, 0.08687632, 0.00528981),
    }
    for name, values in expected.items():
        found = state[f"module_dict.{name}.weight"][0].flatten()[:3]
        assert found.tolist() == pytest.approx(list(values), abs=5e-9)


@pytest.mark.parametrize("executor", list(EXECUTORS))
def test_replicas_of_different_sizes_have_the_numbers_that_they_have_alone(executor: str) -> None:
    base = tiny.tiny_config(tiny.rule("BP_like_2E"), tiny.rule("BP_like_2E"))
    raw = base.to_dict()
    raw["layer_config"]["H1"]["DendI"]["size"] = 5
    raw["layer_config"]["H1"]["E"]["size"] = 9
    larger = eiann.NetworkConfig.from_dict(raw)
    data = tiny.tiny_data()

    def run(configs: list[eiann.NetworkConfig], seeds: list[int]) -> eiann.History:
        network = eiann.Network(configs, seeds=seeds)
        return eiann.train(network, data, [257] * len(seeds), validation=data, executor=executor)

    together = run([base, larger, base], [1, 2, 3])
    for replica, (config, seed) in enumerate(zip([base, larger, base], [1, 2, 3], strict=True)):
        alone = run([config], [seed])
        if executor == "native":
            assert torch.equal(alone.loss[0], together.loss[replica])
            assert torch.equal(alone.val_loss[0], together.val_loss[replica])
        else:  # padding changes the length of sums, so rounding
            assert torch.allclose(alone.loss[0], together.loss[replica], rtol=1e-5)


@pytest.mark.parametrize("executor", list(EXECUTORS))
def test_a_replica_that_diverges_does_not_touch_the_others(executor: str) -> None:
    good = tiny.tiny_config(tiny.rule("Backprop"), tiny.rule("Backprop"), None, 3)
    raw = good.to_dict()
    for post, pre in (("H1", "Input"), ("Output", "H1")):
        raw["projection_config"][post]["E"][pre]["E"]["learning_rule_kwargs"]["learning_rate"] = -1e30
    bad = eiann.NetworkConfig.from_dict(raw)
    data = tiny.tiny_data()
    both = eiann.train(eiann.Network([good, bad], seeds=[5, 6]), data, [1, 2], executor=executor)
    alone = eiann.train(eiann.Network([good], seeds=[5]), data, [1], executor=executor)
    assert both.failed.tolist() == [False, True]
    assert torch.equal(both.loss[0], alone.loss[0])


@pytest.mark.parametrize("executor", list(EXECUTORS))
def test_validation_and_progress_change_no_result(executor: str) -> None:
    config = tiny.tiny_config(tiny.rule("BP_like_2L"), tiny.rule("BP_like_2L"))
    data = tiny.tiny_data()
    watched, plain = (eiann.Network(config, seeds=[7]) for _ in range(2))
    seen: list[tuple[int, int]] = []
    first = eiann.train(
        watched, data, [3], validation=data, val_interval=(0, -1, 1), executor=executor,
        progress=lambda done, total: seen.append((done, total)),
    )  # fmt: skip
    second = eiann.train(plain, data, [3], executor=executor)
    assert torch.equal(first.loss, second.loss)
    for name, value in watched.state_dict().items():
        assert torch.equal(value, plain.state_dict()[name])
    assert seen[-1] == (12, 12)


def test_both_executors_agree_in_single_precision() -> None:
    for _, hidden, output, bias_rule, backward_steps, *_ in tiny.FIXTURES:
        if hidden["learning_rule_kwargs"].get("stochastic"):
            continue
        config = tiny.tiny_config(hidden, output or hidden, bias_rule, backward_steps)
        networks = {name: eiann.Network(config, seeds=[11, 12]) for name in EXECUTORS}
        data = tiny.tiny_data()
        losses = [eiann.train(network, data, [1, 2], executor=name).loss for name, network in networks.items()]
        assert torch.allclose(losses[0], losses[1], rtol=2e-5, atol=1e-6)
