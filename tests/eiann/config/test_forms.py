"""Nested and dotted files load to the same typed configuration; the form is seen from the keys."""

# ruff: noqa: E501 - a case of a table stands on one line

import copy
from pathlib import Path
from typing import Any

import pytest

from eiann.config import NetworkConfig
from eiann.errors import ConfigError

NESTED: dict[str, Any] = {
    "layer_config": {"Input": {"E": {"size": 4}}, "H1": {"E": {"size": 3, "activation": "relu"}}, "Output": {"E": {"size": 2}}},
    "projection_config": {
        "H1": {"E": {"Input": {"E": {"weight_init": "half_kaiming", "weight_bounds": [0, None]}}, "Output": {"E": {"learning_rule": None}}}},
        "Output": {"E": {"H1": {"E": {}}}},
    },
    "training_kwargs": {"learning_rate": 0.1},
}  # fmt: skip
DOTTED: dict[str, Any] = {
    "layer_config": copy.deepcopy(NESTED["layer_config"]),
    "projection_config": {
        "H1.E": {"Input.E": {"weight_init": "half_kaiming", "type": "Exc"}, "Output.E": {"learning_rule": "None"}},
        "Output.E": {"H1.E": {}},
    },
    "training_kwargs": {"learning_rate": 0.1},
}


def nested(**changes: Any) -> NetworkConfig:
    return NetworkConfig.from_dict({**NESTED, **changes})


def with_projection(**keys: Any) -> NetworkConfig:
    data = copy.deepcopy(NESTED)
    data["projection_config"]["Output"]["E"]["H1"]["E"] = keys
    return NetworkConfig.from_dict(data)


def with_population(**keys: Any) -> NetworkConfig:
    data = copy.deepcopy(NESTED)
    data["layer_config"]["H1"]["E"] = {"size": 3, **keys}
    return NetworkConfig.from_dict(data)


def test_a_nested_configuration_is_given_back_as_it_was() -> None:
    assert nested().to_dict() == NESTED


def test_the_dotted_form_is_the_nested_one() -> None:
    dotted = NetworkConfig.from_dict(DOTTED)
    assert dotted.resolved() == nested().resolved()
    assert dotted.to_dict() == NESTED


def test_left_out_rule_is_backprop_and_null_is_fixed() -> None:
    projections = nested().projection_config
    assert projections["Output"]["E"]["H1"]["E"].learning_rule == "Backprop"
    assert projections["H1"]["E"]["Output"]["E"].learning_rule is None


@pytest.mark.parametrize("word", ["e", "EXC", "Excitatory"])
def test_type_of_the_dotted_form_is_excitatory_in_any_case(word: str) -> None:
    data = copy.deepcopy(DOTTED)
    data["projection_config"]["Output.E"]["H1.E"] = {"type": word}
    assert NetworkConfig.from_dict(data).projection_config["Output"]["E"]["H1"]["E"].weight_bounds == (0, None)


@pytest.mark.parametrize("word", ["i", "INH", "Inhibitory"])
def test_type_of_the_dotted_form_is_inhibitory_in_any_case(word: str) -> None:
    data = copy.deepcopy(DOTTED)
    data["projection_config"]["Output.E"]["H1.E"] = {"type": word}
    projection = NetworkConfig.from_dict(data).projection_config["Output"]["E"]["H1"]["E"]
    assert projection.weight_bounds == (None, 0)
    assert projection.weight_init is None


def test_other_types_of_the_dotted_form_say_nothing() -> None:
    data = copy.deepcopy(DOTTED)
    data["projection_config"]["Output.E"]["H1.E"] = {"type": "something"}
    assert NetworkConfig.from_dict(data).to_dict()["projection_config"]["Output"]["E"]["H1"]["E"] == {}


def test_the_text_none_is_null_only_as_a_property_of_a_dotted_projection() -> None:
    data = copy.deepcopy(DOTTED)
    rule = {"learning_rule": "X", "learning_rule_kwargs": {"a": "None"}, "weight_init": "None"}
    data["projection_config"]["Output.E"]["H1.E"] = rule
    projection = NetworkConfig.from_dict(data).projection_config["Output"]["E"]["H1"]["E"]
    assert projection.weight_init is None
    assert projection.learning_rule_kwargs == {"a": "None"}
    assert with_projection(learning_rule="None").projection_config["Output"]["E"]["H1"]["E"].learning_rule == "None"


