"""Population annealing: who survives, how far steps go, and that it finds what it searches."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from eiann.errors import ConfigError
from optimize import samplers
from optimize.samplers.annealing import PopulationAnnealingSampler, relative_energy, survivors
from optimize.samplers.scales import from_unit, near, to_unit
from optimize.space import NamedWithOptions, SearchSpace
from optimize.study import Suggester
from tests.optimize.conftest import toy_document

RANGES = [
    FloatDistribution(1e-4, 1.0, log=True),
    FloatDistribution(-1.0, 3.0),
    FloatDistribution(0.01, 10.0),
    FloatDistribution(-0.01, 10.0),
    FloatDistribution(0.0, 5.0),
    IntDistribution(2, 500),
    IntDistribution(1, 1000, log=True),
]


@pytest.mark.parametrize("distribution", RANGES, ids=str)
@given(place=st.floats(0, 1), size=st.floats(0.01, 1), wrap=st.booleans())
def test_a_step_stays_in_its_range_and_goes_no_farther_than_its_size(
    distribution: FloatDistribution | IntDistribution, place: float, size: float, wrap: bool
) -> None:
    start = from_unit(place, distribution)
    reached = near(start, distribution, size, np.random.default_rng(1), wrap=wrap)
    assert distribution.low <= reached <= distribution.high
    if not wrap and isinstance(distribution, FloatDistribution):
        assert abs(to_unit(reached, distribution) - to_unit(start, distribution)) <= size / 2 + 1e-9


@pytest.mark.parametrize("distribution", RANGES, ids=str)
def test_places_and_values_belong_together(distribution: FloatDistribution | IntDistribution) -> None:
    for place in np.linspace(0.01, 0.99, 9):
        value = from_unit(place, distribution)
        assert from_unit(to_unit(value, distribution), distribution) == pytest.approx(value, rel=1e-9, abs=1e-12)


def test_wide_linear_ranges_are_stepped_through_in_orders_of_magnitude() -> None:
    wide = FloatDistribution(0.001, 1000.0)
    assert from_unit(0.5, wide) == pytest.approx(1.0, rel=0.5)
    assert from_unit(0.5, wide, log_steps=False) == pytest.approx(500.0, rel=0.01)


def test_choices_change_as_often_as_the_step_is_large() -> None:
    kinds, rng = CategoricalDistribution(("a", "b", "c", "d")), np.random.default_rng(1)
    changed = sum(near("a", kinds, 0.4, rng) != "a" for _ in range(4000))
    assert changed / 4000 == pytest.approx(0.4 * 3 / 4, abs=0.03)


def test_steps_shorten_from_iteration_to_iteration() -> None:
    sampler = PopulationAnnealingSampler(population_size=5, path_length=3, initial_step_size=0.4, step_decay=0.5)
    assert [sampler.step_size(number) for number in (0, 14, 15, 29, 30)] == [0.4, 0.4, 0.2, 0.2, 0.1]


def test_survivors_come_front_by_front_and_from_none_beyond_the_last() -> None:
    ranks = np.repeat([0, 1, 2], [2, 4, 4])
    costs = np.array([[r + i * 0.01, r + (9 - i) * 0.01] for i, r in enumerate(ranks)], dtype=float)
    assert sorted(survivors(costs, 5, max_fitness=2)[:2]) == [0, 1]
    assert {ranks[i] for i in survivors(costs, 5, max_fitness=2)} == {0, 1}
    assert len(survivors(costs, 9, max_fitness=1)) == 6
    assert {ranks[i] for i in survivors(costs, 5, max_fitness=0)} == {0}


def test_energy_counts_orders_of_magnitude_where_an_objective_spans_them() -> None:
    costs = np.array([[1e-4, 0.0], [1e-2, 0.0], [1.0, 0.0]])
    assert relative_energy(costs).tolist() == pytest.approx([0.0, 0.5, 1.0])


def test_walkers_start_an_iteration_from_survivors_and_specialists() -> None:
    space = SearchSpace.from_dict(toy_document())
    options = {"population_size": 6, "path_length": 2, "survival_rate": 0.2, "initial_step_size": 1e-9}
    made = Suggester(space, NamedWithOptions(name="annealing", options=options), 3)
    told = {}
    for _ in range(18):
        trial = made.propose().trial
        told[trial.number] = trial.params
        made.tell(trial.number, TrialState.COMPLETE, [trial.params["rate"], -trial.params["scale"]])
    lowest = min(told[number]["rate"] for number in range(12))
    highest = max(told[number]["scale"] for number in range(12))
    started = [told[number] for number in range(12, 18)]
    assert min(point["rate"] for point in started) == pytest.approx(lowest, rel=1e-6)
    assert max(point["scale"] for point in started) == pytest.approx(highest, rel=1e-6)
    # Within an iteration a walker goes on from where it was, whatever came of it.
    assert told[6]["rate"] == pytest.approx(told[0]["rate"], rel=1e-6)


def test_a_walker_whose_trial_failed_starts_again() -> None:
    space = SearchSpace.from_dict(toy_document())
    options = {"population_size": 4, "path_length": 2, "initial_step_size": 1e-9}
    made = Suggester(space, NamedWithOptions(name="annealing", options=options), 3)
    params = []
    for _ in range(8):
        trial = made.propose().trial
        params.append(trial.params["rate"])
        state = TrialState.FAIL if trial.number == 1 else TrialState.COMPLETE
        made.tell(trial.number, state, None if trial.number == 1 else [1.0, 1.0])
    assert params[4] == pytest.approx(params[0], rel=1e-6)
    assert params[5] != pytest.approx(params[1], rel=1e-3)


def test_it_finds_a_minimum() -> None:
    space = SearchSpace.from_dict(toy_document(objectives=["loss"]))
    made = Suggester(space, NamedWithOptions(name="annealing", options={"population_size": 10, "step_decay": 0.7}), 3)
    best = []
    for _ in range(300):
        trial = made.propose().trial
        distance = (np.log10(trial.params["rate"]) + 2) ** 2 + (trial.params["scale"] - 3) ** 2
        made.tell(trial.number, TrialState.COMPLETE, [float(distance)])
        best.append(distance)
    assert min(best) < 0.01
    assert np.mean(best[-30:]) < 0.1 * np.mean(best[:30])


@pytest.mark.parametrize(
    "options", [{"path_length": 0}, {"step_decay": 0}, {"survival_rate": 2}, {"population_size": -1}, {"steps": 3}]
)
def test_wrong_options(options: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        samplers.canonical(NamedWithOptions(name="annealing", options=options), 2)
