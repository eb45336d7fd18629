"""The compact form: what a line means, what is meant where nothing is said, and what a file takes from another."""

# ruff: noqa: E501 - a case of a table stands on one line

from pathlib import Path
from typing import Any

import pytest

from eiann.config import NetworkConfig

LAYERS = {"Input": {"E": 4}, "H1": {"E": 3, "SomaI": 2}, "H2": {"E": 3, "SomaI": 2}, "Output": {"E": 2, "SomaI": 1}}
CELLS = {"E": "excitatory", "*I": "inhibitory"}


def network(projections: dict[str, Any] | None = None, **more: Any) -> NetworkConfig:
    return NetworkConfig.from_dict({"layers": LAYERS, "cells": CELLS, "projections": projections or {}, **more})


def names(config: NetworkConfig) -> list[str]:
    order: list[str] = config.resolved()["order"]["projections"]
    return order


def projection(config: NetworkConfig, name: str) -> dict[str, Any]:
    post, pre = (side.split(".") for side in name.split(" <- "))
    found: dict[str, Any] = config.to_dict()["projection_config"][post[0]][post[1]][pre[0]][pre[1]]
    return found


WHICH = [
    ("E <- below.E", ["H1.E <- Input.E", "H2.E <- H1.E", "Output.E <- H2.E"]),
    ("E <- above.E", ["H1.E <- H2.E", "H2.E <- Output.E"]),
    ("E <- SomaI", ["H1.E <- H1.SomaI", "H2.E <- H2.SomaI", "Output.E <- Output.SomaI"]),
    ("E <- E", ["H1.E <- H1.E", "H2.E <- H2.E", "Output.E <- Output.E"]),
    ("E <- *", ["H1.E <- H1.E", "H1.E <- H1.SomaI", "H2.E <- H2.E", "H2.E <- H2.SomaI", "Output.E <- Output.E", "Output.E <- Output.SomaI"]),
    ("hidden.E <- Input.E", ["H1.E <- Input.E", "H2.E <- Input.E"]),
    ("H*.E <- below.E", ["H1.E <- Input.E", "H2.E <- H1.E"]),
    ("*.*I <- E", ["H1.SomaI <- H1.E", "H2.SomaI <- H2.E", "Output.SomaI <- Output.E"]),
    ("H[2].E <- H1.*", ["H2.E <- H1.E", "H2.E <- H1.SomaI"]),
    ("Output.E <- Input.E", ["Output.E <- Input.E"]),
    (" Output.E<-Input.E ", ["Output.E <- Input.E"]),
]  # fmt: skip


@pytest.mark.parametrize(("line", "made"), WHICH)
def test_which_projections_a_line_makes(line: str, made: list[str]) -> None:
    assert names(network({line: None})) == made


@pytest.mark.parametrize(
    "line", ["*.E <- *.SomaI", "any.E <- any.SomaI", "E <- any.SomaI", "E <- H*.SomaI", "hidden.E <- hidden.SomaI"]
)
def test_an_indefinite_presynaptic_layer_changes_but_never_connects(line: str) -> None:
    config = network({"E <- SomaI": None, "E <- below.E": None, line: "init 3"})
    assert names(config) == names(network({"E <- SomaI": None, "E <- below.E": None}))
    assert projection(config, "H1.E <- H1.SomaI")["weight_init_args"] == [3]
    assert "weight_init_args" not in projection(config, "H1.E <- Input.E")


def test_the_cell_type_gives_outgoing_weights_their_sign() -> None:
    config = network(
        {"E <- below.E": None, "E <- SomaI": None, "H1.SomaI <- E": "bounds none", "H2.SomaI <- E": "bounds [0, 3]"}
    )
    assert projection(config, "H1.E <- Input.E")["weight_bounds"] == [0, None]
    assert projection(config, "H1.E <- H1.SomaI")["weight_bounds"] == [None, 0]
    assert projection(config, "H1.SomaI <- H1.E")["weight_bounds"] is None
    assert projection(config, "H2.SomaI <- H2.E")["weight_bounds"] == [0, 3]


