"""Which trials count for a question, and which way is better."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from eiann.errors import UserError
from optimize.analysis import local_slopes, parallel_coordinates, slices, sobol_design, sobol_indices
from optimize.analysis.unit import costs_of, upwards, usable
from optimize.space.document import ObjectiveSpec
from tests.optimize.analysis.points import cube, table


def with_others(count: int = 40) -> pd.DataFrame:
    """Trials of which every fourth failed and every fourth was stopped early, with features far from all others."""
    points = np.random.default_rng(0).random((count, 2))
    trials = table(points, 3 * points[:, 0])
    for place, state in ((1, "FAIL"), (2, "PRUNED")):
        trials.loc[place::4, "state"] = state
        trials.loc[place::4, "features.y"] = -1000.0
    return trials


def test_only_complete_trials_have_a_target() -> None:
    trials = with_others()
    assert set(usable(trials, "features.y", 1, "question")["state"]) == {"COMPLETE"}
    for found in (parallel_coordinates(trials, cube(2), "features.y"), slices(trials, cube(2), "features.y")):
        assert found["features.y"].min() >= 0
        assert found["number"].nunique() == 20
    with pytest.raises(UserError, match=r"question: found 20 complete trials with features\.y; at least 21"):
        usable(trials, "features.y", 21, "question")


def test_slopes_are_not_those_of_trials_that_failed() -> None:
    found = local_slopes(with_others(), cube(2), 0, ["features.y"]).set_index("parameter")
    assert found.loc["x1", "slope"] == pytest.approx(3, abs=0.1)
    with pytest.raises(UserError, match="trial 1 and 10 others must be complete"):
        local_slopes(with_others(), cube(2), 1, ["features.y"])


def test_features_of_failed_trials_of_a_design_are_missing() -> None:
    design = sobol_design(cube(2), 32)
    points = design[["params.x1", "params.x2"]].to_numpy()
    trials = table(points, points[:, 0])
    trials.loc[:3, "state"] = "FAIL"
    trials.loc[:3, "features.y"] = 1e6
    found = sobol_indices(trials, cube(2), "features.y").set_index("parameter")
    assert set(found["missing"]) == {4}
    assert found.loc["x1", "total"] == pytest.approx(1, abs=0.2)


def test_more_of_a_feature_is_better_where_the_space_says_so() -> None:
    assert not upwards("features.loss", {"loss": ObjectiveSpec()})
    assert upwards("features.loss", {"loss": ObjectiveSpec(direction="maximize")})
    assert not upwards("features.accuracy", {"accuracy": ObjectiveSpec(direction="minimize")})
    trials = table(np.zeros((2, 1)), np.array([1.0, 2.0]))
    assert costs_of(trials, "features.y", maximize=True).tolist() == [-1, -2]
