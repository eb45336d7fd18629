"""How activity is spread over units and over patterns.

Activities are ``(..., patterns, units)``; leading axes (replicas) are kept. Patterns are the samples of one batch.
"""

from __future__ import annotations

import numpy as np

from eiann.errors import UserError
from eiann.metrics.arrays import Floats, Values, floats
from eiann.metrics.similarity import cosine_similarity


def sparsity(activity: Values) -> Floats:
    """Sparsity of each pattern over the units, ``(..., patterns)``: 0 if all are equally active, 1 if one alone is.

    With a of N units::

        (1 - (sum a / N)^2 / (sum a^2 / N + 1e-10)) / (1 - 1 / N)

    A pattern whose activities sum to 0 has sparsity 0.

    Literature: Rolls and Tovee (1995); Vinje and Gallant (2000).

    Raises:
        UserError: with fewer than two units.

    Example:
        >>> sparsity([[1.0, 1.0, 1.0, 1.0], [2.0, 0.0, 0.0, 0.0]]).round(6).tolist()
        [0.0, 1.0]
    """
    return _lifetime(floats(activity, 2, "activity"), axis=-1, epsilon=1e-10, what="units")


def selectivity(activity: Values) -> Floats:
    """Selectivity of each unit over the patterns, ``(..., units)``: 1 if it answers to one pattern only.

    As ``sparsity`` with patterns in place of units, and without the small number in the denominator. A unit whose
    activities sum to 0 has selectivity 0.

    Raises:
        UserError: with fewer than two patterns.
    """
    return _lifetime(floats(activity, 2, "activity"), axis=-2, epsilon=0.0, what="patterns")


def discriminability(activity: Values) -> Floats:
    """1 - cosine similarity of each pair of patterns, ``(..., pairs)``; 0 where one of them is silent.

    Pairs come in the order of ``numpy.tril_indices(patterns, -1)``: (1, 0), (2, 0), (2, 1), (3, 0), ...

    Example:
        >>> discriminability([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]).tolist()
        [1.0, 0.0, 0.0]
    """
    values = floats(activity, 2, "activity")
    similarity = cosine_similarity(values)
    silent = np.asarray(~values.any(axis=-1))
    similarity[silent[..., :, None] | silent[..., None, :]] = 1.0
    rows, columns = np.tril_indices(values.shape[-2], -1)
    return 1.0 - similarity[..., rows, columns]


def _lifetime(values: Floats, axis: int, epsilon: float, what: str) -> Floats:
    count = values.shape[axis]
    if count < 2:
        raise UserError(f"activity: found {count} {what}; at least 2 are needed")
    total = values.sum(axis)
    power = (values**2).sum(axis) / count + epsilon
    ratio = np.divide((total / count) ** 2, power, out=np.ones_like(total), where=power > 0)
    return np.where(total == 0, 0.0, (1.0 - ratio) / (1.0 - 1.0 / count))