def test_a_population_may_differ_from_its_cells() -> None:
    layers = {**LAYERS, "H1": {"E": "3, cell none, activation relu, tau 2", "SomaI": "2, excitatory"}}
    config = network(
        {"E <- below.E": None, "E <- SomaI": None},
        layers=layers,
        cells={**CELLS, "H1.E": "tau 3", "E": "excitatory, tau 4"},
    )
    assert "weight_bounds" not in projection(config, "H2.E <- H1.E")
    assert projection(config, "H1.E <- H1.SomaI")["weight_bounds"] == [0, None]
    populations = config.to_dict()["layer_config"]
    assert [populations[layer]["E"].get("tau") for layer in populations] == [None, 2, 4, 4]


def test_later_cells_win_and_inputs_take_the_type_only() -> None:
    cells = {
        "E": "excitatory, activation relu, bias X(learning_rate=1)",
        "Output.E": "activation softmax, bias.learning_rate 2",
        "hidden.E": "bias none",
    }
    populations = network(cells=cells).to_dict()["layer_config"]
    assert populations["Input"]["E"] == {"size": 4}
    assert populations["H1"]["E"] == {"size": 3, "activation": "relu", "include_bias": False}
    assert populations["Output"]["E"] == {
        "size": 2,
        "activation": "softmax",
        "include_bias": True,
        "bias_learning_rule": "X",
        "bias_learning_rule_kwargs": {"learning_rate": 2},
    }


def test_what_a_bare_projection_is() -> None:
    config = network({"E <- below.E": None, "E <- SomaI": None})
    assert projection(config, "H1.E <- Input.E") == {
        "weight_bounds": [0, None], "direction": "forward", "learning_rule": None, "weight_init": "half_kaiming",
    }  # fmt: skip
    assert projection(config, "H1.E <- H1.SomaI")["direction"] == "recurrent"
    unsigned = NetworkConfig.from_dict({"layers": LAYERS, "projections": {"E <- below.E": None}})
    assert projection(unsigned, "H1.E <- Input.E") == {"direction": "forward", "learning_rule": None}


INITIALIZERS = [
    ("init 2", "half_kaiming", [2]),
    ("init 2, bounds none", "scaled_kaiming", [2]),
    ("bounds none", None, None),
    ("bounds [-1, 1]", None, None),
    ("init none", None, None),
    ("init half_kaiming", "half_kaiming", None),
    ("init uniform_(-1, 1e-3)", "uniform_", [-1, 0.001]),
    ("init clone(source=H1.E.Input.E, scale=2)", "clone", {"source": "H1.E.Input.E", "scale": 2}),
    ("init 2, init normal_(0, 1)", "normal_", [0, 1]),
    ("init normal_(0, 1), init 2", "half_kaiming", [2]),
    ("init clone(source=a), init.scale 4", "clone", {"source": "a", "scale": 4}),
]


@pytest.mark.parametrize(("clauses", "name", "arguments"), INITIALIZERS)
def test_initializers(clauses: str, name: str | None, arguments: Any) -> None:
    found = projection(network({"H2.E <- H1.E": clauses}), "H2.E <- H1.E")
    assert found.get("weight_init") == name
    assert found.get("weight_init_args") == arguments


