"""The page about extensions does what it says: its blocks are run, in order, in one namespace."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import eiann
from eiann.activations import ACTIVATIONS
from eiann.constraints import CONSTRAINTS
from eiann.data.registry import LOADERS
from eiann.executors.choose import choose_executor
from eiann.initializers import INITIALIZERS
from eiann.rules import BIAS_RULES, RULES

PAGE = Path(__file__).parents[1] / "docs" / "extending.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
REGISTRIES: tuple[Any, ...] = (RULES, BIAS_RULES, CONSTRAINTS, ACTIVATIONS, INITIALIZERS, LOADERS)


@pytest.fixture(scope="module")
def namespace() -> Iterator[dict[str, Any]]:
    before = [dict(registry._entries) for registry in REGISTRIES]
    names: dict[str, Any] = {"__name__": "extending"}
    for block in BLOCKS:
        exec(compile(block, str(PAGE), "exec", dont_inherit=True), names)
    yield names
    for registry, entries in zip(REGISTRIES, before, strict=True):
        registry._entries = entries


def test_the_blocks_run_and_the_extensions_do_something(namespace: dict[str, Any]) -> None:
    network, history = namespace["network"], namespace["history"]
    assert len(BLOCKS) == 8
    assert torch.isfinite(history.loss).all()
    weight = network.state_dict()["module_dict.H1E_InputE.weight"]
    lengths = weight.norm(dim=2)
    assert torch.allclose(lengths[lengths > 0], torch.tensor(1.5), atol=1e-5)
    start = eiann.Network(namespace["config"], seeds=[1, 2, 3]).state_dict()["module_dict.H1E_InputE.weight"]
    assert not torch.equal(weight, start)


def test_replicas_with_extensions_have_the_bits_that_they_have_alone(namespace: dict[str, Any]) -> None:
    alone = eiann.Network(namespace["config"], seeds=[2])
    loss = eiann.train(alone, namespace["data"].train, [5], validation=namespace["data"].validation).loss
    assert torch.allclose(loss[0], namespace["history"].loss[1], rtol=1e-5)


def test_a_rule_of_the_vocabulary_runs_natively_and_one_of_tensors_does_not(namespace: dict[str, Any]) -> None:
    for rule, executor, words in (("anti_hebb", "native", ""), ("decaying_hebb", "torch", "ChangeWeight")):
        raw = namespace["config"].to_dict()
        section = raw["projection_config"]["H1"]["E"]["Input"]["E"]
        section.update(learning_rule=rule, learning_rule_kwargs={}, weight_constraint=None, weight_constraint_kwargs={})
        raw["layer_config"]["H1"]["E"].update(activation="relu", activation_kwargs={})
        raw["layer_config"]["Output"]["E"].update(activation="relu", activation_kwargs={})
        network = eiann.Network(eiann.NetworkConfig.from_dict(raw), seeds=[1])
        chosen, why = choose_executor("auto", network)
        assert chosen.name == executor
        assert words in why


def test_parameters_of_extensions_are_checked(namespace: dict[str, Any]) -> None:
    for change, words in (
        ({"learning_rule_kwargs": {"decay": 2}}, "found 2"),
        ({"learning_rule": "decaying_heb"}, "did you mean 'decaying_hebb'"),
        ({"weight_constraint_kwargs": {"norm": 0}}, "found 0"),
    ):
        raw = namespace["config"].to_dict()
        raw["projection_config"]["H1"]["E"]["Input"]["E"].update(change)
        with pytest.raises(eiann.ConfigError, match=words):
            eiann.Network(eiann.NetworkConfig.from_dict(raw), seeds=[1])
