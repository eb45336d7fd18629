"""A suggestion is a function of what is known, the seed and the number; given points and conditions are kept."""

from __future__ import annotations

from typing import Any

import pytest
from optuna.trial import TrialState

from eiann.errors import UserError
from optimize import samplers
from optimize.space import NamedWithOptions, SearchSpace
from optimize.study import Suggester, given_points, trial_seed
from tests.optimize.conftest import toy_document

SAMPLERS = {
    "random": {},
    "qmc": {},
    "tpe": {"n_startup_trials": 4},
    "nsga2": {"population_size": 4},
    "nsga3": {"population_size": 4},
    "gp": {"n_startup_trials": 4},
}


def suggester(space: SearchSpace, name: str = "random", seed: int = 5, **options: Any) -> Suggester:
    sampler = NamedWithOptions(name=name, options=options)
    return Suggester(space, samplers.canonical(sampler, len(space.objectives)), seed)


def run(made: Suggester, count: int) -> list[dict[str, Any]]:
    params = []
    for _ in range(count):
        trial = made.propose().trial
        made.tell(trial.number, TrialState.COMPLETE, [trial.params["rate"], abs(trial.params["scale"] - 1)])
        params.append(trial.params)
    return params


@pytest.mark.parametrize("name", SAMPLERS)
def test_points_lie_in_their_ranges_and_differ(toy: SearchSpace, name: str) -> None:
    params = run(suggester(toy, name, **SAMPLERS[name]), 14)
    for point in params:
        assert 1e-4 <= point["rate"] <= 1
        assert 0.01 <= point["scale"] <= 10
    assert len({point["rate"] for point in params}) > 8


@pytest.mark.parametrize("name", SAMPLERS)
def test_same_seed_same_points_other_seed_others(toy: SearchSpace, name: str) -> None:
    options = SAMPLERS[name]
    first, again, other = (run(suggester(toy, name, seed, **options), 7) for seed in (5, 5, 6))
    assert first == again
    assert first[0] != other[0]


def test_single_objective_cmaes(toy: SearchSpace) -> None:
    space = SearchSpace.from_dict(toy_document(objectives=["loss"]))
    made = suggester(space, "cmaes", n_startup_trials=2)
    for _ in range(12):
        trial = made.propose().trial
        made.tell(trial.number, TrialState.COMPLETE, [trial.params["rate"]])
    assert trial.number == 11


def test_running_trials_do_not_keep_a_pack_from_being_proposed(toy: SearchSpace) -> None:
    made = suggester(toy, "tpe", n_startup_trials=2)
    run(made, 4)
    pack = [made.propose().trial for _ in range(4)]
    assert [trial.number for trial in pack] == [4, 5, 6, 7]
    assert len({trial.params["rate"] for trial in pack}) == 4


def test_failed_trials_are_no_obstacle(toy: SearchSpace) -> None:
    made = suggester(toy, "nsga2", population_size=2)
    for _ in range(6):
        made.tell(made.propose().trial.number, TrialState.FAIL, None)
    assert len(run(made, 4)) == 4


def test_given_points_come_first_and_exactly(toy: SearchSpace) -> None:
    points = given_points(toy, [{"rate": 0.1 + 0.2, "scale": 10.0}, {"rate": 1e-4, "scale": 0.01}])
    made = Suggester(toy, NamedWithOptions(name="random"), 5, points)
    proposed = [made.propose().trial.params for _ in range(3)]
    assert proposed[:2] == list(points)
    assert proposed[2] == run(suggester(toy), 3)[2]


@pytest.mark.parametrize("name", ["nsga2", "nsga3"])
def test_given_points_have_descendants(toy: SearchSpace, name: str) -> None:
    point = given_points(toy, [{"rate": 0.123, "scale": 4.56}])
    made = Suggester(toy, NamedWithOptions(name=name, options={"population_size": 4}), 5, point)
    heirs = 0
    for number in range(24):
        trial = made.propose().trial
        heirs += number > 0 and (trial.params["rate"] == 0.123 or trial.params["scale"] == 4.56)
        # Nothing is as good as the given point.
        made.tell(number, TrialState.COMPLETE, [float(number > 0) + trial.params["rate"]] * 2)
    assert heirs >= 3


