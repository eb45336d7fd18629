"""The native executor covers all that published networks use; what it leaves to torch it says."""

from __future__ import annotations

from typing import Any

import pytest

from eiann import Network, NetworkConfig
from eiann.executors.choose import choose_executor
from eiann.executors.native.executor import uncovered
from eiann.network.resolve import resolve
from optimize.space import SearchSpace
from search_spaces import catalogue
from tests.eiann.tiny import rule, tiny_config


def test_every_network_that_comes_with_the_project_is_covered() -> None:
    reasons = {}
    for entry in catalogue():
        space = SearchSpace.load(entry.name)
        point = next(iter(space.starting_points.values()))
        reasons[entry.name] = uncovered(resolve(space.apply(dict(point.params))))
    assert len(reasons) > 60
    assert {name: reason for name, reason in reasons.items() if reason is not None} == {}


def with_settings(config: NetworkConfig, **settings: Any) -> NetworkConfig:
    tree = config.to_dict()
    return NetworkConfig.from_dict({**tree, "training_kwargs": {**tree["training_kwargs"], **settings}})


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (tiny_config(rule("BP_like_2L", stochastic=True), rule("BP_like_2L")), "units are drawn at random"),
        (
            with_settings(tiny_config(rule("Backprop"), rule("Backprop"), None, 3), optimizer="Adam"),
            "the optimizer Adam with state",
        ),
        (
            with_settings(
                tiny_config(rule("Backprop"), rule("Backprop"), None, 3),
                optimizer="SGD",
                optimizer_kwargs={"momentum": 0.9},
            ),
            "the optimizer SGD with state",
        ),
    ],
    ids=["drawn units", "Adam", "momentum"],
)
def test_what_is_left_to_torch_is_said_in_one_line(config: NetworkConfig, reason: str) -> None:
    chosen, why = choose_executor("auto", Network(config, seeds=[1]))
    assert chosen.name == "torch"
    assert why.endswith(f"not native: {reason}")
