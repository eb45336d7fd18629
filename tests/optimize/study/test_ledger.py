"""Every trial exactly once: what an earlier driver left is settled, and results count by rule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from optimize.space import NamedWithOptions, SearchSpace
from optimize.study import Ledger, Study, TrialJob, TrialResult
from optimize.study.ledger import TORN
from optimize.tune.inline import run_inline
from optimize.tune.pack import Pack, compute
from optimize.tune.stub import StubTrainer
from tests.optimize.conftest import MakeStudy, toy_document

COLUMNS = ["number", "state", "objectives.accuracy", "objectives.loss", "params.rate", "params.scale", "failure"]


def ledger(study: Study) -> Ledger:
    """A ledger without lease, as a driver that was killed leaves no trace in memory."""
    return Ledger(study.spec, study.storage, study.spool)


def results(study: Study, jobs: list[TrialJob], pack: int = 0) -> list[TrialResult]:
    return compute(study.spec, StubTrainer(study.spec), Pack(pack, tuple(jobs)))


def states(study: Study) -> dict[str, int]:
    return study.trials()["state"].value_counts().to_dict()


def test_proposed_trials_are_running_in_the_storage_with_their_parameters(make_study: MakeStudy) -> None:
    study = make_study()
    jobs = ledger(study).propose(3)
    trials = study.storage.trials()
    assert [trial.state for trial in trials] == [TrialState.RUNNING] * 3
    assert [trial.params for trial in trials] == [job.params for job in jobs]
    assert jobs[0].seeds == study.spec.search_space.instances


def test_a_driver_that_vanished_is_followed_by_one_with_the_same_trials(make_study: MakeStudy) -> None:
    study = make_study()
    left = ledger(study).propose(3)
    adopted = ledger(study).adopted
    assert [(job.number, job.params, job.seeds) for job in adopted] == [(j.number, j.params, j.seeds) for j in left]
    assert [job.attempt for job in adopted] == [2, 2, 2]
    later = ledger(study)
    assert [job.attempt for job in later.adopted] == [3, 3, 3]
    assert [(before.deaths, job.deaths) for before, job in zip(adopted, later.adopted, strict=True)] == [(1, 2)] * 3


def test_a_driver_that_stops_as_it_should_is_held_against_no_trial(make_study: MakeStudy) -> None:
    study = make_study()
    first = ledger(study)
    first.release(first.propose(2))
    second = ledger(study)
    assert [(job.attempt, job.deaths) for job in second.adopted] == [(2, 0), (2, 0)]
    second.release(second.adopted[:1])
    assert [(job.attempt, job.deaths) for job in ledger(study).adopted] == [(3, 0), (3, 1)]


def test_results_on_disk_are_told_and_not_computed_again(make_study: MakeStudy) -> None:
    study = make_study()
    jobs = ledger(study).propose(4)
    study.spool.write(results(study, jobs[:3], pack=7))
    after = ledger(study)
    assert [job.number for job in after.adopted] == [3]
    assert after.ended == 3
    assert after.next_pack == 8
    assert (study.trials()["state"] != "RUNNING").tolist() == [True, True, True, False]


def test_a_result_is_recorded_once(make_study: MakeStudy) -> None:
    study = make_study()
    open_ledger = ledger(study)
    computed = results(study, open_ledger.propose(2))
    assert open_ledger.record(computed) == computed
    before = study.trials()
    assert open_ledger.record(computed) == []
    assert open_ledger.ended == 2
    assert study.trials().equals(before)


def test_a_late_result_of_an_abandoned_attempt_is_refused(make_study: MakeStudy) -> None:
    study = make_study()
    late = results(study, ledger(study).propose(1))
    after = ledger(study)
    again = results(study, after.adopted)
    after.record(again)
    assert "recorded before" in str(after.refusal(late[0]))
    assert after.record(late) == []
    assert study.trials()["attempt"].tolist() == [2]


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"study_id": "other"}, "another study"), ({"params": {"rate": 0.5, "scale": 1.0}}, "parameters")],
)
def test_a_result_of_something_else_is_refused(make_study: MakeStudy, changes: dict[str, Any], words: str) -> None:
    study = make_study()
    open_ledger = ledger(study)
    (computed,) = results(study, open_ledger.propose(1))
    foreign = computed.model_copy(update=changes)
    assert words in str(open_ledger.refusal(foreign))
    assert open_ledger.record([foreign]) == []
    assert not list(study.folder.results.iterdir())


def test_a_spooled_result_with_other_parameters_is_not_believed(make_study: MakeStudy) -> None:
    study = make_study()
    (computed,) = results(study, ledger(study).propose(1))
    study.spool.write([computed.model_copy(update={"params": {"rate": 0.5, "scale": 1.0}})])
    assert [job.number for job in ledger(study).adopted] == [0]


def test_a_torn_proposal_is_closed(make_study: MakeStudy) -> None:
    study = make_study()
    opened = optuna.load_study(study_name="toy", storage=study.folder.url(None))
    opened.ask().suggest_float("rate", 1e-4, 1.0, log=True)
    after = ledger(study)
    assert after.adopted == []
    assert study.trials().loc[0, ["state", "failure"]].tolist() == ["FAIL", TORN]
    assert after.propose(1)[0].number == 1


def test_a_trial_without_any_satisfying_point_fails_with_the_reason(make_study: MakeStudy) -> None:
    study = make_study(SearchSpace.from_dict(toy_document(require=["rate > 2"])))
    assert ledger(study).propose(2) == []
    assert states(study) == {"FAIL": 2}
    assert "rate > 2" in study.trials()["failure"][0]


def test_the_result_is_durable_before_it_is_told(make_study: MakeStudy, monkeypatch: pytest.MonkeyPatch) -> None:
    study = make_study()
    open_ledger = ledger(study)
    computed = results(study, open_ledger.propose(1))

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(type(study.storage), "end", crash)
    with pytest.raises(KeyboardInterrupt):
        open_ledger.record(computed)
    monkeypatch.undo()
    assert study.spool.read(0) == computed[0]
    assert ledger(study).ended == 1


@pytest.mark.parametrize(
    "sampler",
    [
        {"name": "random"},
        {"name": "qmc"},
        {"name": "tpe", "n_startup_trials": 3},
        {"name": "nsga2", "population_size": 4},
        {"name": "nsga3", "population_size": 4},
        {"name": "gp", "n_startup_trials": 4},
    ],
    ids=lambda sampler: str(sampler["name"]),
)
def test_a_study_stopped_after_every_pack_equals_one_that_was_not(
    make_study: MakeStudy, sampler: dict[str, Any]
) -> None:
    chosen = NamedWithOptions.model_validate(sampler)
    whole = make_study(name="whole", sampler=chosen, trials=18, pack=3)
    stopped = make_study(name="stopped", sampler=chosen, trials=18, pack=3)
    run_inline(whole)
    for _ in range(6):
        run_inline(stopped, packs=1)
        stopped.close()
    assert whole.trials()[COLUMNS].equals(stopped.trials()[COLUMNS])


def test_the_same_in_a_journal_file(make_study: MakeStudy, tmp_path: Path) -> None:
    sampler = NamedWithOptions(name="nsga2", options={"population_size": 4})
    whole = make_study(name="whole", sampler=sampler, trials=12, pack=3)
    journal = make_study(name="journal", sampler=sampler, trials=12, pack=3, storage=f"journal:{tmp_path}/x.log")
    run_inline(whole)
    for _ in range(4):
        run_inline(journal, packs=1)
        journal.close()
    assert whole.trials()[COLUMNS].equals(journal.trials()[COLUMNS])
    assert whole.instances().equals(journal.instances())


def test_only_trials_within_the_constraints_are_the_best(make_study: MakeStudy) -> None:
    space = SearchSpace.from_dict(toy_document(constraints=["loss >= 0.03"]))
    study = make_study(space, trials=16)
    with study.driven() as (open_ledger, _):
        open_ledger.record(results(study, open_ledger.propose(16)))
        best = open_ledger.best
    expected = study.feasible()["objectives.loss"]
    assert 0 < len(expected) < (study.trials()["state"] == "COMPLETE").sum()
    assert best[1][0] == expected.min() >= 0.03
    with study.driven() as (later, _):
        assert later.best == best