@pytest.mark.parametrize(
    ("text", "name", "numbers"),
    [("uniform(0,1)", "uniform_", (0, 1)), ("fill( -0.5 )", "fill_", (-0.5,)), ("zero()", "zero_", ()), ("normal(0, 1e-3)", "normal_", (0, 0.001))],
)  # fmt: skip
def test_bias_text_of_the_dotted_form(text: str, name: str, numbers: tuple[float, ...]) -> None:
    data = copy.deepcopy(DOTTED)
    data["layer_config"]["H1"]["E"]["bias"] = text
    population = NetworkConfig.from_dict(data).layer_config["H1"]["E"]
    assert (population.include_bias, population.bias_init, population.bias_init_args) == (True, name, numbers)
    assert "bias" in data["layer_config"]["H1"]["E"], "the data of the caller is not changed"


def test_a_number_without_a_dot_is_a_number_in_any_form(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(
        "layer_config: {Input: {E: {size: 2}}, Output: {E: {size: 2}}}\n"
        "projection_config: {Output: {E: {Input: {E: {weight_init: x_, weight_init_args: [1e-3]}}}}}\n"
        "training_kwargs: {learning_rate: 1e-2}\n"
    )
    config = NetworkConfig.from_yaml(path)
    assert config.training_kwargs.learning_rate == 0.01
    assert config.projection_config["Output"]["E"]["Input"]["E"].weight_init_args == (0.001,)
    assert nested(training_kwargs={"learning_rate": "1e-2"}).training_kwargs.learning_rate == 0.01


@pytest.mark.parametrize(
    "kind", ["default", "Conv2D", "conv2D", "conv2d", "MaxPool2D", "maxpool2D", "maxpool2d", "Flatten", "flatten"]
)
def test_spellings_of_population_types(kind: str) -> None:
    assert with_population(population_type=kind).layer_config["H1"]["E"].population_type == kind


def test_equal_spellings_resolve_equally() -> None:
    long = with_projection(direction="recurrent", update_phase="all", weight_init="clone_weight", compartment="soma")
    assert long.resolved() == with_projection(direction="R", update_phase="A", weight_init="clone").resolved()
    assert with_projection(compartment="dendrite").resolved() == with_projection(compartment="dend").resolved()
    assert (
        with_population(population_type="default").resolved()
        == nested(layer_config=with_population().to_dict()["layer_config"]).resolved()
    )
    plain, scaled = (
        with_projection(weight_init="half_kaiming"),
        with_projection(weight_init="half_kaiming", weight_init_args=(1,)),
    )
    assert plain.resolved() == scaled.resolved()
    given = with_projection(learning_rule="Backprop", learning_rule_kwargs={"learning_rate": 0.1})
    assert given.resolved() == with_projection().resolved()
    assert with_population(tau=1, activation="linear").resolved() == with_population().resolved()
    learned = {"bias_learning_rule": "Backprop", "bias_learning_rule_kwargs": {"learning_rate": 0.1}}
    assert (
        with_population(**learned).resolved()
        == with_population(include_bias=True, bias_learning_rule="BackpropBias").resolved()
    )


@pytest.mark.parametrize(
    "keys",
    [{"direction": "R"}, {"update_phase": "A"}, {"compartment": "dend"}, {"learning_rule": None}, {"weight_bounds": [0, None]}, {"stride": 2},
     {"weight_init": "half_kaiming", "weight_init_args": [2]}, {"learning_rule_kwargs": {"learning_rate": 0.2}}, {"weight_constraint": "x"}],
)  # fmt: skip
def test_different_networks_resolve_differently(keys: dict[str, Any]) -> None:
    assert with_projection(**keys).resolved() != with_projection().resolved()


def test_the_order_of_projections_counts() -> None:
    projections = NESTED["projection_config"]
    turned = {"Output": projections["Output"], "H1": projections["H1"]}
    assert nested(projection_config=turned).resolved() != nested().resolved()
    assert nested(projection_config=turned) == nested(), "as plain content they are the same"


def test_equality_does_not_ask_where_it_was_read(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    nested().to_yaml(path, form="nested")
    assert NetworkConfig.from_yaml(path) == nested()


def test_places_are_known_in_every_form(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text("layer_config:\n  Input:\n    E: {size: 2}\n  Output:\n    E:\n      size: 4\n"
                    "projection_config:\n  Output.E:\n    Input.E:\n      learning_rule: X\n")  # fmt: skip
    config = NetworkConfig.from_yaml(path)
    assert config.locate(("layer_config", "Output", "E", "size")) == f"{path}:6"
    rule = ("projection_config", "Output", "E", "Input", "E", "learning_rule")
    assert config.locate(rule) == f"{path}:10"
    assert config.locate((*rule[:-1], "weight_init")) == f"{path}:9"
    placed = config.placed(ConfigError("wrong", rule))
    assert str(placed) == f"{path}:10: projection_config.Output.E.Input.E.learning_rule: wrong"
    assert nested().locate(rule) is None
