"""Bytes that a step moves, against a count by hand."""

from __future__ import annotations

from typing import Any

import eiann
from eiann.program.compile import compile_training
from eiann.program.traffic import Traffic, step_traffic

PRE, POST = 5, 3


def config(pre: int = PRE, **training: Any) -> eiann.NetworkConfig:
    return eiann.NetworkConfig.from_dict(
        {
            "layer_config": {"Input": {"E": {"size": pre}}, "Output": {"E": {"size": POST, "activation": "relu"}}},
            "projection_config": {"Output": {"E": {"Input": {"E": {"learning_rule": "Backprop"}}}}},
            "training_kwargs": {"learning_rate": 0.1, "backward_steps": 1, **training},
        }
    )


def traffic(*configs: eiann.NetworkConfig) -> Traffic:
    network = eiann.Network(list(configs), seeds=range(len(configs)))
    return step_traffic(compile_training(network.architecture), network)


def test_a_layer_that_learns_by_its_gradient() -> None:
    found = traffic(config())
    weight = PRE * POST * 4
    # read for the product, read and written by the step
    assert found.weights == 3 * weight
    assert found.least == 2 * weight
    # state and activity at the start 2, product 1, sum with the bias 3, activity 2, loss 2, its gradient 3, through
    # the activation 4, step 1; the input in product and step
    assert found.values == (18 * POST + 2 * PRE) * 4
    assert found.total == found.weights + found.values


def test_what_an_optimizer_remembers_is_read_and_written() -> None:
    weight = PRE * POST * 4
    assert traffic(config(optimizer="Adam")).weights == (3 + 2 * 2) * weight
    momentum = {"optimizer": "SGD", "optimizer_kwargs": {"momentum": 0.9}}
    assert traffic(config(**momentum)).weights == (3 + 2) * weight


def test_a_weight_that_multiplies_many_values_at_once_is_read_once() -> None:
    one, three = traffic(config(forward_steps=1)), traffic(config(forward_steps=3, tau=2))
    assert three.weights == one.weights  # the input does not change over time
    assert three.values > one.values


def test_replicas_of_different_sizes_are_averaged() -> None:
    assert traffic(config(4), config(6)).weights == traffic(config(5)).weights
