"""What the tests of the table of quirks share: small networks, and the number of a test's row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

import eiann
from tests.eiann.tiny import rule, tiny_config, tiny_data

#: Rows that show when a network is built; the others show when it runs.
OF_CONSTRUCTION = frozenset({1, 2, 3, 4, 5, 14, 16, 20, 22, 25, 26, 27, 29, 30, 32, 33})
OF_TRAINING = frozenset(range(1, 34)) - OF_CONSTRUCTION
DATA = tiny_data()
BP = rule("BP_like_2L")


class Rows(dict[int, str]):
    """Number of a row -> its test."""

    def __call__(self, number: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
        """Decorator that marks a test with the number of its row."""

        def add(test: Callable[..., None]) -> Callable[..., None]:
            assert number not in self
            self[number] = test.__name__
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
