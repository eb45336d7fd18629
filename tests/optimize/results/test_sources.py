"""The fast ways to a study's trials say what Optuna's own objects say, and see every change."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import optuna
import pandas as pd
import pytest
from optuna.storages import JournalStorage
from optuna.trial import TrialState

from optimize.results import sources, tables
from optimize.results.rows import TrialRow, trial_rows
from optimize.space import SearchSpace
from optimize.study import Study, Suggester
from optimize.study.journal import JournalTrialStorage
from optimize.study.ledger import ASKED_AFTER, ATTEMPT, RESULT
from optimize.study.storage import Ending
from optimize.tune.inline import run_inline
from tests.optimize.conftest import MakeStudy, toy_document
from tests.optimize.postgres import PostgresServer


@pytest.fixture(params=["sqlite", "postgresql", "journal"])
def storage_url(request: pytest.FixtureRequest, tmp_path: Path) -> str | None:
    match request.param:
        case "sqlite":
            return None
        case "journal":
            return f"journal:{tmp_path}/study.log"
        case _:
            server: PostgresServer = request.getfixturevalue("postgres")
            return server.create(f"d{uuid4().hex}")


def many_kinds() -> SearchSpace:
    parameters = toy_document()["parameters"]
    parameters["units"] = {"range": [2, 9, "int"], "unused": True}
    parameters["kind"] = {"choices": ["wide", "narrow", True, 3], "unused": True}
    parameters["depth"] = {"range": [1, 3, "int"], "when": {"kind": "wide"}, "unused": True}
    return SearchSpace.from_dict(toy_document(parameters=parameters))


def outcome(accuracy: float | None, failure: str | None = None) -> dict[str, Any]:
    seeds = {"network_seed": 66049, "data_seed": 257}
    return (
        {**seeds, "failure": failure} if failure else {**seeds, "features": {"accuracy": accuracy, "loss": 0.1 + 0.2}}
    )


def mixed(study: Study) -> Study:
    """Trials of every state, in an order that is not that of their ends, and results of every kind."""
    run_inline(study, packs=2)
    suggester = Suggester(study.spec.search_space, study.spec.sampler, 9)
    templates = [suggester.propose().trial for _ in range(8)]
    for number, trial in enumerate(templates, start=8):
        trial.number = number
        trial.user_attrs = {ATTEMPT: 1 + number % 2, ASKED_AFTER: 8}
        if number in (14, 15):
            trial.state, trial.user_attrs = TrialState.WAITING, {}
    ids = study.storage.create(templates, {"parents": [1]})
    stopped = {"instances": [outcome(1e-300)], "features": {"accuracy": 5}, "stopped": "no good", "pack": 4}
    failed = {
        "attempt": 3,
        "instances": [outcome(None, "nan"), outcome(float("inf"))],
        "failure": "é",
        "executor": "\ud83d",
    }
    study.storage.end([Ending(ids[3], TrialState.PRUNED, None, {RESULT: stopped})])
    study.storage.end([Ending(ids[1], TrialState.FAIL, None, {RESULT: failed}), Ending(ids[2], TrialState.FAIL)])
    study.storage.end([Ending(ids[3], TrialState.FAIL, None, {RESULT: {"failure": "late"}})])
    complete = {"objectives": [1, float("nan")], "instances": [outcome(9.0)], "device": "cpu", "seconds": 1}
    study.storage.end([Ending(ids[0], TrialState.COMPLETE, (1.0, 2.0), {RESULT: complete})])
    # What a torn transaction of a journal leaves: a result, and no end.
    study.storage.set_trial_attribute(ids[4], RESULT, complete)
    study.storage.set_trial_attribute(ids[5], ATTEMPT, 7)
    return study


def plain(rows: list[TrialRow]) -> list[str]:
    """Rows as text, in which NaN is NaN; parameters come in any order."""
    return [repr(replace(row, params=dict(sorted(row.params.items())))) for row in rows]


@contextmanager
def by_optuna(storage: Any, _spec: object) -> Iterator[sources.Source]:
    yield sources.OptunaSource(storage.trials())


def test_the_tables_are_those_of_optunas_own_objects(
    make_study: MakeStudy, monkeypatch: pytest.MonkeyPatch, storage_url: str | None
) -> None:
    path = mixed(make_study(many_kinds(), storage=storage_url)).folder.path
    fast, slow = Study.open(path), Study.open(path)
    trials, instances, rows = fast.trials(), fast.instances(), trial_rows(fast.storage, fast.spec)
    with sources.source_of(fast.storage, fast.spec) as source:
        assert not isinstance(source, sources.OptunaSource)
    fast.close()
    assert trials["state"].tolist()[8:] == ["COMPLETE", "FAIL", "FAIL", "PRUNED", *["RUNNING"] * 2, *["WAITING"] * 2]
    assert trials["attempt"].tolist()[8:] == [1, 3, 1, 2, 1, 7, 1, 1]
    assert trials["failure"].tolist()[9] == "é"
    assert trials["instances_ok"].tolist()[8:12] == [1, 1, 0, 1]
    assert instances["number"].tolist()[-4:] == [8, 9, 9, 11]
    monkeypatch.setattr(tables, "source_of", by_optuna)
    monkeypatch.setattr("optimize.results.rows.source_of", by_optuna)
    pd.testing.assert_frame_equal(trials, slow.trials(), check_exact=True)
    pd.testing.assert_frame_equal(instances, slow.instances(), check_exact=True)
    assert plain(rows) == plain(trial_rows(slow.storage, slow.spec))
    slow.close()


def test_a_table_sees_what_changed_since_the_other_one(make_study: MakeStudy, storage_url: str | None) -> None:
    study = make_study(storage=storage_url)
    looking = Study.open(study.folder.path)
    run_inline(study, packs=1)
    assert (len(looking.trials()), len(looking.instances())) == (4, 8)
    run_inline(study, packs=1)
    assert (len(looking.instances()), len(looking.trials())) == (16, 8)
    with study.driven() as (ledger, _):
        (job,) = ledger.propose(1)
        assert len(looking.instances()) == 16
        assert looking.trials()["state"].tolist()[8:] == ["RUNNING"]
        ledger.record([ledger.failed(job, "lost")])
    assert looking.trials()["failure"].tolist()[8:] == ["lost"]
    looking.close()


def test_results_are_read_once_for_both_tables(make_study: MakeStudy, monkeypatch: pytest.MonkeyPatch) -> None:
    study = make_study()
    run_inline(study, packs=1)
    asked: list[sources.Source] = []
    results = sources.DatabaseSource.results

    def counted(self: sources.DatabaseSource) -> Any:
        asked.append(self)
        return results(self)

    monkeypatch.setattr(sources.DatabaseSource, "results", counted)
    for _ in range(2):
        given = study.instances()
        given["failure"] = "spoilt by its owner"
        trials = study.trials()
        trials["objectives.loss"] = 0.0
    assert len(asked) == 1
    assert study.instances()["failure"].isna().sum() == 7
    assert (study.trials()["objectives.loss"] != 0).all()


def test_a_journal_is_looked_at_without_optuna(
    make_study: MakeStudy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    study = make_study(storage=f"journal:{tmp_path}/study.log")
    run_inline(study, packs=1)
    study.close()
    monkeypatch.setattr(JournalStorage, "_sync_with_backend", lambda _: pytest.fail("Optuna replayed the journal"))
    assert (len(study.trials()), len(study.instances()), study.budget) == (4, 8, 12)


@pytest.mark.parametrize("tail", [b"{", b'{"op_code":2,"worker_id":"x"', b'{"op_code":2}'])
def test_half_a_line_at_the_end_of_a_journal_is_none(make_study: MakeStudy, tmp_path: Path, tail: bytes) -> None:
    log = tmp_path / "study.log"
    study = make_study(storage=f"journal:{log}")
    run_inline(study, packs=1)
    with log.open("ab") as file:
        file.write(tail)
    assert len(study.trials()) == 4
    run_inline(study, packs=1)
    assert len(study.trials()) == 8


@pytest.mark.parametrize(
    "line",
    [
        {"op_code": 10, "trial_ids": []},
        {"op_code": 2, "study_id": 0, "user_attr": {"x": 1}, "version": 2},
        {"op_code": 5, "trial_id": 99, "param_name": "x", "param_value_internal": 1.0, "distribution": "{}"},
    ],
    ids=["an operation", "a field", "a parameter by itself"],
)
def test_what_is_unknown_in_a_journal_is_left_to_optuna(
    make_study: MakeStudy, tmp_path: Path, line: dict[str, Any]
) -> None:
    log = tmp_path / "study.log"
    study = make_study(storage=f"journal:{log}")
    run_inline(study, packs=1)
    known = study.trials(), study.instances()
    study.close()
    with log.open("a") as file:
        file.write(json.dumps({"worker_id": "w", **line}) + "\n")
    assert isinstance(study.storage, JournalTrialStorage)
    assert study.storage.reading() is None
    for found, was in zip((study.trials(), study.instances()), known, strict=True):
        pd.testing.assert_frame_equal(found, was)


def test_studies_of_one_journal_are_kept_apart(make_study: MakeStudy, tmp_path: Path) -> None:
    url = f"journal:{tmp_path}/study.log"
    deleted = make_study(name="deleted", storage=url)
    run_inline(deleted, packs=1)
    deleted.storage.delete_study()
    first, second = make_study(name="first", storage=url), make_study(name="second", storage=url, seed=4)
    for study in (first, second, first):
        run_inline(study, packs=1)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    for study, trials in ((first, 8), (second, 4)):
        opened = Study.open(study.folder.path)
        assert opened.trials()["number"].tolist() == list(range(trials))
        assert opened.trials()["params.rate"].tolist() == [trial.params["rate"] for trial in opened.storage.trials()]
        opened.close()
