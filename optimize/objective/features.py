"""From the history of a training run to the features of its instances."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from eiann.errors import UserError
from optimize.objective.settings import EvaluationSettings
from optimize.space.document import RunSettings

if TYPE_CHECKING:
    from torch import Tensor

    from eiann import History

Seeds = tuple[int, int]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class InstanceOutcome:
    """What was measured on one instance.

    Attributes:
        network_seed, data_seed: of initial weights and of the order of samples.
        features: by name; accuracy in percent. Only finite numbers; what could not be measured is absent.
        failure: why the instance does not count, or ``None``.
    """

    network_seed: int
    data_seed: int
    features: dict[str, float] = field(default_factory=dict)
    failure: str | None = None


def instance_outcomes(
    history: History, residuals: Tensor | None, seeds: Sequence[Seeds], settings: EvaluationSettings
) -> tuple[InstanceOutcome, ...]:
    """Measure every replica of a batch.

    Args:
        history: of the training run, R replicas.
        residuals: equilibration residuals ``(R,)``; needed where ``dynamics_residuals`` is measured.
        seeds: (network seed, data seed) of every replica.
        settings: what to measure and what to reject.

    Raises:
        UserError: an objective cannot be measured on this network at all.
    """
    curves: dict[str, Floats] = {
        "accuracy": _numbers(history.val_accuracy),
        "loss": _numbers(history.val_loss),
    }
    if "mean_forward_dend_loss" in settings.measured:
        if history.forward_dendritic_loss is None:
            raise UserError(
                "mean_forward_dend_loss: found a network without forward dendritic state; "
                "it needs a population with a dendritic compartment and a rule that uses it"
            )
        curves["mean_forward_dend_loss"] = _numbers(history.forward_dendritic_loss)
    scalars: dict[str, Floats] = {}
    if "dynamics_residuals" in settings.measured:
        if residuals is None:
            raise ValueError("dynamics_residuals are measured, but no residuals were given")
        scalars["dynamics_residuals"] = _numbers(residuals)
    steps = [int(step) for step in history.val_steps]
    outcomes = []
    for replica, (network_seed, data_seed) in enumerate(seeds):
        features = windowed({name: values[replica] for name, values in curves.items()}, settings.run)
        features |= {name: float(values[replica]) for name, values in scalars.items()}
        failure = _not_finite(features, curves["loss"][replica], steps) or rejection(features, settings)
        finite = {name: features[name] for name in settings.measured if math.isfinite(features[name])}
        outcomes.append(InstanceOutcome(network_seed, data_seed, finite, failure))
    return tuple(outcomes)


def windowed(curves: dict[str, Floats], run: RunSettings) -> dict[str, float]:
    """Average validation curves over the window of a run.

    Args:
        curves: by feature, one number per validation point ``(V,)``; ``loss`` is among them.
        run: ``score: final`` takes the last window, ``best`` the one from the lowest validation loss on, or the last
            one where that would run over the end. The dendritic loss is always taken from the last window.

    Example:
        >>> curve = np.array([1.0, 0.5, 0.25, 0.75])
        >>> windowed({"loss": curve}, RunSettings(window=200, score="best"))
        {'loss': 0.5}
    """
    loss = curves["loss"]
    points = run.window_points
    last = slice(len(loss) - points if 0 < points <= len(loss) else 0, len(loss))
    chosen = last
    if run.score == "best" and points and not np.isnan(loss).any():
        start = int(np.argmin(loss))
        if start + points <= len(loss):
            chosen = slice(start, start + points)
    return {
        name: float(np.mean(values[last if name == "mean_forward_dend_loss" else chosen]))
        for name, values in curves.items()
    }


def rejection(features: dict[str, float], settings: EvaluationSettings) -> str | None:
    """Why an instance with these features does not count, in words, or ``None``."""
    for condition in settings.conditions:
        if condition.holds(features):
            found = ", ".join(f"{name} = {features[name]:g}" for name in condition.names)
            return f"rejected because {condition.text} ({found})"
    return None


def _not_finite(features: dict[str, float], loss: Floats, steps: list[int]) -> str | None:
    for name, value in features.items():
        if not math.isfinite(value):
            bad = np.flatnonzero(~np.isfinite(loss))
            since = f", validation loss from step {steps[int(bad[0])]} on" if bad.size else ""
            return f"{name} is not finite ({value}{since})"
    return None


def _numbers(tensor: Tensor) -> Floats:
    return np.asarray(tensor.detach().cpu().double().numpy())
