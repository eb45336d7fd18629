"""The front and the best are what their definitions say."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from eiann.errors import UserError
from optimize.results import best_trials, nondominated, none_best, pareto_front, pareto_ranks

COSTS = npst.arrays(
    np.float64,
    npst.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12),
    elements=st.integers(0, 4).map(float),
)


@given(COSTS)
def test_nondominated_is_the_definition(costs: np.ndarray) -> None:
    expected = [not any((b <= a).all() and (b < a).any() for b in costs) for a in costs]
    assert nondominated(costs).tolist() == expected


@given(COSTS, st.sampled_from([np.nan, np.inf, -np.inf, -0.0]))
def test_ranks_are_those_of_taking_front_after_front(costs: np.ndarray, odd: float) -> None:
    for points in (costs, np.where(costs == 3, odd, costs)):
        expected = np.zeros(len(points), dtype=int)
        rank, left = 0, np.arange(len(points))
        while len(left):
            rank += 1
            free = nondominated(points[left])
            expected[left[free]] = rank
            left = left[~free]
        assert pareto_ranks(points).tolist() == expected.tolist()


@pytest.mark.parametrize("objectives", [1, 2, 3])
def test_thousands_of_ranks_take_seconds(objectives: int) -> None:
    order = np.random.default_rng(0).permutation(20_000)
    begun = time.process_time()
    ranks = pareto_ranks(np.repeat(order[:, None], objectives, axis=1).astype(float))
    assert time.process_time() - begun < 10
    assert (ranks == order + 1).all()
    assert pareto_ranks(np.empty((0, objectives))).tolist() == []


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


@pytest.mark.parametrize("k", [0, -1])
@pytest.mark.parametrize("by", [None, "loss"])
def test_fewer_than_one_best_trial_is_refused(k: int, by: str | None) -> None:
    with pytest.raises(UserError, match=f"found {k} as the number of best trials; at least 1"):
        best_trials(TRIALS, k, by, ["accuracy", "loss"])


def test_why_none_is_the_best() -> None:
    assert "no complete trial yet" in str(none_best("demo", TRIALS.assign(state="FAIL"), ["loss < 0"]))
    words = str(none_best("demo", TRIALS, ["loss < 0", "accuracy > 101"]))
    assert words.startswith(
        "study 'demo': of 5 complete trials none satisfies the constraints loss < 0, accuracy > 101;"
    )
