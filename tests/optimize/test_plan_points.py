"""Where starting points come from: the space, files, tables, and other studies; and constraints of a whole study."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from eiann.errors import UserError
from optimize.plan import Plan, read_points
from optimize.space import NamedWithOptions, SearchSpace
from optimize.tune.inline import run_inline
from tests.optimize.conftest import MakeStudy, toy_document


def test_the_best_of_another_study_are_tried_first(make_study: MakeStudy, toy: SearchSpace) -> None:
    study = make_study(trials=12)
    run_inline(study)
    folder = str(study.folder.path)
    front = [dict(row.params) for n in study.front()["number"] for row in study.rows() if row.number == n]
    assert read_points(folder, toy) == front
    best = [dict(row.params) for n in study.best(3)["number"] for row in study.rows() if row.number == n]
    plan = Plan.make(toy, trials=20, points=[f"{folder}:3", "x0"])
    assert list(plan.points) == [*best, {"rate": 0.05, "scale": 1.0}]


def test_a_study_without_complete_trial_gives_no_points(make_study: MakeStudy, toy: SearchSpace) -> None:
    with pytest.raises(UserError, match="no complete trial"):
        read_points(str(make_study().folder.path), toy)


def test_a_space_says_what_is_tried_first_and_the_command_line_overrules_it(tmp_path: Path) -> None:
    file = tmp_path / "points.yaml"
    file.write_text(yaml.safe_dump([{"rate": 0.01, "scale": 2.0}, {"rate": 0.02, "scale": 3.0}]))
    space = SearchSpace.from_dict(toy_document(start_with=["x0", str(file)]))
    assert [point["rate"] for point in Plan.make(space).points] == [0.05, 0.01, 0.02]
    assert [point["rate"] for point in Plan.make(space, points=[str(file)]).points] == [0.01, 0.02]
    again = SearchSpace.from_dict(space.to_dict())
    assert len(Plan.make(again).points) == 3


@pytest.mark.parametrize("source", ["x1", "no/such/file.yaml", "no/such/study:3"])
def test_points_that_are_nowhere(toy: SearchSpace, source: str) -> None:
    with pytest.raises(UserError, match="--points"):
        read_points(source, toy)


def test_trials_beyond_a_constraint_are_kept_but_never_among_the_best(make_study: MakeStudy) -> None:
    space = SearchSpace.from_dict(toy_document(constraints=["dynamics_residuals <= 0.1"]))
    study = make_study(space, trials=30, sampler=NamedWithOptions(name="random"))
    run_inline(study)
    trials = study.trials()
    complete = trials[trials["state"] == "COMPLETE"]
    feasible = complete[complete["features.dynamics_residuals"] <= 0.1]
    assert 0 < len(feasible) < len(complete)
    assert set(study.best(100)["number"]) == set(feasible["number"])
    assert set(study.front()["number"]) <= set(feasible["number"])
    stored = {trial.number: trial.constraints for trial in study.storage.trials() if trial.state.name == "COMPLETE"}
    for number, residual in zip(complete["number"], complete["features.dynamics_residuals"], strict=True):
        (excess,) = stored[number].values()
        assert excess == pytest.approx(residual - 0.1)


def test_a_constraint_that_is_just_missed_is_not_satisfied(toy: SearchSpace) -> None:
    space = SearchSpace.from_dict(toy_document(constraints=["loss < 1", "accuracy >= 50"]))
    limits = dict(zip(("loss", "accuracy"), space.constraints, strict=True))
    assert limits["loss"].violation({"loss": 1.0}) > 0
    assert limits["loss"].violation({"loss": 0.5}) == -0.5
    assert limits["accuracy"].violation({"accuracy": 50.0}) <= 0
    assert limits["accuracy"].violation({"accuracy": 20.0}) == 30.0
