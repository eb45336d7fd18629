"""How well outputs tell classes apart, and which output stands for which class in a network trained without labels.

Outputs are ``(..., samples, classes)``; leading axes (replicas, validation steps) are kept. Labels are ``(samples,)``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from eiann.errors import UserError
from eiann.metrics.arrays import Floats, Integers, Values, floats, integers


def accuracy(outputs: Values, labels: Values) -> Floats:
    """Percent of samples whose largest output is that of their class, ``(...)``; the first of equal ones counts.

    Example:
        >>> float(accuracy([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.5, 0.5]], [0, 1, 1, 0]))
        75.0
    """
    values = floats(outputs, 2, "outputs")
    wanted = integers(labels, values.shape[-2], "labels")
    percent: Floats = 100.0 * (values.argmax(-1) == wanted).mean(-1)
    return percent


def confusion(outputs: Values, labels: Values) -> Integers:
    """Counts of samples by true class (rows) and by largest output (columns), ``(..., classes, classes)``.

    Raises:
        UserError: if a label is not one of the outputs.
    """
    values = floats(outputs, 2, "outputs")
    classes = values.shape[-1]
    wanted = _labels(labels, values)
    cells = wanted * classes + values.argmax(-1)
    flat = cells.reshape(-1, cells.shape[-1])
    counts = np.array([np.bincount(row, minlength=classes * classes) for row in flat], dtype=np.int64)
    return counts.reshape(*values.shape[:-2], classes, classes)


def class_accuracy(outputs: Values, labels: Values) -> Floats:
    """Percent of each class's samples that are recognized, ``(..., classes)``; NaN for a class without samples."""
    counts = confusion(outputs, labels).astype(np.float64)
    right = np.diagonal(counts, axis1=-2, axis2=-1)
    total = counts.sum(-1)
    percent: Floats = np.divide(100.0 * right, total, out=np.full(total.shape, np.nan), where=total > 0)
    return percent


def assign_outputs(outputs: Values, labels: Values) -> Integers:
    """Output unit that stands for each class, ``(classes,)``, found by greedy matching.

    From the mean output of each unit to each class: among the units that are still free, the one with the largest
    integer part of (maximum over free classes) / (mean over free classes) gets its best free class; and again. Of equal
    units the first is taken; a unit silent to all free classes comes last.

    Args:
        outputs: ``(samples, classes)`` of one replica; as many units as classes.
        labels: ``(samples,)``.

    Raises:
        UserError: if a class has no sample, or a label is not one of the outputs.

    Example:
        >>> assign_outputs([[0.0, 1.0], [0.9, 0.1]], [0, 1]).tolist()
        [1, 0]
    """
    values = floats(outputs, 2, "outputs")
    if values.ndim != 2:
        raise UserError(f"outputs: found shape {values.shape}; (samples, classes) of one replica is needed")
    wanted = _labels(labels, values)
    classes = values.shape[1]
    absent = sorted(set(range(classes)) - set(wanted.tolist()))
    if absent:
        raise UserError(f"labels: found no sample of class {absent[0]}; each class needs one")
    mean = np.stack([values[wanted == label].mean(0) for label in range(classes)])
    units, free = list(range(classes)), list(range(classes))
    assigned = np.zeros(classes, dtype=np.int64)
    while units:
        best = max(units, key=lambda unit: _preference(mean[free, unit]))
        label = free[int(mean[free, best].argmax())]
        assigned[label] = best
        units.remove(best)
        free.remove(label)
    return assigned


def reorder_outputs(outputs: Values, assigned: Values) -> Floats:
    """Outputs with the unit of class k in column k, of the same shape."""
    values = floats(outputs, 2, "outputs")
    return np.take(values, integers(assigned, values.shape[-1], "assignment"), axis=-1)


def best_assignment(outputs: Values, labels: Values, loss: Callable[[Floats], float]) -> tuple[Integers, int]:
    """Assignment of the validation step at which the re-ordered outputs have the lowest loss, and that step's index.

    Args:
        outputs: ``(steps, samples, classes)`` of one replica.
        labels: ``(samples,)``.
        loss: of re-ordered outputs ``(samples, classes)``. Steps at which it is NaN are passed over.

    Raises:
        UserError: if the loss is NaN at all steps.
    """
    values = floats(outputs, 3, "outputs")
    assignments = [assign_outputs(step, labels) for step in values]
    losses = [loss(reorder_outputs(step, units)) for step, units in zip(values, assignments, strict=True)]
    if np.isnan(losses).all():
        raise UserError("outputs: found a loss of NaN at every step; a finite one is needed")
    best = int(np.nanargmin(losses))
    return assignments[best], best


def _preference(means: Floats) -> float:
    average = float(means.mean())
    ratio = float(means.max()) / average if average != 0 else 0.0
    return float(np.trunc(ratio)) if np.isfinite(ratio) else 0.0


def _labels(labels: Values, outputs: Floats) -> Integers:
    wanted = integers(labels, outputs.shape[-2], "labels")
    classes = outputs.shape[-1]
    if wanted.size and not (wanted.min() >= 0 and wanted.max() < classes):
        raise UserError(f"labels: found {wanted.min()} to {wanted.max()}; there are outputs 0 to {classes - 1}")
    return wanted
