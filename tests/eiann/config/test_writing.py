"""What is written reads back as an equal network, in both forms, whole or not at all."""

# ruff: noqa: E501 - a case of a table stands on one line

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eiann.config import NetworkConfig
from eiann.config.writing import write_text
from eiann.config.yaml_source import parse_yaml
from eiann.errors import ConfigError, UserError
from tests.eiann.config.mutations import good_files

BIG = NetworkConfig.from_dict({
    "cells": {"E": "excitatory, activation relu, bias X(learning_rate=0.1)", "SomaI": "inhibitory"},
    "layers": {"Input": {"E": 4}, "H1": {"E": 3, "SomaI": "2, tau 1.5"}, "Output": {"E": 2, "SomaI": 2}},
    "projections": {
        "E <- below.E": "rule BP(learning_rate=0.1, gate=true), init 1",
        "E <- SomaI": "init 1",
        "H1.SomaI <- E": "init 2, phase A, constraint c(scale=2)",
        "E <- above.E": "constraint clone_weight(source=reverse, scale=1e-9), dend, phase B",
    },
    "training": {"tau": 3, "optimizer": "SGD(momentum=0.9)"},
})  # fmt: skip
TEXT = """\
cells:
  E:     excitatory, activation relu, bias X(learning_rate=0.1)
  SomaI: inhibitory

layers:
  Input:  {E: 4}
  H1:
    E:     3
    SomaI: 2, tau 1.5
  Output: {E: 2, SomaI: 2}

projections:
  E <- below.E:     rule BP(learning_rate=0.1, gate=true), init 1
  E <- SomaI:       init 1
  H1.E <- Output.E: constraint clone_weight(source=reverse, scale=1e-09), phase B, dend
  H1.SomaI <- H1.E: init 2, constraint c(scale=2), phase A

training: {tau: 3, optimizer: SGD(momentum=0.9)}
"""


def test_the_compact_form_reads_like_written_by_a_person() -> None:
    assert write_text(BIG, "compact") == TEXT


@pytest.mark.parametrize("form", ["compact", "nested"])
@pytest.mark.parametrize("path", good_files(), ids=lambda path: f"{path.parents[1].name}/{path.stem}")
def test_every_shipped_network_reads_back_equal(path: Path, form: Any, tmp_path: Path) -> None:
    config = NetworkConfig.from_yaml(path)
    config.to_yaml(tmp_path / "net.yaml", form)
    assert NetworkConfig.from_yaml(tmp_path / "net.yaml").resolved() == config.resolved()


texts = st.sampled_from(
    ["none", "1e-3", "true", "12:30", "", "a b", "it's", "H1.E", "ü", "a: b", " #x", "- a", "*x", "a, b", "no"]
) | st.text(max_size=5)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
kwargs = st.dictionaries(texts, values, max_size=3)
bounds = st.sampled_from([None, [0, None], [None, 0], [0, 2.5], [-1, 1], [None, -0.5], [0, 0]])
projections = st.fixed_dictionaries({}, optional={
    "weight_init": st.sampled_from([None, "half_kaiming", "scaled_kaiming", "fill_", "a b"]),
    "weight_bounds": bounds,
    "weight_constraint": st.sampled_from([None, "no_autapses", "x y"]),
    "weight_constraint_kwargs": kwargs,
    "direction": st.sampled_from(["F", "R", "forward", "recurrent"]),
    "update_phase": st.sampled_from(["A", "B", "F", "all", "backward", "forward"]),
    "compartment": st.sampled_from([None, "dend", "soma"]),
    "learning_rule": st.sampled_from([None, "Backprop", "none", "X"]),
    "learning_rule_kwargs": kwargs,
    "stride": st.integers(1, 3),
    "padding_mode": st.sampled_from(["zeros", "a b"]),
})  # fmt: skip
populations = st.fixed_dictionaries({"size": st.integers(1, 9)}, optional={
    "activation": st.sampled_from([None, "relu", "a b"]),
    "activation_kwargs": kwargs,
    "tau": st.floats(0.1, 9),
    "include_bias": st.booleans(),
    "bias_init": st.sampled_from([None, "fill_"]),
    "bias_bounds": bounds,
    "bias_learning_rule": st.sampled_from([None, "Backprop", "constant", "none"]),
    "bias_learning_rule_kwargs": kwargs,
    "output_pop": st.booleans(),
})  # fmt: skip
training = st.fixed_dictionaries({}, optional={
    "learning_rate": st.floats(0, 9), "optimizer": st.sampled_from([None, "SGD", "A b"]), "optimizer_kwargs": kwargs,
    "criterion": st.sampled_from(["MSELoss", "x y"]), "tau": st.integers(1, 9), "device": st.sampled_from(["cpu", "cuda:0"]),
})  # fmt: skip
NAMES = ["Input.E", "H1.E", "H1.I", "Output.E", "Output.I"]


@st.composite
def networks(draw: st.DrawFn) -> dict[str, Any]:
    layers: dict[str, Any] = {}
    for name in NAMES:
        layer, population = name.split(".")
        layers.setdefault(layer, {})[population] = draw(populations)
    found: dict[str, Any] = {}
    for post in draw(st.permutations(NAMES[1:])):
        for pre in draw(st.lists(st.sampled_from(NAMES), unique=True)):
            found.setdefault(post, {})[pre] = draw(projections)
    return {"layer_config": layers, "projection_config": found, "training_kwargs": draw(training)}


@settings(max_examples=60, deadline=None)
@given(networks())
def test_any_network_reads_back_equal(data: dict[str, Any]) -> None:
    config = NetworkConfig.from_dict(data)
    assert NetworkConfig.from_dict(config.to_dict()).resolved() == config.resolved()
    for form in ("nested", "compact"):
        text = write_text(config, form)  # type: ignore[arg-type]
        assert NetworkConfig.from_dict(parse_yaml(text)[0]).resolved() == config.resolved()  # type: ignore[arg-type]


def test_what_the_compact_form_has_no_words_for_is_said() -> None:
    layers = {"Input": {"E": {"size": 1}}, "above": {"E": {"size": 1}}}
    config = NetworkConfig.from_dict({"layer_config": layers, "projection_config": {}})
    with pytest.raises(ConfigError, match=r"the compact form cannot say this .*form='nested'"):
        write_text(config, "compact")
    assert write_text(config, "nested")


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "net.yaml"
    path.write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(UserError, match=r"net\.yaml: the file cannot be written: No space left on device"):
        BIG.to_yaml(path)
    assert [file.name for file in tmp_path.iterdir()] == ["net.yaml"]
    assert path.read_text() == "old"
    with pytest.raises(UserError, match="cannot be written"):
        BIG.to_yaml(tmp_path / "no" / "net.yaml")
