"""What a report knows: of a bound study, only trials within the constraints are among the best."""

from __future__ import annotations

import pytest

from eiann.errors import UserError
from optimize.report.charts import charts
from optimize.report.material import Material
from optimize.report.page import write_report
from optimize.space import SearchSpace
from optimize.study import Study
from optimize.tune.inline import run_inline
from tests.optimize.conftest import MakeStudy, toy_document


def bound(make_study: MakeStudy, *constraints: str, trials: int = 40) -> Study:
    space = SearchSpace.from_dict(toy_document(constraints=list(constraints)))
    study = make_study(space, name="bound", trials=trials)
    run_inline(study)
    return study


def test_a_study_of_which_no_trial_satisfies_the_constraints_is_refused_by_their_name(make_study: MakeStudy) -> None:
    study = bound(make_study, "loss < 0", "accuracy > 101", trials=8)
    complete = (study.trials()["state"] == "COMPLETE").sum()
    with pytest.raises(UserError, match=f"of {complete} complete trials none satisfies .* loss < 0, accuracy > 101;"):
        write_report(study, network=False)


def test_a_trial_beyond_a_constraint_is_in_no_history_and_no_funnel(make_study: MakeStudy) -> None:
    material = Material.of(bound(make_study, "loss > 0.1"), resamples=0)
    banned = set(material.complete["number"]) - set(material.feasible["number"])
    assert banned
    assert material.distances is not None
    assert not banned & set(material.history["number"])
    assert not banned & set(material.distances["number"])
    assert material.history["best.accuracy"].iloc[-1] == material.feasible[material.lead].min()
    assert material.distances["number"].iloc[0] == material.best["number"]
    progress = charts(material)["progress"][0]
    assert progress.layout["xaxis"]["title"] == "complete trials within the constraints"


def test_no_more_trials_count_as_good_than_satisfy_the_constraints(make_study: MakeStudy) -> None:
    free = make_study(trials=40)
    run_inline(free)
    worst = Material.of(free, resamples=0).complete["features.loss"].nlargest(2).min()
    material = Material.of(bound(make_study, f"loss >= {float(worst)!r}"), resamples=0)
    assert len(material.feasible) == material.good == 2
    assert set(material.places.head(material.good).index) == set(material.feasible.index)