CLAUSES = [
    ("rule X(a=1)", {"learning_rule": "X", "learning_rule_kwargs": {"a": 1}}),
    ("rule X", {"learning_rule": "X"}),
    ("rule X(a=1), fixed", {"learning_rule": None}),
    ("rule X(a=1, b=[1, none]), rule.a 2, rule.c true", {"learning_rule": "X", "learning_rule_kwargs": {"a": 2, "b": [1, None], "c": True}}),
    ("rule X(a=1), rule Y", {"learning_rule": "Y"}),
    ("constraint c(scale=2)", {"weight_constraint": "c", "weight_constraint_kwargs": {"scale": 2}}),
    ("constraint c(scale=2), constraint none", {"weight_constraint": None}),
    ("dend, phase B", {"compartment": "dend", "update_phase": "B"}),
    ("dend, soma", {"compartment": "soma"}),
    ("recurrent", {"direction": "recurrent"}),
    ("direction R", {"direction": "R"}),
    ("stride 2, padding_mode zeros", {"stride": 2, "padding_mode": "zeros"}),
    ({"rule": {"X": {"a": {"b": [1]}}}, "dend": True}, {"learning_rule": "X", "learning_rule_kwargs": {"a": {"b": [1]}}, "compartment": "dend"}),
    ({"rule": "X(a=1)", "rule.b": {"c": 1}}, {"learning_rule": "X", "learning_rule_kwargs": {"a": 1, "b": {"c": 1}}}),
    ({"init": {"x_": [1, 2]}, "bounds": [0, 1]}, {"weight_init": "x_", "weight_init_args": [1, 2], "weight_bounds": [0, 1]}),
    ({"init": {"x_": None}}, {"weight_init": "x_"}),
]  # fmt: skip


@pytest.mark.parametrize(("clauses", "keys"), CLAUSES)
def test_words_of_projections(clauses: Any, keys: dict[str, Any]) -> None:
    given = projection(network({"H2.E <- H1.E": clauses}), "H2.E <- H1.E")
    assert given == {**projection(network({"H2.E <- H1.E": None}), "H2.E <- H1.E"), **keys}


POPULATIONS = [
    (5, {"size": 5}),
    ("5", {"size": 5}),
    ("size 5, tau 2.5", {"size": 5, "tau": 2.5}),
    ("5, activation polynomial(n=2)", {"size": 5, "activation": "polynomial", "activation_kwargs": {"n": 2}}),
    ("5, bias constant, bias_init uniform_(0, 1)", {"size": 5, "include_bias": True, "bias_init": "uniform_", "bias_init_args": [0, 1]}),
    ("5, bias X(learning_rate=1), bias_bounds [0, none]",
     {"size": 5, "include_bias": True, "bias_learning_rule": "X", "bias_learning_rule_kwargs": {"learning_rate": 1}, "bias_bounds": [0, None]}),
    ("5, bias X, bias constant", {"size": 5, "include_bias": True}),
    ("5, bias X, bias none", {"size": 5, "include_bias": False}),
    ("type Conv2D, channels 3, kernel_size 5, image_source Input.E", {"population_type": "Conv2D", "channels": 3, "kernel_size": 5, "image_source": "Input.E"}),
    ({"size": 5, "tau": 2}, {"size": 5, "tau": 2}),
]  # fmt: skip


@pytest.mark.parametrize(("clauses", "keys"), POPULATIONS)
def test_words_of_populations(clauses: Any, keys: dict[str, Any]) -> None:
    config = NetworkConfig.from_dict({"layers": {"Input": {"E": 4}, "H1": {"E": clauses}, "Output": {"E": 2}}})
    assert config.to_dict()["layer_config"]["H1"]["E"] == keys


def test_later_lines_change_only_what_they_say() -> None:
    config = network(
        {"E <- below.E": "rule X(a=1), init 2, dend", "H2.E <- H1.E": "rule.a 3", "H1.E <- Input.E": "fixed"}
    )
    assert projection(config, "H2.E <- H1.E")["learning_rule_kwargs"] == {"a": 3}
    assert projection(config, "Output.E <- H2.E")["learning_rule_kwargs"] == {"a": 1}
    first = projection(config, "H1.E <- Input.E")
    assert (first["learning_rule"], first["weight_init_args"], first["compartment"]) == (None, [2], "dend")


def test_remove_drops_what_was_made() -> None:
    assert names(network({"E <- below.E": None, "H2.E <- H1.E": "remove"})) == ["H1.E <- Input.E", "Output.E <- H2.E"]
    assert names(network({"E <- below.E": None, "E <- SomaI": None, "any.E <- any.E": "remove"})) == names(
        network({"E <- SomaI": None})
    )