@pytest.mark.parametrize("name", ["tpe", "gp"])
def test_a_given_point_that_runs_is_where_it_is(toy: SearchSpace, name: str) -> None:
    """What a sampler notes about a running trial of its own would say that it is elsewhere."""
    points = given_points(toy, [{"rate": 0.1 * n, "scale": 1.0} for n in range(1, 8)])
    made = Suggester(toy, samplers.canonical(NamedWithOptions(name=name, options=SAMPLERS[name]), 2), 5, points)
    for number in range(6):
        made.propose()
        made.tell(number, TrialState.COMPLETE, [float(number), 1.0])
    assert not made.propose().trial.system_attrs


def test_cmaes_takes_a_point_with_choices_and_whole_numbers() -> None:
    document = toy_document(objectives=["loss"])
    document["parameters"]["kind"] = {"choices": ["wide", "narrow"], "unused": True}
    document["parameters"]["size"] = {"range": [2, 9, "int"], "unused": True}
    space = SearchSpace.from_dict(document)
    points = given_points(space, [{"rate": 0.09, "scale": 9.0, "kind": "narrow", "size": n} for n in (3, 4, 5)])
    made = Suggester(space, NamedWithOptions(name="cmaes", options={"popsize": 4}), 5, points)
    for number in range(20):
        trial = made.propose().trial
        made.tell(trial.number, TrialState.COMPLETE, [float(number)])
        assert number != 1 or trial.params["size"] == 4


def test_cmaes_begins_around_the_first_given_point() -> None:
    space = SearchSpace.from_dict(toy_document(objectives=["loss"]))
    point = {"rate": 0.09, "scale": 9.0}
    near = {}
    for points in ((), given_points(space, [point])):
        made = Suggester(space, NamedWithOptions(name="cmaes"), 5, points)
        distances = []
        for number in range(6):
            trial = made.propose().trial
            distances.append(abs(trial.params["scale"] - point["scale"]))
            made.tell(number, TrialState.COMPLETE, [1.0])
        near[bool(points)] = sum(distances[1:])
    assert near[True] < near[False] / 2


@pytest.mark.parametrize(
    ("point", "words"),
    [
        ({"rate": 2.0, "scale": 1.0}, "rate"),
        ({"rate": 0.1}, "scale"),
        ({"rate": 0.1, "scale": 1.0, "rat": 3}, "rat"),
    ],
)
def test_points_outside_of_the_space_are_refused(toy: SearchSpace, point: dict[str, float], words: str) -> None:
    with pytest.raises(UserError, match=words):
        given_points(toy, [point])


def test_conditions_between_parameters_hold() -> None:
    space = SearchSpace.from_dict(toy_document(require=["rate < 0.01 * scale"]))
    for point in run(suggester(space), 30):
        assert point["rate"] < 0.01 * point["scale"]


def test_a_condition_that_nothing_satisfies_is_said() -> None:
    space = SearchSpace.from_dict(toy_document(require=["rate > 2"]))
    proposal = suggester(space).propose()
    assert proposal.unsatisfied == "rate > 2"
    assert suggester(SearchSpace.from_dict(toy_document())).propose().unsatisfied is None


@pytest.mark.parametrize("name", ["random", "tpe", "nsga2"])
def test_parameters_that_do_not_exist_are_not_proposed(name: str) -> None:
    parameters = toy_document()["parameters"]
    parameters["kind"] = {"choices": ["wide", "narrow"], "unused": True}
    parameters["scale"]["when"] = {"kind": "wide"}
    parameters["scale"].pop("start")
    space = SearchSpace.from_dict(toy_document(parameters=parameters))
    made = suggester(space, name, **SAMPLERS[name])
    kinds = set()
    for _ in range(20):
        trial = made.propose().trial
        kinds.add(trial.params["kind"])
        assert ("scale" in trial.params) == (trial.params["kind"] == "wide")
        made.tell(trial.number, TrialState.COMPLETE, [trial.params["rate"], 1.0])
    assert kinds == {"wide", "narrow"}


def test_seeds_of_trials_differ() -> None:
    assert len({trial_seed(s, n) for s in range(20) for n in range(50)}) == 1000
