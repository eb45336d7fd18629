"""What an executor leaves out, since it holds already, never shows: torch applies everything, and the others agree."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, ClassVar

import pytest
import torch

import eiann
from eiann.data import Dataset, one_hot
from eiann.executors.base import Executor, TrainingData
from eiann.executors.choose import EXECUTORS
from eiann.executors.cuda.executor import CudaExecutor
from eiann.program.kernel import RuleKernel
from eiann.rules import RULES, LearningRule, register

OTHERS: list[Executor] = [EXECUTORS["native"], CudaExecutor("cpu")]
BACKPROP = {"learning_rule": "Backprop"}


def network(layers: dict[str, Any], projections: dict[str, Any], **training: Any) -> eiann.NetworkConfig:
    return eiann.NetworkConfig.from_dict(
        {
            "layer_config": layers,
            "projection_config": projections,
            "training_kwargs": {"learning_rate": 0.05, "forward_steps": 1, "backward_steps": 1, **training},
        }
    )


def one_layer(projection: dict[str, Any]) -> eiann.NetworkConfig:
    return network(
        {"Input": {"E": {"size": 6}}, "H1": {"E": {"size": 5, "activation": "relu"}}, "Output": {"E": {"size": 3}}},
        {"H1": {"E": {"Input": {"E": projection}}}, "Output": {"E": {"H1": {"E": BACKPROP}}}},
    )


def data(features: int = 6, samples: int = 60) -> Dataset:
    generator = torch.Generator().manual_seed(0)
    silent = torch.rand(samples, features, generator=generator) < 0.6
    inputs = torch.rand(samples, features, generator=generator).masked_fill(silent, 0.0)
    return Dataset(inputs, one_hot(torch.arange(samples) % 3, 3), "made up")


def trained(executor: Executor, made: eiann.Network, steps: int = 30) -> dict[str, torch.Tensor]:
    found = data(made.architecture.input.units)
    session = executor.begin(made, TrainingData(found.inputs.double(), found.targets.double()), ())
    session.run(torch.arange(steps).repeat(made.R, 1))
    session.store()
    return {name: value.clone() for name, value in made.state_dict().items()}


def assert_as_torch(
    executor: Executor, config: eiann.NetworkConfig, change: dict[str, torch.Tensor] | None = None
) -> None:
    found = []
    for who in (EXECUTORS["torch"], executor):
        made = eiann.Network(config, seeds=[3], dtype=torch.float64)
        for name, value in (change or {}).items():
            made.state_dict()[name].copy_(value)
        found.append(trained(who, made))
    for name, value in found[0].items():
        torch.testing.assert_close(found[1][name], value, rtol=1e-9, atol=1e-12, msg=f"{executor.name}: {name}")


@pytest.mark.parametrize("executor", OTHERS, ids=lambda executor: executor.name)
@pytest.mark.parametrize("rule", [None, "Hebb_WeightNorm_4"])
@pytest.mark.parametrize("bounds", [(0, 0.4), (0.05, None), (0, None)])
def test_bounds_hold_again_after_rows_were_scaled(executor: Executor, rule: str | None, bounds: Any) -> None:
    projection = {
        "learning_rule": rule, "weight_bounds": bounds, "weight_init": "half_kaiming",
        "weight_constraint": "normalize_weight", "weight_constraint_kwargs": {"scale": 1.5},
    }  # fmt: skip
    if rule:
        projection["learning_rule_kwargs"] = {"learning_rate": 0.02}
    assert_as_torch(executor, one_layer(projection))


@pytest.mark.parametrize("executor", OTHERS, ids=lambda executor: executor.name)
def test_a_clone_of_a_clone_follows_by_a_step(executor: Executor) -> None:
    def clone(source: str) -> dict[str, Any]:
        return {
            "learning_rule": None,
            "weight_constraint": "clone_weight",
            "weight_constraint_kwargs": {"source": source},
        }

    projections = {"E": clone("H1.E.Input.X"), "X": clone("H1.E.Input.Y"), "Y": {"learning_rule": None}}
    config = network(
        {
            "Input": {"E": {"size": 4}, "X": {"size": 4}, "Y": {"size": 4}},
            "H1": {"E": {"size": 5, "activation": "relu"}},
            "Output": {"E": {"size": 3}},
        },
        {"H1": {"E": {"Input": projections}}, "Output": {"E": {"H1": {"E": BACKPROP}}}},
    )
    assert_as_torch(executor, config)


WEIGHT = "module_dict.H1E_InputE.weight"


@pytest.mark.parametrize("executor", OTHERS, ids=lambda executor: executor.name)
@pytest.mark.parametrize(
    "projection",
    [
        {"learning_rule": "Backprop", "weight_bounds": (0, 0.5)},
        {"learning_rule": None, "weight_bounds": (0, 0.5)},
        {"learning_rule": None, "weight_constraint": "normalize_weight", "weight_constraint_kwargs": {"scale": 1.0}},
    ],
    ids=["learned and bounded", "bounded", "normalized"],
)
def test_parameters_set_by_hand_are_constrained_by_the_first_step(
    executor: Executor, projection: dict[str, Any]
) -> None:
    assert_as_torch(executor, one_layer(projection), {WEIGHT: torch.full((1, 5, 6), 3.0, dtype=torch.float64)})


@pytest.fixture
def own_rule(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(RULES, "_entries", dict(RULES))

    @register()
    class Forgets(LearningRule):
        """Weights decay."""

        name: ClassVar[str] = "forgets_a_tenth"

        def step(self, kernel: RuleKernel) -> None:
            kernel.change(lambda weight, post: 0.9 * weight + 0.01 * post.transpose(1, 2), kernel.post)

    return Forgets.name


def test_constraints_hold_for_rules_of_ones_own_on_a_device(own_rule: str) -> None:
    constraint = {"weight_constraint": "normalize_weight", "weight_constraint_kwargs": {"scale": 1.0}}
    assert_as_torch(CudaExecutor("cpu"), one_layer({"learning_rule": own_rule, **constraint}))


def test_a_replica_that_diverges_leaves_its_neighbours_alone() -> None:
    """Five units fill no register; what overflows there must not be taken for units of the next replica."""

    def config(rate: float) -> eiann.NetworkConfig:
        hebb = {"learning_rule": "Hebb_WeightNorm", "learning_rule_kwargs": {"learning_rate": rate}}
        relu = {"size": 5, "activation": "relu"}
        layers = {
            "Input": {"E": {"size": 2}},
            "H1": {"E": relu},
            "H2": {"E": relu},
            "Output": {"E": {**relu, "size": 3}},
        }
        order = list(layers)
        return network(layers, {b: {"E": {a: {"E": hebb}}} for a, b in pairwise(order)})

    alone = eiann.Network(config(1e-4), seeds=[2])
    both = eiann.Network([config(10.0), config(1e-4)], seeds=[1, 2])
    found = data(2, 400)
    own = eiann.train(alone, found, [5], executor="native", steps=300)
    history = eiann.train(both, found, [4, 5], executor="native", steps=300)
    assert torch.isnan(history.loss[0, -1]), "otherwise this shows nothing"
    assert torch.equal(history.loss[1], own.loss[0])
    for name, value in alone.state_dict().items():
        assert torch.equal(both.state_dict()[name][1], value[0]), name
