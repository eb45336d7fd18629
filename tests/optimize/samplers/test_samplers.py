"""Samplers by name with their options, and the Sobol sequence that restarts do not disturb."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from eiann.errors import ConfigError
from optimize import samplers
from optimize.samplers.qmc import place
from optimize.space import NamedWithOptions

SPACE = {
    "rate": FloatDistribution(1e-4, 1.0, log=True),
    "scale": FloatDistribution(-1.0, 3.0),
    "size": IntDistribution(2, 5),
    "wide": IntDistribution(1, 1000, log=True),
    "rule": CategoricalDistribution(("a", "b", "c")),
}


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=5, max_size=5))
def test_every_point_of_the_cube_lies_in_the_space(point: list[float]) -> None:
    for name, value in place(np.array(point), SPACE).items():
        assert SPACE[name]._contains(SPACE[name].to_internal_repr(value))


def test_corners_of_the_cube_are_corners_of_the_space() -> None:
    low, high = place(np.zeros(5), SPACE), place(np.full(5, 1 - 1e-12), SPACE)
    assert low == {"rate": pytest.approx(1e-4), "scale": -1.0, "size": 2, "wide": 1, "rule": "a"}
    assert high == {"rate": pytest.approx(1.0), "scale": pytest.approx(3.0), "size": 5, "wide": 1000, "rule": "c"}


@pytest.mark.parametrize(
    ("name", "options", "objectives", "words"),
    [
        ("nsga", {}, 2, "nsga2"),
        ("tpe", {"n_startup_trial": 3}, 2, "n_startup_trials"),
        ("nsga2", {"population_size": 1}, 2, "population_size"),
        ("nsga2", {"seed": 1}, 2, "seed"),
        ("cmaes", {}, 2, "2 objectives"),
        ("random", {"n": 1}, 1, "known: none"),
        ("tpe", {"n_startup_trials": "abc"}, 2, "found 'abc'; it is a whole number"),
        ("tpe", {"n_ei_candidates": -1}, 2, "found -1; it is a whole number"),
        ("tpe", {"multivariate": "maybe"}, 2, "found 'maybe'; it is true or false"),
        ("nsga2", {"population_size": "abc"}, 2, "found 'abc'; it is a whole number"),
        ("annealing", {"step_decay": "fast"}, 2, "found 'fast'; it is a number"),
    ],
)
def test_wrong_samplers_are_refused_in_words(name: str, options: dict[str, Any], objectives: int, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        samplers.canonical(NamedWithOptions(name=name, options=options), objectives)


@pytest.mark.parametrize(
    ("alias", "name"), [("NSGA-II", "nsga2"), ("Sobol", "qmc"), ("TPE", "tpe"), ("nsgaiii", "nsga3")]
)
def test_other_spellings(alias: str, name: str) -> None:
    assert samplers.canonical(NamedWithOptions(name=alias), 1).name == name


@pytest.mark.parametrize("name", samplers.names())
def test_every_sampler_can_be_made(name: str) -> None:
    assert samplers.build(NamedWithOptions(name=name), seed=1) is not None