def test_the_reverse_of_a_projection_can_be_cloned() -> None:
    config = network({"E <- below.E": None, "E <- above.E": "constraint clone_weight(source=reverse, transpose=true)"})
    assert projection(config, "H1.E <- H2.E")["weight_constraint_kwargs"] == {"source": "H2.E.H1.E", "transpose": True}
    cloned = network({"E <- below.E": None, "H2.E <- Output.E": "init clone(source=reverse)"})
    assert projection(cloned, "H2.E <- Output.E")["weight_init_args"] == {"source": "Output.E.H2.E"}


def test_pooling_populations_are_never_meant_by_a_pattern() -> None:
    layers = {
        "Input": {"E": "channels 1, image_dim 8"},
        "C": {"E": "type Conv2D, channels 2", "P": "type MaxPool2D, source C.E"},
        "Output": {"E": 2},
    }
    config = NetworkConfig.from_dict(
        {"layers": layers, "cells": {"*": "excitatory, activation relu"}, "projections": {"* <- below.*": None}}
    )
    assert names(config) == ["C.E <- Input.E", "Output.E <- C.E", "Output.E <- C.P"]
    assert config.to_dict()["layer_config"]["C"]["P"] == {"population_type": "MaxPool2D", "source": "C.E"}
    assert projection(config, "Output.E <- C.P")["weight_bounds"] == [0, None]


def test_order_follows_the_layers_or_the_lines() -> None:
    lines = {
        "Output.E <- H2.E": None,
        "H1.E <- H1.SomaI": None,
        "Output.E <- Input.E": None,
        "H1.E <- Input.E": None,
        "Output.E <- H2.SomaI": None,
    }
    assert names(network(lines)) == [
        "H1.E <- Input.E",
        "H1.E <- H1.SomaI",
        "Output.E <- Input.E",
        "Output.E <- H2.E",
        "Output.E <- H2.SomaI",
    ]
    assert names(network(lines, order="as_written")) == [
        "Output.E <- H2.E", "Output.E <- H2.SomaI", "Output.E <- Input.E", "H1.E <- H1.SomaI", "H1.E <- Input.E",
    ]  # fmt: skip


def test_training_takes_arguments_with_the_name() -> None:
    training = {"tau": 3, "optimizer": "SGD(momentum=0.9)", "criterion": "CrossEntropyLoss", "learning_rate": 0.1}
    config = network(training=training)
    assert config.to_dict()["training_kwargs"] == {
        "tau": 3, "optimizer": "SGD", "optimizer_kwargs": {"momentum": 0.9}, "criterion": "CrossEntropyLoss", "learning_rate": 0.1,
    }  # fmt: skip
    assert network(training={"optimizer": "none"}).training_kwargs.optimizer is None
    assert "training_kwargs" not in network().to_dict()


# -------------------------------------------------------------------------------------------------------------- extends

BASE = """
cells:
  E: excitatory, activation relu
layers:
  Input:  {E: 4}
  H1:     {E: 3, SomaI: 2}
  Output: {E: 2}
projections:
  E <- below.E: rule X(a=1), init 1
training: {tau: 3, optimizer: SGD(momentum=0.5)}
"""


def extended(folder: Path, text: str) -> NetworkConfig:
    (folder / "base.yaml").write_text(BASE)
    (folder / "net.yaml").write_text(f"extends: base.yaml\n{text}")
    return NetworkConfig.from_yaml(folder / "net.yaml")


def test_a_file_that_says_nothing_more_is_its_base(tmp_path: Path) -> None:
    assert extended(tmp_path, "").resolved() == NetworkConfig.from_yaml(tmp_path / "base.yaml").resolved()


def test_patterns_of_the_base_mean_the_layers_of_the_file(tmp_path: Path) -> None:
    config = extended(tmp_path, "layers:\n  H1: {}\n  H2: {E: 7}\n")
    assert list(config.layer_config) == ["Input", "H1", "H2", "Output"]
    assert names(config) == ["H1.E <- Input.E", "H2.E <- H1.E", "Output.E <- H2.E"]
    assert config.layer_config["H2"]["E"].activation == "relu"


