"""Fronts over time, hypervolumes, ranks and specialists."""

from __future__ import annotations

import time
import warnings

import numpy as np
import optuna
import pandas as pd
import pytest
from optuna.visualization import plot_hypervolume_history

from eiann.errors import UserError
from optimize.analysis import champions, front_history, hypervolume, ranked, reference_point
from optimize.results import pareto_ranks
from tests.optimize.analysis.points import Floats, table


def two_objectives(costs: Floats) -> pd.DataFrame:
    trials = table(costs, costs[:, 0], name="a")
    trials["objectives.b"] = costs[:, 1]
    trials["instances_ok"] = 3
    return trials


@pytest.mark.parametrize(
    ("points", "reference", "volume"),
    [
        ([[1.0, 2.0], [2.0, 1.0]], [3.0, 3.0], 3.0),
        ([[1.0, 2.0], [2.0, 1.0], [2.0, 2.0]], [3.0, 3.0], 3.0),
        ([[3.0, 0.0]], [3.0, 3.0], 0.0),
        ([[0.25]], [1.0], 0.75),
        ([[0.0, 0.0, 0.0]], [1.0, 2.0, 3.0], 6.0),
        ([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]], [2.0, 2.0, 2.0], 4.0),
    ],
)
def test_hypervolumes_that_can_be_counted(points: list[list[float]], reference: list[float], volume: float) -> None:
    assert hypervolume(np.array(points), np.array(reference)) == pytest.approx(volume)


@pytest.mark.parametrize("objectives", [2, 3, 4])
def test_the_hypervolume_history_is_that_of_optuna(objectives: int) -> None:
    costs = np.random.default_rng(objectives).random((30, objectives))
    names = [f"o{i}" for i in range(objectives)]
    trials = table(costs)
    for name, column in zip(names, costs.T, strict=True):
        trials[f"objectives.{name}"] = column
    reference = [1.0] * objectives
    ours = front_history(trials, names, reference)["hypervolume"]
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(directions=["minimize"] * objectives)
    study.add_trials([optuna.trial.create_trial(values=row.tolist()) for row in costs])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        theirs = plot_hypervolume_history(study, reference).data[0].y
    np.testing.assert_allclose(ours, theirs, rtol=1e-10)


def test_the_front_counts_trials_in_the_order_in_which_they_ended() -> None:
    trials = two_objectives(np.array([[1.0, 1.0], [2.0, 0.0], [0.0, 3.0], [3.0, 3.0]]))
    trials.loc[0, "finished"] = pd.Timestamp("2027-01-01", tz="UTC")
    history = front_history(trials, ["a", "b"])
    assert history["number"].tolist() == [1, 2, 3, 0]
    assert history["front"].tolist() == [1, 2, 2, 3]
    assert history["on_front"].tolist() == [True, True, False, True]
    assert history["best.a"].tolist() == [2.0, 0.0, 0.0, 0.0]
    assert history["hypervolume"].is_monotonic_increasing


def test_one_diverged_network_does_not_move_the_reference_point() -> None:
    costs = np.random.default_rng(0).random((40, 2))
    far = np.vstack((costs, [[1e12, 1e12]]))
    assert (reference_point(far) < 2).all()


def test_a_reference_of_another_size_is_refused() -> None:
    with pytest.raises(UserError, match="3 numbers; there are 2 objectives"):
        front_history(two_objectives(np.eye(2)), ["a", "b"], [1.0, 1.0, 1.0])


def test_ranks_peel_front_after_front() -> None:
    costs = np.array([[0.0, 2.0], [1.0, 1.0], [2.0, 0.0], [1.0, 2.0], [2.0, 2.0]])
    assert pareto_ranks(costs).tolist() == [1, 1, 1, 2, 3]


def test_the_all_rounder_leads_its_rank_and_specialists_are_found() -> None:
    trials = two_objectives(np.array([[0.0, 9.0], [2.0, 2.0], [9.0, 0.0], [10.0, 10.0]]))
    assert ranked(trials, ["a", "b"])["number"].tolist() == [1, 0, 2, 3]
    found = champions(trials, ["a", "b"], top=2)
    assert found[["role", "place", "number"]].to_numpy().tolist() == [
        ["rank", 1, 1],
        ["rank", 2, 0],
        ["best a", 1, 0],
        ["best b", 1, 2],
    ]


def test_the_hypervolume_is_that_of_the_front_so_far() -> None:
    rng = np.random.default_rng(4)
    costs = np.vstack((rng.random((40, 3)), rng.integers(0, 3, (40, 3)) / 2, 5 * rng.random((10, 3))))
    trials = table(costs)
    for i in range(3):
        trials[f"objectives.o{i}"] = costs[:, i]
    reference = [1.0, 1.0, 1.0]
    history = front_history(trials, ["o0", "o1", "o2"], reference)
    expected = [hypervolume(costs[: i + 1], np.array(reference)) for i in range(len(costs))]
    assert history["hypervolume"].tolist() == pytest.approx(expected, rel=1e-9)


def test_a_front_of_hundreds_in_three_objectives_is_followed_in_seconds() -> None:
    away = np.abs(np.random.default_rng(5).normal(size=(1000, 3)))
    costs = 1.2 - away / np.linalg.norm(away, axis=1, keepdims=True)
    trials = table(costs)
    for i in range(3):
        trials[f"objectives.o{i}"] = costs[:, i]
    begun = time.process_time()
    history = front_history(trials, ["o0", "o1", "o2"])
    # One second; the whole volume anew after every trial takes ten of them, or minutes.
    assert time.process_time() - begun < 6
    assert history["front"].iloc[-1] == 1000
