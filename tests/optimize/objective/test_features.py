"""Validation curves become features by the window of the run, and say why an instance does not count."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from eiann import History
from eiann.errors import UserError
from optimize.objective import EvaluationSettings, instance_outcomes, windowed
from optimize.space import RunSettings

NAN = float("nan")


@dataclass
class Case:
    loss: list[float]
    run: RunSettings
    expected: float


def run(window: int, score: str = "final") -> RunSettings:
    return RunSettings.model_validate({"window": window, "score": score})  # one validation point per 100 steps


CURVE = [4.0, 1.0, 2.0, 3.0]
CASES = {
    "the last window": Case(CURVE, run(200), 2.5),
    "the window is cut to whole validation points": Case(CURVE, run(299), 2.5),
    "a window of no point means all": Case(CURVE, run(99), 2.5),
    "a window longer than the curve means all": Case(CURVE, run(1000), 2.5),
    "the best window starts at the lowest loss": Case(CURVE, run(200, "best"), 1.5),
    "a best window over the end is the last one": Case([4.0, 3.0, 2.0, 1.0], run(200, "best"), 1.5),
    "a best window that just fits": Case([4.0, 3.0, 1.0, 2.0], run(200, "best"), 1.5),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_window(case: Case) -> None:
    assert windowed({"loss": np.array(case.loss)}, case.run)["loss"] == case.expected


def test_accuracy_is_taken_where_the_loss_is_best() -> None:
    curves = {"loss": np.array(CURVE), "accuracy": np.array([10.0, 20.0, 30.0, 40.0])}
    assert windowed(curves, run(200, "best"))["accuracy"] == 25.0


def test_dendritic_loss_is_taken_at_the_end_even_in_best_mode() -> None:
    curves = {"loss": np.array(CURVE), "mean_forward_dend_loss": np.array([9.0, 9.0, 1.0, 2.0])}
    assert windowed(curves, run(200, "best"))["mean_forward_dend_loss"] == 1.5


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), st.integers(1, 30))
def test_final_window_is_the_mean_of_the_last_points(values: list[float], points: int) -> None:
    expected = float(np.mean(values[-points:]))
    assert windowed({"loss": np.array(values)}, run(100 * points))["loss"] == pytest.approx(expected)


def history(loss: list[list[float]], dendritic: list[list[float]] | None = None) -> History:
    values = torch.tensor(loss)
    return History(
        loss=values,
        sample_order=torch.zeros_like(values, dtype=torch.int64),
        val_steps=torch.arange(values.shape[1]) * 100 + 99,
        val_loss=values,
        val_accuracy=100.0 - values,
        forward_dendritic_loss=None if dendritic is None else torch.tensor(dendritic),
        executor="fake",
    )


def settings(**changes: object) -> EvaluationSettings:
    data = {"data": "spiral", "run": {"window": 200}, "objectives": {"accuracy": {}}} | changes
    return EvaluationSettings.model_validate(data)


def outcomes(loss: list[list[float]], residuals: Tensor | None = None, **changes: object) -> list[str | None]:
    seeds = [(i, i + 10) for i in range(len(loss))]
    return [o.failure for o in instance_outcomes(history(loss), residuals, seeds, settings(**changes))]


def test_an_instance_that_is_not_finite_fails_alone_and_says_since_when() -> None:
    failures = outcomes([[1.0, NAN, NAN, NAN], [1.0, 2.0, 3.0, 4.0]])
    assert failures[0] is not None
    assert "not finite" in failures[0]
    assert "step 199" in failures[0]
    assert failures[1] is None


def test_a_spike_before_the_window_does_no_harm() -> None:
    assert outcomes([[NAN, 2.0, 3.0, 4.0]]) == [None]


def test_infinite_loss_fails() -> None:
    assert "not finite" in str(outcomes([[1.0, 1.0, 1.0, float("inf")]])[0])


def test_a_rejected_instance_says_which_condition_and_which_value() -> None:
    failures = outcomes([[1.0] * 4] * 2, torch.tensor([0.0, 0.35]), reject=["dynamics_residuals > 0"])
    assert failures[0] is None
    assert failures[1] == "rejected because dynamics_residuals > 0 (dynamics_residuals = 0.35)"


def test_residual_as_objective_rejects_nothing() -> None:
    found = instance_outcomes(
        history([[1.0] * 4]), torch.tensor([0.35]), [(1, 2)], settings(objectives={"dynamics_residuals": {}})
    )
    assert found[0].failure is None
    assert found[0].features["dynamics_residuals"] == pytest.approx(0.35)


def test_dendritic_objective_without_dendrites_is_a_user_error() -> None:
    with pytest.raises(UserError, match="mean_forward_dend_loss"):
        outcomes([[1.0] * 4], objectives={"mean_forward_dend_loss": {}})


def test_what_is_not_finite_is_no_feature() -> None:
    (found,) = instance_outcomes(history([[1.0, NAN, NAN, NAN]]), None, [(1, 2)], settings())
    assert found.features == {}


def test_unknown_feature_in_a_condition_is_refused() -> None:
    with pytest.raises(ValueError, match="did you mean 'accuracy'"):
        settings(reject=["acuracy < 50"])