LAYER_ORDERS = [
    ("{H2: {E: 1}}", ["Input", "H1", "H2", "Output"]),
    ("{H1: {E: 5}, H2: {E: 1}}", ["Input", "H1", "H2", "Output"]),
    ("{H0: {E: 1}, H1: {E: 1}}", ["Input", "H0", "H1", "Output"]),
    ("{H1: remove}", ["Input", "Output"]),
    ("{H1: remove, A: {E: 1}, B: {E: 1}}", ["Input", "A", "B", "Output"]),
    ("{Output: {E: 5}, Last: {E: 1}}", ["Input", "H1", "Output", "Last"]),
]


@pytest.mark.parametrize(("layers", "order"), LAYER_ORDERS)
def test_where_new_layers_go(layers: str, order: list[str], tmp_path: Path) -> None:
    assert list(extended(tmp_path, f"layers: {layers}\n").layer_config) == order


def test_populations_are_merged_word_by_word(tmp_path: Path) -> None:
    config = extended(tmp_path, "layers:\n  H1: {E: tau 2, SomaI: remove, DendI: 1}\n")
    assert config.to_dict()["layer_config"]["H1"] == {
        "E": {"size": 3, "activation": "relu", "tau": 2},
        "DendI": {"size": 1},
    }


def test_lines_of_the_file_win(tmp_path: Path) -> None:
    config = extended(
        tmp_path,
        "cells: {E: cell none}\nprojections:\n  E <- below.E: rule.a 5\n  H1.E <- Input.E: init 9\ntraining: {tau: 1, optimizer.momentum: 0.1}\n",
    )
    assert projection(config, "H1.E <- Input.E") == {
        "learning_rule": "X", "learning_rule_kwargs": {"a": 5}, "direction": "forward", "weight_init": "scaled_kaiming", "weight_init_args": [9],
    }  # fmt: skip
    assert config.training_kwargs.tau == 1
    assert config.training_kwargs.optimizer_kwargs == {"momentum": 0.1}


def test_a_line_of_the_base_may_match_nothing(tmp_path: Path) -> None:
    (tmp_path / "wiring.yaml").write_text(
        "cells: {DendI: inhibitory}\nprojections:\n  E <- below.E:\n  E <- DendI:\n  E <- above.E:\n"
    )
    (tmp_path / "net.yaml").write_text("extends: wiring.yaml\nlayers: {Input: {E: 2}, Output: {E: 2}}\n")
    assert names(NetworkConfig.from_yaml(tmp_path / "net.yaml")) == ["Output.E <- Input.E"]


def test_bases_are_relative_to_the_file_that_extends(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "base.yaml").write_text(BASE)
    (tmp_path / "deep" / "middle.yaml").write_text("extends: ../base.yaml\ntraining: {tau: 2}\n")
    (tmp_path / "net.yaml").write_text("extends: deep/middle.yaml\n")
    assert NetworkConfig.from_yaml(tmp_path / "net.yaml").training_kwargs.tau == 2


def test_places_point_to_the_line_that_said_it_last(tmp_path: Path) -> None:
    config = extended(tmp_path, "projections:\n  E <- below.E: rule.a 5\n")
    path = ("projection_config", "H1", "E", "Input", "E")
    assert config.locate((*path, "learning_rule_kwargs", "a")) == f"{tmp_path}/net.yaml:3"
    assert config.locate((*path, "weight_init_args", 0)) == f"{tmp_path}/base.yaml:9"
    assert config.locate((*path, "weight_bounds")) == f"{tmp_path}/base.yaml:9"
    assert config.locate(("layer_config", "H1", "E", "activation")) == f"{tmp_path}/base.yaml:3"
    assert config.locate(("training_kwargs", "tau")) == f"{tmp_path}/base.yaml:10"
