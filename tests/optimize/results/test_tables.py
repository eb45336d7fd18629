"""Tables have the promised columns, whatever happened to the trials, and can be written and read."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from eiann.errors import UserError
from optimize.results import write_table
from optimize.results.best import export_trial
from optimize.space import SearchSpace
from optimize.tune.inline import run_inline
from tests.optimize.conftest import MakeStudy, toy_document

AFTER = [
    "instances_ok", "instances_failed", "attempt", "seconds", "pack", "device", "started", "finished", "failure",
]  # fmt: skip
TRIALS = [
    "number", "state", "objectives.accuracy", "objectives.loss", "features.accuracy", "features.loss", "params.rate",
    "params.scale", *AFTER,
]  # fmt: skip
INSTANCES = ["number", "instance", "network_seed", "data_seed", "features.accuracy", "features.loss", "failure"]


def mixed(make_study: MakeStudy, **kwargs: object):  # type: ignore[no-untyped-def]
    """A study with complete, failed and running trials."""
    study = make_study(trials=12, pack=4, **kwargs)
    run_inline(study, packs=2)
    with study.driven() as (ledger, _):
        ledger.propose(2)
    return study


@pytest.mark.parametrize("storage", ["sqlite", "journal"])
def test_columns_and_rows(make_study: MakeStudy, tmp_path: Path, storage: str) -> None:
    study = mixed(make_study, storage=f"journal:{tmp_path}/x.log" if storage == "journal" else None)
    trials, instances = study.trials(), study.instances()
    assert list(trials.columns) == TRIALS
    assert list(instances.columns) == INSTANCES
    assert trials["number"].tolist() == list(range(10))
    assert trials["state"].tolist()[8:] == ["RUNNING", "RUNNING"]
    assert set(trials["state"]) == {"COMPLETE", "FAIL", "RUNNING"}
    assert len(instances) == 8 * 2
    complete = trials[trials["state"] == "COMPLETE"]
    assert complete["failure"].isna().all()
    assert (complete["objectives.accuracy"] == 100 - complete["features.accuracy"]).all()
    assert (complete["finished"] >= complete["started"]).all()
    assert str(trials["started"].dt.tz) == "UTC"
    failed = trials[trials["state"] == "FAIL"]
    assert failed["objectives.accuracy"].isna().all()
    assert failed["failure"].str.contains("not finite").all()
    assert (failed["instances_failed"] == 1).all()


def test_features_are_means_of_instances(make_study: MakeStudy) -> None:
    study = mixed(make_study)
    means = study.instances().groupby("number")["features.accuracy"].mean()
    trials = study.trials().set_index("number")["features.accuracy"].dropna()
    pd.testing.assert_series_equal(trials, means, check_names=False)


def test_the_same_table_from_database_and_from_optuna(make_study: MakeStudy, monkeypatch: pytest.MonkeyPatch) -> None:
    study = mixed(make_study)
    fast = study.trials()
    monkeypatch.setattr(type(study.storage), "engine", None)
    pd.testing.assert_frame_equal(study.trials(), fast)


def test_integers_and_choices_keep_their_kind(make_study: MakeStudy) -> None:
    parameters = toy_document()["parameters"]
    parameters["units"] = {"range": [2, 9, "int"], "unused": True}
    parameters["kind"] = {"choices": ["wide", "narrow"], "unused": True}
    parameters["depth"] = {"range": [1, 3, "int"], "when": {"kind": "wide"}, "unused": True}
    study = make_study(SearchSpace.from_dict(toy_document(parameters=parameters)), trials=12)
    run_inline(study)
    trials = study.trials()
    assert trials["params.units"].dtype == "Int64"
    assert trials["params.units"].between(2, 9).all()
    assert set(trials["params.kind"]) == {"wide", "narrow"}
    assert (trials["params.depth"].notna() == (trials["params.kind"] == "wide")).all()


def test_an_empty_study_has_empty_tables(make_study: MakeStudy) -> None:
    study = make_study()
    assert list(study.trials().columns) == TRIALS
    assert study.trials().empty
    assert study.instances().empty
    assert study.best(3).empty
    assert study.front().empty


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_written_and_read_again(make_study: MakeStudy, tmp_path: Path, ending: str) -> None:
    study = mixed(make_study)
    path = tmp_path / f"trials.{ending}"
    write_table(study.trials(), path)
    read = pd.read_parquet(path) if ending == "parquet" else pd.read_csv(path)
    for column in ("number", "objectives.loss", "params.rate"):
        pd.testing.assert_series_equal(read[column], study.trials()[column])
    assert [file.name for file in tmp_path.iterdir() if file.suffix != ""] == [path.name]


@pytest.mark.parametrize("path", ["trials.xls", "missing/trials.csv"])
def test_where_a_table_cannot_be_written(make_study: MakeStudy, tmp_path: Path, path: str) -> None:
    study = make_study()
    with pytest.raises(UserError, match="trials"):
        write_table(study.trials(), tmp_path / path)


def test_only_complete_trials_are_exported(make_study: MakeStudy, tmp_path: Path) -> None:
    study = mixed(make_study)
    trials = study.trials().set_index("number")["state"]
    for state in ("FAIL", "RUNNING"):
        number = int(trials[trials == state].index[0])
        with pytest.raises(UserError, match=state):
            export_trial(study, number, tmp_path / "x.yaml")
    with pytest.raises(UserError, match="0 to 9"):
        export_trial(study, 99, tmp_path / "x.yaml")
    assert not (tmp_path / "x.yaml").exists()
