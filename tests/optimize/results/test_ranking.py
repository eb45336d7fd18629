"""The front and the best are what their definitions say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from eiann.errors import UserError
from optimize.results import best_trials, nondominated, pareto_front

COSTS = npst.arrays(
    np.float64,
    npst.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12),
    elements=st.integers(0, 4).map(float),
)


@given(COSTS)
def test_nondominated_is_the_definition(costs: np.ndarray) -> None:
    expected = [not any((b <= a).all() and (b < a).any() for b in costs) for a in costs]
    assert nondominated(costs).tolist() == expected


def table(**columns: list[float]) -> pd.DataFrame:
    count = len(next(iter(columns.values())))
    return pd.DataFrame(
        {"number": range(count), "state": ["COMPLETE"] * count, **{f"objectives.{k}": v for k, v in columns.items()}}
    )


TRIALS = table(accuracy=[3.0, 1.0, 2.0, 1.0, 9.0], loss=[1.0, 5.0, 2.0, 5.0, 9.0])


def test_front_is_ordered_by_the_first_objective_then_by_number() -> None:
    assert pareto_front(TRIALS, ["accuracy", "loss"])["number"].tolist() == [1, 3, 2, 0]


def test_best_by_rank_then_objectives() -> None:
    assert best_trials(TRIALS, 9, None, ["accuracy", "loss"])["number"].tolist() == [1, 3, 2, 0, 4]
    assert best_trials(TRIALS, 2, None, ["accuracy", "loss"])["number"].tolist() == [1, 3]


def test_best_by_one_objective() -> None:
    assert best_trials(TRIALS, 3, "loss", ["accuracy", "loss"])["number"].tolist() == [0, 2, 1]


def test_only_complete_trials_count() -> None:
    trials = TRIALS.assign(state=["FAIL", "COMPLETE", "RUNNING", "FAIL", "COMPLETE"])
    assert best_trials(trials, 9, None, ["accuracy", "loss"])["number"].tolist() == [1, 4]


def test_an_unknown_objective_is_refused() -> None:
    with pytest.raises(UserError, match="accuracy"):
        best_trials(TRIALS, 1, "acuracy", ["accuracy", "loss"])
