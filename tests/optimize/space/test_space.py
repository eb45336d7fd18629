"""A space applies its parameters to the network, and says truthfully what it is."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import search_spaces
from eiann.config import NetworkConfig
from eiann.errors import ConfigError, UserError
from optimize.space import SearchSpace
from tests.optimize.space.small import SPACE, MakeSpace

SHIPPED = [entry.name for entry in search_spaces.catalogue()]


def projection(config: NetworkConfig, post: str, pre: str) -> dict[str, Any]:
    found = config.to_dict()["projection_config"]
    for key in (*post.split("."), *pre.split(".")):
        found = found[key]
    return found


# ------------------------------------------------------------------------------------------------------------- apply


def test_a_selector_sets_all_that_it_matches_and_nothing_else(make: MakeSpace) -> None:
    space = make(SPACE)
    before, after = space.network, space.apply({"rate": 0.5, "scale": 3.0})
    for post, pre in (("H1.E", "Input.E"), ("H2.E", "H1.E"), ("Output.E", "H2.E")):
        assert projection(after, post, pre)["learning_rule_kwargs"] == {"learning_rate": 0.5}
    assert projection(after, "H1.E", "Input.E")["weight_init_args"] == [3.0]
    assert projection(after, "H2.E", "H1.E")["weight_init_args"] == [1]
    assert projection(after, "H1.E", "H1.SomaI") == projection(before, "H1.E", "H1.SomaI")
    assert after.layer_config == before.layer_config
    assert after.training_kwargs == before.training_kwargs


def test_applying_changes_neither_the_network_nor_an_earlier_result(make: MakeSpace) -> None:
    space = make(SPACE)
    before = space.network.to_dict()
    first = space.apply({"rate": 0.5, "scale": 3.0})
    kept = first.to_dict()
    space.apply({"rate": 0.25, "scale": 4.0})
    assert space.network.to_dict() == before
    assert first.to_dict() == kept


def test_sizes_are_set_before_what_depends_on_them(make: MakeSpace) -> None:
    space = make(
        SPACE
        + "  norm:\n    range: [0, 9]\n"
        + "    sets: {SomaI <- SomaI: constraint.scale = value * sqrt(size(pre)) / 2}\n"
        + "  cells:\n    range: [1, 64, int]\n    sets: {hidden.SomaI: size}\n"
        + "  part:\n    range: [0, 1]\n    sets: {Output.SomaI: size = value * size(H1.E)}\n"
    )
    config = space.apply({"rate": 0.5, "scale": 3.0, "norm": 4.0, "cells": 25, "part": 0.99})
    assert config.layer_config["H1"]["SomaI"].size == config.layer_config["H2"]["SomaI"].size == 25
    assert config.layer_config["Output"]["SomaI"].size == 15
    assert projection(config, "H1.SomaI", "H1.SomaI")["weight_constraint_kwargs"]["scale"] == 4.0 * 5.0 / 2
    assert projection(config, "Output.SomaI", "Output.SomaI")["weight_constraint_kwargs"]["scale"] == (
        4.0 * math.sqrt(15) / 2
    )


def test_a_key_that_is_not_there_yet_is_added(make: MakeSpace) -> None:
    space = make(SPACE + "  share: {range: [0, 1], sets: {H1.E <- Input.E: rule.max_pop_fraction}}\n")
    config = space.apply({"rate": 0.5, "scale": 3.0, "share": 0.25})
    assert projection(config, "H1.E", "Input.E")["learning_rule_kwargs"] == {
        "learning_rate": 0.5,
        "max_pop_fraction": 0.25,
    }


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"rate": 0.5}, "space has no value for scale; give one, or fix it in the space file"),
        ({"rate": 0.5, "scale": 1.0, "sclae": 1.0}, "unknown parameter 'sclae' of space; did you mean 'scale'?"),
    ],
)
def test_missing_and_unknown_parameters_are_refused(make: MakeSpace, params: dict[str, float], message: str) -> None:
    with pytest.raises(UserError) as caught:
        make(SPACE).apply(params)
    assert message in str(caught.value)


def test_bounds_hold_only_when_asked(make: MakeSpace) -> None:
    space = make(SPACE)
    outside = {"rate": 0.5, "scale": 11.0}
    assert projection(space.apply(outside), "H1.E", "Input.E")["weight_init_args"] == [11.0]
    with pytest.raises(UserError, match=r"scale: found 11\.0; its range is \[0\.01, 10, log\]"):
        space.apply(outside, check=True)


@pytest.mark.parametrize("value", [math.nan, math.inf, "many"])
def test_a_size_that_is_no_number_is_refused(make: MakeSpace, value: float | str) -> None:
    space = make(SPACE + "  cells: {range: [1, 64, int], sets: {hidden.SomaI: size}}\n")
    with pytest.raises(ConfigError, match=r"'H1\.SomaI: size'"):
        space.apply({"rate": 0.5, "scale": 3.0, "cells": value})


# -------------------------------------------------------------------------------------- fixed, categorical, conditions


def test_a_fixed_parameter_is_set_but_not_searched(make: MakeSpace) -> None:
    space = make(SPACE.replace("    start: 0.1\n", "    fixed: 0.125\n"))
    assert [parameter.name for parameter in space.searched] == ["scale"]
    assert space.fixed == {"rate": 0.125}
    rate = projection(space.apply({"scale": 1.0}), "H1.E", "Input.E")["learning_rule_kwargs"]["learning_rate"]
    assert rate == 0.125
    other = space.apply({"scale": 1.0, "rate": 0.75})
    assert projection(other, "H1.E", "Input.E")["learning_rule_kwargs"]["learning_rate"] == 0.75


CHOICE = """\
  shape:
    choices: [relu, linear]
    sets: {hidden.E: activation}
  tau:
    range: [1, 9]
    when: {shape: relu}
    sets: {hidden.E: tau}
