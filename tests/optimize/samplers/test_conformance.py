"""What every sampler promises, whatever its algorithm: one suite over all of them.

Points lie in their ranges; they are a function of what the storage holds, the study's seed and the trial's number, so
that restarts anywhere change nothing; packs, failed trials and conditions are no obstacle.
"""

from __future__ import annotations

import math
from typing import Any

import pytest
from optuna.trial import FrozenTrial, TrialState

from optimize import samplers
from optimize.space import NamedWithOptions, SearchSpace
from optimize.study import Suggester
from optimize.study.mirror import Mirror
from tests.optimize.conftest import toy_document

# Options that let the part of each sampler that learns begin within few trials.
OPTIONS: dict[str, dict[str, Any]] = {
    "random": {},
    "qmc": {},
    "tpe": {"n_startup_trials": 4},
    "nsga2": {"population_size": 4},
    "nsga3": {"population_size": 4},
    "gp": {"n_startup_trials": 4},
    "cmaes": {"n_startup_trials": 6, "popsize": 4},
    "annealing": {"population_size": 4, "path_length": 2},
    "design": {"kind": "latin", "n": 64},
    "points": {},
}
PACK = 3


def mixed_space(objectives: int) -> SearchSpace:
    """A parameter of each kind, one that depends on another, and a relative bound."""
    document = toy_document(objectives=["accuracy", "loss"][:objectives], require=["narrow < 2 * scale"])
    document["parameters"] |= {
        "size": {"range": [2, 9, "int"], "unused": True},
        "wide": {"range": [1, 1000, "log", "int"], "unused": True},
        "narrow": {"range": [-1.0, 3.0], "unused": True},
        "kind": {"choices": ["first", "second"], "unused": True},
        "only": {"range": [0.0, 1.0], "unused": True, "when": {"kind": "second"}},
        "still": {"range": [0.5, 0.5], "unused": True},
    }
    return SearchSpace.from_dict(document)


def objectives_of(name: str) -> int:
    return 1 if name == "cmaes" else 2


def suggester(
    name: str, seed: int = 5, space: SearchSpace | None = None, options: dict[str, Any] | None = None
) -> Suggester:
    count = objectives_of(name)
    checked = samplers.canonical(NamedWithOptions(name=name, options=OPTIONS[name] | (options or {})), count)
    return Suggester(space or mixed_space(count), checked, seed)


def values_of(trial: FrozenTrial, count: int) -> list[float]:
    return [abs(math.log10(trial.params["rate"]) + 2), abs(trial.params["scale"] - 1) + trial.params["narrow"]][:count]


def run(
    made: Suggester, name: str, packs: int, *, restart: bool = False, options: dict[str, Any] | None = None
) -> list[dict[str, Any]]:
    """Pack after pack; every fifth trial fails. With ``restart`` a new suggester takes up every half pack."""
    history: dict[int, FrozenTrial] = {}
    attributes: dict[str, Any] = {}
    count = objectives_of(name)

    def again() -> Suggester:
        fresh = suggester(name, options=options)
        fresh.restore([history[number] for number in sorted(history)], attributes)
        return fresh

    for _ in range(packs):
        pack = []
        for _ in range(PACK):
            if restart:
                made = again()
            proposal = made.propose()
            assert proposal.unsatisfied is None
            attributes |= proposal.study_attributes
            history[proposal.trial.number] = proposal.trial
            pack.append(proposal.trial)
        for trial in reversed(pack):
            if restart:
                made = again()
            failed = trial.number % 5 == 4
            state = TrialState.FAIL if failed else TrialState.COMPLETE
            values = None if failed else values_of(trial, count)
            written = made.tell(trial.number, state, values)
            done = history[trial.number]
            done.state, done.values = state, values
            done.system_attrs = {**done.system_attrs, **written}
            done.datetime_complete = done.datetime_start
    return [history[number].params for number in sorted(history)]


def test_conditional_parameters_of_a_sequence_differ_from_trial_to_trial() -> None:
    found = [params["only"] for params in run(suggester("qmc"), "qmc", packs=8) if "only" in params]
    assert len(found) > 5
    assert len(set(found)) == len(found)


def test_the_suite_knows_every_sampler() -> None:
    assert set(OPTIONS) == set(samplers.names())


