"""Instances become objectives: all minimized, one failed instance fails the trial."""

from __future__ import annotations

import pytest

from optimize.objective import EvaluationSettings, InstanceOutcome, cost, judge, objective_labels
from optimize.space import ObjectiveSpec


def settings(**objectives: dict[str, str]) -> EvaluationSettings:
    return EvaluationSettings.model_validate({"data": "spiral", "objectives": objectives})


def outcome(accuracy: float, loss: float = 0.5, failure: str | None = None) -> InstanceOutcome:
    return InstanceOutcome(1, 2, {"accuracy": accuracy, "loss": loss}, failure)


@pytest.mark.parametrize(
    ("name", "value", "spec", "expected"),
    [
        ("accuracy", 96.5, {}, 3.5),
        ("accuracy", 96.5, {"direction": "minimize"}, 96.5),
        ("loss", 0.25, {}, 0.25),
        ("loss", 0.25, {"direction": "maximize"}, -0.25),
        ("mean_forward_dend_loss", -0.5, {}, 0.5),
        ("dynamics_residuals", 0.125, {}, 0.125),
    ],
)
def test_cost(name: str, value: float, spec: dict[str, str], expected: float) -> None:
    assert cost(name, value, ObjectiveSpec.model_validate(spec)) == expected


@pytest.mark.parametrize(("how", "expected"), [("mean", 100 - 70.0), ("median", 100 - 80.0), ("worst", 100 - 40.0)])
def test_aggregates_of_what_is_maximized(how: str, expected: float) -> None:
    verdict = judge([outcome(90.0), outcome(80.0), outcome(40.0)], settings(accuracy={"aggregate": how}))
    assert verdict.objectives == (expected,)


def test_worst_of_what_is_minimized_is_the_largest() -> None:
    verdict = judge([outcome(0.0, 0.25), outcome(0.0, 0.75)], settings(loss={"aggregate": "worst"}))
    assert verdict.objectives == (0.75,)


def test_one_failed_instance_fails_the_trial_and_the_others_are_kept() -> None:
    verdict = judge([outcome(90.0), outcome(10.0, failure="loss is not finite")], settings(accuracy={}))
    assert verdict.objectives is None
    assert verdict.failure == "instance 1: loss is not finite"
    assert verdict.features == {"accuracy": 50.0, "loss": 0.5}


def test_several_failed_instances_are_counted() -> None:
    failed = [outcome(1.0, failure="broken")] * 3
    assert judge(failed, settings(accuracy={})).failure == "instance 0: broken (3 of 3 instances failed)"


def test_nothing_measured_is_a_failure() -> None:
    assert judge([], settings(accuracy={})).failure == "no instance was measured"


def test_order_of_objectives_is_that_of_the_space() -> None:
    verdict = judge([outcome(90.0, 0.5)], settings(loss={}, accuracy={}))
    assert verdict.objectives == (0.5, 10.0)


def test_labels_say_what_is_minimized() -> None:
    specs = {"accuracy": ObjectiveSpec(), "loss": ObjectiveSpec()}
    assert objective_labels(specs) == ("100 - accuracy", "loss")
