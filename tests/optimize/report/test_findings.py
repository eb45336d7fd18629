"""Warnings of a report: each is there when it should be, and only then."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from eiann.errors import UserError
from optimize.report.findings import findings
from optimize.report.material import REEVALUATION, REEVALUATIONS, Material
from optimize.results import write_table
from optimize.space import SearchSpace
from optimize.tune.inline import run_inline
from tests.optimize.conftest import MakeStudy, toy_document


def titles(material: Material) -> str:
    return " | ".join(finding.title for finding in findings(material))


def reevaluation(**changes: object) -> pd.DataFrame:
    row = {
        "number": 3, "selected_accuracy": 90.0, "held_out_accuracy": 88.0, "low": 86.0, "high": 90.0,
        "median": 88.0, "worst": 80.0, "validation_accuracy": 88.0, "instances": 30, "failed_share": 0.0,
    }  # fmt: skip
    return pd.DataFrame([row | changes])


def test_a_study_without_a_complete_trial_has_nothing_to_report(make_study: MakeStudy) -> None:
    with pytest.raises(UserError, match="no complete trial yet"):
        Material.of(make_study(), resamples=0)


def test_missing_fresh_seeds_are_said_first_and_how_to_get_them(make_study: MakeStudy) -> None:
    study = make_study()
    run_inline(study)
    first = findings(Material.of(study, resamples=0))[0]
    assert (first.level, first.title) == ("serious", "No measurement on fresh seeds")
    assert f"eiann reevaluate {study.folder.path}" in first.text


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, None),
        ({"held_out_accuracy": 1.0}, "The best loses on fresh seeds"),
        ({"failed_share": 0.2}, "Failures on fresh seeds"),
    ],
)
def test_fresh_seeds_are_read_where_they_were_measured(
    make_study: MakeStudy, changes: dict[str, float], expected: str | None
) -> None:
    study = make_study()
    run_inline(study)
    write_table(reevaluation(**changes), study.folder.tables / REEVALUATION)
    found = titles(Material.of(study, resamples=0))
    assert "No measurement" not in found
    about_fresh = [words for words in found.split(" | ") if "fresh" in words]
    assert about_fresh == ([expected] if expected else [])


def test_every_trial_that_was_measured_again_is_looked_at(make_study: MakeStudy) -> None:
    study = make_study()
    run_inline(study)
    own = study.instances().groupby("number")["features.accuracy"].agg(["mean", "min"])
    held, fallen, frail = (int(number) for number in own.index[:3])
    table = pd.concat(
        [
            reevaluation(number=held, held_out_accuracy=own["mean"][held], worst=own["min"][held]),
            reevaluation(number=fallen, held_out_accuracy=own["mean"][fallen] - 20, worst=own["min"][fallen] - 20),
            reevaluation(number=frail, held_out_accuracy=own["mean"][frail] - 1, worst=own["min"][frail] - 15),
        ]
    )
    # What a study selected by may be the worst instance: it is no measure for a mean.
    write_table(table.assign(selected_accuracy=0.0), study.folder.tables / REEVALUATION)
    found = {finding.title: finding.text for finding in findings(Material.of(study, resamples=0))}
    assert "The best loses on fresh seeds" not in found
    fell = found["1 of 3 trials lose on fresh seeds"]
    assert f"trial {fallen} from {own['mean'][fallen]:.1f} %" in fell
    assert f"trial {held} " not in fell
    assert f"trial {frail} " in found["A fresh seed can be much worse"]


def test_the_latest_reevaluation_of_this_study_counts(make_study: MakeStudy) -> None:
    study = make_study()
    run_inline(study)
    kept = (("20260101T000000Z", study.spec.study_id, 70.0), ("20260102T000000Z", study.spec.study_id, 71.0))
    for name, study_id, accuracy in (*kept, ("20260103T000000Z", "of another study", 99.0)):
        folder = study.folder.path / REEVALUATIONS / name
        folder.mkdir(parents=True)
        write_table(reevaluation(held_out_accuracy=accuracy), folder / "trials.parquet")
        (folder / "provenance.json").write_text(json.dumps({"study_id": study_id}))
    fresh = Material.of(study, resamples=0).fresh
    assert fresh is not None
    assert fresh["held_out_accuracy"].tolist() == [71.0]


@pytest.mark.parametrize(("instances", "warned"), [(2, True), (5, False)])
def test_few_seeds_are_warned_of(make_study: MakeStudy, instances: int, warned: bool) -> None:
    study = make_study(SearchSpace.from_dict(toy_document(instances=instances)))
    run_inline(study)
    assert (f"{instances} seeds per trial" in titles(Material.of(study, resamples=0))) is warned


def material_with(study_of: MakeStudy, **columns: object) -> Material:
    """The material of a finished study, some columns of its trials replaced."""
    study = study_of(trials=40)
    run_inline(study)
    whole = Material.of(study, resamples=0)
    return Material(study, whole.trials.assign(**columns), whole.instances, whole.importance)


def test_a_bound_that_good_trials_press_against_is_named(make_study: MakeStudy) -> None:
    error = np.linspace(0, 50, 40)
    at_upper = np.where(np.arange(40) < 6, 1.0, 0.01)
    material = material_with(make_study, **{"objectives.accuracy": error, "params.rate": at_upper, "params.scale": 0.3})
    (found,) = [finding for finding in findings(material) if "bound" in finding.title]
    assert found.title == "1 parameter at a bound"
    assert "rate (upper)" in found.text
    inside = material_with(lambda **s: make_study(name="inside", **s), **{"params.rate": 0.1, "params.scale": 0.3})
    assert "bound" not in titles(inside)


def test_failures_come_with_the_parameter_that_explains_them(make_study: MakeStudy) -> None:
    study = make_study(trials=40)
    run_inline(study)
    whole = Material.of(study, resamples=0)
    rate = np.geomspace(1e-4, 1.0, 40)
    dead = np.arange(40) >= 30
    trials = whole.trials.assign(
        **{"params.rate": rate, "params.scale": np.random.default_rng(0).uniform(0.01, 10, 40)}
    )
    trials["state"] = np.where(dead, "FAIL", "COMPLETE")
    instances = whole.instances.assign(failure=np.where(dead[whole.instances["number"]], "loss is not finite", None))
    (found,) = [one for one in findings(Material(study, trials, instances)) if "failed" in one.title]
    assert found.title == "10 of 40 trials failed"
    assert "Where rate > " in found.text
    assert "100 % of instances die; elsewhere 0 %" in found.text


def test_a_best_trial_that_guesses_on_a_seed_is_serious(make_study: MakeStudy) -> None:
    study = make_study()
    run_inline(study)
    whole = Material.of(study, resamples=0)
    instances = whole.instances.copy()
    instances.loc[instances["number"] == whole.best["number"], "features.accuracy"] = [25.0, 99.0]
    found = findings(Material(study, whole.trials, instances))
    assert ("serious", "The best trial has dead runs") in [(one.level, one.title) for one in found]