@pytest.mark.parametrize("name", OPTIONS)
def test_points_lie_in_their_ranges_and_satisfy_every_condition(name: str) -> None:
    space = mixed_space(objectives_of(name))
    # Designs have one point for a trial; where it violates a condition there is no other.
    if name == "design":
        space = SearchSpace.from_dict({**space.to_dict(), "require": []})
    for params in run(suggester(name, space=space), name, packs=8):
        assert set(params) == set(space.active(params)) - set(space.fixed)
        for parameter in space.searched:
            if parameter.name in params:
                assert parameter.contains(params[parameter.name]), (parameter.name, params)
        assert not space.violated(params)


@pytest.mark.parametrize("name", [name for name in OPTIONS if not samplers.is_sequence(name)])
def test_restarts_between_any_two_events_change_no_point(name: str) -> None:
    assert run(suggester(name), name, packs=6) == run(suggester(name), name, packs=6, restart=True)


@pytest.mark.parametrize("name", ["random", "nsga2", "nsga3", "annealing", "cmaes", "tpe"])
def test_forgetting_changes_no_point(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = []
    for every in (1, 3, 10**9):
        monkeypatch.setattr("optimize.study.suggest.TIDY_EVERY", every)
        runs += [run(suggester(name), name, packs=7, restart=restart) for restart in (False, True)]
    assert all(found == runs[0] for found in runs[1:])


@pytest.mark.parametrize("name", ["random", "qmc", "nsga2", "nsga3", "annealing", "cmaes"])
def test_a_long_study_is_not_kept_in_memory(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("optimize.study.suggest.TIDY_EVERY", 10)
    forgotten: list[int] = []
    monkeypatch.setattr(
        "optimize.study.mirror.Mirror.forget",
        lambda self, numbers, forget=Mirror.forget: (forgotten.extend(numbers), forget(self, numbers)),
    )
    space = SearchSpace.from_dict({**mixed_space(objectives_of(name)).to_dict(), "require": []})
    run(suggester(name, space=space), name, packs=40)
    assert len(forgotten) > 40 * PACK - 80
    assert len(set(forgotten)) == len(forgotten)


@pytest.mark.parametrize("option", ["with_margin", "use_separable_cma", "lr_adapt"])
def test_each_kind_of_cmaes_does_the_same_with_choices_conditions_and_restarts(option: str) -> None:
    options = {option: True}
    undisturbed, restarted = (
        run(suggester("cmaes", options=options), "cmaes", packs=7, restart=restart, options=options)
        for restart in (False, True)
    )
    assert undisturbed == restarted


@pytest.mark.parametrize("name", OPTIONS)
def test_another_seed_proposes_other_points(name: str) -> None:
    space = SearchSpace.from_dict({**mixed_space(objectives_of(name)).to_dict(), "require": []})
    first, other = (run(suggester(name, seed, space), name, packs=1) for seed in (5, 6))
    assert first[0] != other[0]


@pytest.mark.parametrize("name", [name for name in OPTIONS if name not in ("qmc", "design", "points", "random")])
def test_what_was_told_decides_what_is_proposed(name: str) -> None:
    """Otherwise the restart test would hold for samplers that look at nothing."""
    seen, blind = suggester(name), suggester(name)
    count = objectives_of(name)
    for made, sign in ((seen, 1), (blind, -1)):
        for _ in range(12):
            trial = made.propose().trial
            made.tell(trial.number, TrialState.COMPLETE, [sign * value for value in values_of(trial, count)])
    assert seen.propose().trial.params != blind.propose().trial.params


@pytest.mark.parametrize(("name", "trials"), [("annealing", 60), ("nsga2", 60), ("nsga3", 60), ("tpe", 40), ("gp", 14)])
def test_constraints_on_features_steer_the_search(name: str, trials: int) -> None:
    """Only rate > 0.1 is feasible, a quarter of the space, and the objectives alone lead to rate = 0.0001."""
    counts = {}
    for constraints in ((), ("loss <= 0",)):
        space = SearchSpace.from_dict(toy_document(constraints=list(constraints)))
        options = {**OPTIONS[name], **({"initial_step_size": 0.2} if name == "annealing" else {})}
        made = Suggester(space, NamedWithOptions(name=name, options=options), 5)
        feasible = 0
        for _ in range(trials):
            trial = made.propose().trial
            rate = float(trial.params["rate"])
            feasible += rate >= 0.1
            made.tell(trial.number, TrialState.COMPLETE, [rate, rate], [math.log10(0.1 / rate)])
        counts[constraints] = feasible
    without, within = counts.values()
    assert within > 2 * without
