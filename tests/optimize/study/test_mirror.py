"""The mirror is a storage as far as samplers use one, and forgets only what ended."""

from __future__ import annotations

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.study import StudyDirection
from optuna.trial import TrialState

from optimize.study.mirror import Mirror, mirrored, running_trial

BOTH = [StudyDirection.MINIMIZE, StudyDirection.MINIMIZE]


def objective(trial: optuna.Trial) -> tuple[float, float]:
    x, y = (trial.suggest_float(name, 0.0, 1.0) for name in "xy")
    return x, (1 - x) ** 2 + y


@pytest.mark.parametrize(
    "sampler",
    [
        lambda: optuna.samplers.RandomSampler(seed=1),
        lambda: optuna.samplers.NSGAIISampler(population_size=5, seed=1),
        lambda: optuna.samplers.TPESampler(n_startup_trials=5, seed=1),
    ],
)
def test_samplers_propose_what_they_propose_on_optunas_own_storage(sampler: type) -> None:
    found = []
    for storage in (optuna.storages.InMemoryStorage(), Mirror(BOTH)):
        if isinstance(storage, Mirror):
            study = optuna.load_study(study_name="mirror", storage=storage, sampler=sampler())
        else:
            study = optuna.create_study(directions=BOTH, storage=storage, sampler=sampler())
        study.optimize(objective, n_trials=30)
        found.append([(trial.number, trial.params, trial.values) for trial in study.trials])
    assert found[0] == found[1]
    assert len(found[0]) == 30


def test_what_was_handed_out_does_not_change_when_its_trial_ends() -> None:
    mirror = Mirror(BOTH)
    number = mirror.create_new_trial(0)
    before = mirror.get_all_trials(0, deepcopy=False)
    mirror.set_trial_state_values(number, TrialState.COMPLETE, [1.0, 2.0])
    assert before[0].state is TrialState.RUNNING
    assert mirror.get_trial(number).values == [1.0, 2.0]


def test_numbers_are_not_given_twice() -> None:
    mirror = Mirror(BOTH)
    first = mirror.create_new_trial(0)
    mirror.set_trial_state_values(first, TrialState.FAIL)
    mirror.forget([first])
    assert mirror.create_new_trial(0) == first + 1
    with pytest.raises(KeyError, match="forgotten"):
        mirror.get_trial_id_from_study_id_trial_number(0, first)


def test_a_running_trial_is_not_forgotten() -> None:
    mirror = Mirror(BOTH)
    number = mirror.create_new_trial(0)
    with pytest.raises(ValueError, match="has not ended"):
        mirror.forget([number])
    assert mirror.get_trial(number).state is TrialState.RUNNING


def test_results_stay_behind() -> None:
    trial = running_trial(3)
    trial.params, trial.user_attrs = {"x": 0.5}, {"result": "long"}
    ranges = {"x": FloatDistribution(0.0, 1.0)}
    slim = mirrored(trial, ranges)
    assert (slim.number, slim.params, slim.user_attrs) == (3, {"x": 0.5}, {})
    assert slim.distributions is ranges