"""


def test_a_categorical_parameter_sets_its_choice(make: MakeSpace) -> None:
    space = make(SPACE + CHOICE)
    parameter = next(item for item in space.parameters if item.name == "shape")
    assert (parameter.kind, parameter.choices, parameter.describe()) == (
        "categorical",
        ("relu", "linear"),
        "{relu, linear}",
    )
    config = space.apply({"rate": 1, "scale": 1, "shape": "relu", "tau": 2.0})
    assert config.layer_config["H1"]["E"].activation == "relu"
    assert config.layer_config["H2"]["E"].tau == 2.0
    assert config.layer_config["Output"]["E"].tau is None


def test_a_parameter_whose_condition_does_not_hold_is_not_needed_and_sets_nothing(make: MakeSpace) -> None:
    space = make(SPACE + CHOICE)
    assert space.active({"shape": "linear"}) == ("rate", "scale", "shape")
    assert space.active({"shape": "relu"}) == ("rate", "scale", "shape", "tau")
    config = space.apply({"rate": 1, "scale": 1, "shape": "linear"})
    assert config.layer_config["H1"]["E"].tau is None
    with pytest.raises(UserError, match="no value for tau"):
        space.apply({"rate": 1, "scale": 1, "shape": "relu"})


def test_conditions_between_parameters(make: MakeSpace) -> None:
    space = make(SPACE + "require: [rate < scale]\n")
    assert space.violated({"rate": 0.5, "scale": 1.0}) == ()
    assert space.violated({"rate": 0.5, "scale": 0.1}) == ("rate < scale",)
    with pytest.raises(UserError, match="do not satisfy 'rate < scale'"):
        space.apply({"rate": 0.5, "scale": 0.1}, check=True)


def test_conditions_on_features(make: MakeSpace) -> None:
    space = make(SPACE + "reject: [dynamics_residuals > 0, loss >= 2]\n")
    assert space.features == ("accuracy", "loss", "dynamics_residuals")
    assert space.rejected({"dynamics_residuals": 0.0, "loss": 1.0}) == ()
    assert space.rejected({"dynamics_residuals": 0.1, "loss": 2.0}) == ("dynamics_residuals > 0", "loss >= 2")


# ------------------------------------------------------------------------------------------------- instances and runs


def test_seeds_are_counted_as_published() -> None:
    space = SearchSpace.load("spiral/dale_backprop")
    assert space.instances == tuple(zip(range(66049, 66054), range(257, 262), strict=True))
    assert space.with_instances(2).instances == space.instances[:2]
    assert space.with_fresh_instances(3).instances == ((66054, 262), (66055, 263), (66056, 264))


def test_seeds_may_be_listed(make: MakeSpace) -> None:
    space = make(SPACE + "instances: [[1, 2], [3, 4], [5, 6]]\n")
    assert space.instances == ((1, 2), (3, 4), (5, 6))
    assert space.with_instances(2).with_fresh_instances(1).instances == ((5, 6),)
    with pytest.raises(UserError, match="found count 4 and 3 pairs"):
        space.with_instances(4)
    with pytest.raises(UserError, match="there are no 1 fresh instances"):
        space.with_fresh_instances(1)


@pytest.mark.parametrize("count", [0, -1, 300])
def test_a_number_of_instances_that_cannot_be_is_refused(count: int) -> None:
    with pytest.raises(UserError):
        SearchSpace.load("spiral/perceptron").with_instances(count)


def test_run_settings_can_be_changed_and_are_checked() -> None:
    space = SearchSpace.load("spiral/perceptron")
    assert space.run.steps == 5600
    changed = space.with_run(steps=100, window=50)
    assert (changed.run.steps, changed.run.window) == (100, 50)
    assert changed.document.run == changed.run
    with pytest.raises(UserError, match=r"steps: found -1"):
        space.with_run(steps=-1)


# ---------------------------------------------------------------------------------------------------------- families


def test_a_space_takes_over_what_it_extends_and_changes_it_key_by_key(make: MakeSpace) -> None:
    child = (
        "extends: base\nrun: {steps: 7}\n"
        "parameters:\n  scale: {range: [1.0, 2.0]}\n  rate: null\n"
        "  tau: {range: [1, 2], sets: {H1.E: tau}}\n"
    )
    space = make(child, base="run: {steps: 9, epochs: 3}\n" + SPACE)
    assert (space.run.steps, space.run.epochs) == (7, 3)
    assert {item.name: (item.low, item.high, item.scale) for item in space.parameters} == {
        "scale": (1.0, 2.0, "linear"),
        "tau": (1.0, 2.0, "linear"),
    }


def test_later_bases_win_and_titles_and_optima_stay_behind(make: MakeSpace) -> None:
    points = "points:\n  x0: {params: {rate: 0.5, scale: 0.5}}\n  optimized: {params: {rate: 0.9, scale: 0.9}}\n"
    space = make(
        "extends: [one, two]\n",
        one="title: One\nreference: 1\n" + SPACE + points,
        two="run: {steps: 3}\ndata: mnist\n",
    )
    assert (space.data.name, space.run.steps, space.document.title) == ("mnist", 3, "")
    assert list(space.starting_points) == ["x0"]
    assert space.starting_points["x0"].params == {"rate": 0.5, "scale": 0.5}


PATTERN = """\
  <post>_<pre>_rate:
    range: [0.0, 1.0]
    start: 0.5
    sets:
      SomaI <- below.E: init[0]
  H2_inh_H1_E_rate: {range: [0.0, 2.0], start: 0.25}
