"""Representational similarity: which patterns look alike to a population, and which units answer alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eiann.errors import UserError
from eiann.metrics.arrays import Floats, Integers, Values, floats, integers


def cosine_similarity(vectors: Values) -> Floats:
    """Cosine of each pair of rows, ``(..., rows, columns)`` -> ``(..., rows, rows)``; 0 with a row of zeros.

    Example:
        >>> cosine_similarity([[3.0, 4.0], [4.0, 3.0], [0.0, 0.0]]).round(2).tolist()
        [[1.0, 0.96, 0.0], [0.96, 1.0, 0.0], [0.0, 0.0, 0.0]]
    """
    values = floats(vectors, 2, "vectors")
    norm = np.linalg.norm(values, axis=-1, keepdims=True)
    unit = np.divide(values, norm, out=np.zeros_like(values), where=norm > 0)
    cosine: Floats = np.clip(unit @ np.swapaxes(unit, -1, -2), -1.0, 1.0)
    return cosine


@dataclass(frozen=True, eq=False)
class Similarity:
    """A similarity matrix in the order in which it is looked at.

    Attributes:
        matrix: cosine similarity, ``(items, items)``.
        order: the item, as numbered in the activity matrix, of each row, ``(items,)``.
        labels: class of each row, ``(items,)``; NaN for a silent unit, which answers to no class.
    """

    matrix: Floats
    order: Integers
    labels: Floats

    def within(self) -> dict[int, Floats]:
        """Similarities of all pairs inside each class: the strict lower triangle of its block, ``(pairs,)``."""
        blocks = {label: self.matrix[np.ix_(rows, rows)] for label, rows in self._rows().items()}
        return {label: block[np.tril_indices(len(block), -1)] for label, block in blocks.items()}

    def between(self) -> dict[int, Floats]:
        """Similarities of each class's items with those of all other classes, ``(others * items,)``.

        Silent units belong to no class, so they are among the others of every class. A pair of items of two classes
        is found under both.
        """
        return {
            label: self.matrix[np.ix_(self.labels != label, rows)].reshape(-1) for label, rows in self._rows().items()
        }

    def _rows(self) -> dict[int, Integers]:
        known = np.unique(self.labels[~np.isnan(self.labels)])
        return {int(label): np.flatnonzero(self.labels == label) for label in known}


def pattern_similarity(activity: Values, labels: Values) -> Similarity:
    """Similarity of patterns over the units of a population, sorted by class.

    Literature: Kriegeskorte, Mur and Bandettini (2008).

    Args:
        activity: ``(patterns, units)`` of one replica.
        labels: class of each pattern, ``(patterns,)``.
    """
    values, classes = _check(activity, labels)
    order = np.argsort(classes, kind="stable").astype(np.int64)
    return Similarity(cosine_similarity(values[order]), order, classes[order].astype(np.float64))


def unit_similarity(activity: Values, labels: Values, *, sort: bool = True) -> Similarity:
    """Similarity of units over patterns, sorted by the class that each unit prefers.

    A unit prefers the class of the pattern to which it answers most; silent units stand last.

    Args:
        activity: ``(patterns, units)`` of one replica.
        labels: class of each pattern, ``(patterns,)``.
        sort: False keeps the order of units, as for an output population, whose units are classes already.
    """
    values, classes = _check(activity, labels)
    preferred = np.where(values.any(axis=0), classes[values.argmax(axis=0)].astype(np.float64), np.nan)
    order = np.argsort(preferred, kind="stable") if sort else np.arange(values.shape[1])
    return Similarity(cosine_similarity(values.T[order]), order.astype(np.int64), preferred[order])


def _check(activity: Values, labels: Values) -> tuple[Floats, Integers]:
    values = floats(activity, 2, "activity")
    if values.ndim != 2 or not values.size:
        raise UserError(f"activity: found shape {values.shape}; (patterns, units) of one replica is needed")
    return values, integers(labels, len(values), "labels")