names: {SomaI: inh, Output.SomaI: out}
"""


def test_a_name_pattern_makes_a_parameter_for_each_match_and_a_concrete_name_changes_one(make: MakeSpace) -> None:
    space = make(SPACE + PATTERN)
    made = {item.name: (item.high, item.start) for item in space.parameters if item.name.endswith("_rate")}
    assert made == {"H1_inh_Input_E_rate": (1.0, 0.5), "H2_inh_H1_E_rate": (2.0, 0.25), "out_H2_E_rate": (1.0, 0.5)}
    assert next(row for row in space.bindings() if row.parameter == "H2_inh_H1_E_rate").target == (
        "H2.SomaI <- H1.E: weight_init_args[0]"
    )


def test_one_name_for_several_matches_is_one_parameter(make: MakeSpace) -> None:
    space = make(SPACE + "  <layer>_tau:\n    range: [1, 2]\n    sets: {hidden.*: tau}\n")
    rows = [(row.parameter, row.target) for row in space.bindings() if "tau" in row.parameter]
    assert rows == [
        ("H1_tau", "H1.E: tau"),
        ("H1_tau", "H1.SomaI: tau"),
        ("H2_tau", "H2.E: tau"),
        ("H2_tau", "H2.SomaI: tau"),
    ]


# ------------------------------------------------------------------------------------------------------------- points


def test_points_are_completed_by_fixed_values_and_starts(make: MakeSpace) -> None:
    space = make(
        SPACE
        + "  tau: {range: [1, 9], fixed: 3.0, sets: {H1.E: tau}}\n"
        + "points:\n  best: {params: {scale: 2.0}, reported: {accuracy: 90.5}, note: from a paper}\n"
    )
    best = space.starting_points["best"]
    assert best.params == {"rate": 0.1, "scale": 2.0, "tau": 3.0}
    assert (best.reported, best.note) == ({"accuracy": 90.5}, "from a paper")
    assert "x0" not in space.starting_points


def test_starts_alone_make_x0(make: MakeSpace) -> None:
    space = make(SPACE.replace("  scale:\n", "  scale:\n    start: 2.0\n"))
    assert space.starting_points["x0"].params == {"rate": 0.1, "scale": 2.0}


# --------------------------------------------------------------------------------------------------------- plain data


@pytest.mark.parametrize("name", SHIPPED)
def test_plain_data_says_everything(name: str) -> None:
    space = SearchSpace.load(name)
    data = space.to_dict()
    again = SearchSpace.from_dict(yaml.safe_load(yaml.safe_dump(json.loads(json.dumps(data)), sort_keys=False)))
    assert again.to_dict() == data
    assert again.name == name
    assert again.parameters == space.parameters
    assert again.instances == space.instances
    assert again.run == space.run
    assert again.objectives == space.objectives
    assert again.bindings() == space.bindings()
    assert again.starting_points.keys() == space.starting_points.keys()
    for point in space.starting_points.values():
        assert again.apply(point.params).resolved() == space.apply(point.params).resolved()


@given(data=st.data())
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_point_within_the_bounds_survives_the_round_trip(data: st.DataObject) -> None:
    space = SearchSpace.load(data.draw(st.sampled_from(SHIPPED)))
    params = {
        parameter.name: data.draw(st.floats(min_value=parameter.low, max_value=parameter.high))
        for parameter in space.searched
    }
    again = SearchSpace.from_dict(space.to_dict())
    assert again.apply(params) == space.apply(params, check=True)


def test_with_everything_that_the_format_has(make: MakeSpace) -> None:
    space = make(
        SPACE
        + CHOICE
        + "require: [rate < scale]\nreject: [loss > 2]\nsampler: {name: tpe, multivariate: true}\n"
        + "objectives: {accuracy: {aggregate: worst}, loss: {direction: minimize, aggregate: median}}\n"
        + "instances: [[1, 2]]\n"
    )
    again = SearchSpace.from_dict(space.to_dict())
    assert again.to_dict() == space.to_dict()
    assert again.parameters == space.parameters
    assert again.sampler is not None
    assert again.sampler.options == {"multivariate": True}
    assert [(item.name, item.direction, item.aggregate) for item in again.objectives] == [
        ("accuracy", "maximize", "worst"),
        ("loss", "minimize", "median"),
    ]
    assert [condition.text for condition in (*again.require, *again.reject)] == ["rate < scale", "loss > 2"]
