"""How many directions activity uses: participation ratios.

Literature: Gao et al. (2017), "A theory of multineuronal dimensionality, dynamics and measurement".
"""

from __future__ import annotations

import numpy as np

from eiann.errors import UserError
from eiann.metrics.arrays import Floats, Values, floats

_SMALLEST = 1e-10


def participation_ratio(eigenvalues: Values) -> Floats:
    """(sum of l)^2 / (sum of l^2) over the last axis; 0 if all vanish. Between 1 and their number if none is negative.

    Example:
        >>> float(participation_ratio([2.0, 2.0, 2.0, 0.0]))
        3.0
    """
    values = floats(eigenvalues, 1, "eigenvalues")
    power = (values**2).sum(-1)
    ratio: Floats = np.divide(values.sum(-1) ** 2, power, out=np.zeros(power.shape), where=power > 0)
    return ratio


def similarity_dimensionality(similarity: Values) -> Floats:
    """Participation ratio of a similarity matrix, ``(..., items, items)`` -> ``(...)``.

    Takes the eigenvalues above 1e-10 of the symmetrized matrix.
    """
    matrix = floats(similarity, 2, "similarity")
    if matrix.shape[-1] != matrix.shape[-2]:
        raise UserError(f"similarity: found shape {matrix.shape}; a square matrix is needed")
    values = np.linalg.eigvalsh((matrix + np.swapaxes(matrix, -1, -2)) / 2.0)
    return participation_ratio(np.where(values > _SMALLEST, values, 0.0))


def covariance_dimensionality(activity: Values) -> Floats:
    """Participation ratio of the covariance of units over patterns, ``(..., patterns, units)`` -> ``(...)``.

    The covariance is divided by patterns - 1; eigenvalues below 0, which only rounding makes, count as 0.

    Raises:
        UserError: with fewer than two patterns.
    """
    values = floats(activity, 2, "activity")
    patterns, units = values.shape[-2:]
    if patterns < 2:
        raise UserError(f"activity: found {patterns} patterns; at least 2 are needed")
    shifted = values - values[..., :1, :]  # makes a constant unit exactly 0, which rounding of its mean would not
    centred = shifted - shifted.mean(axis=-2, keepdims=True)
    # The eigenvalues that are not 0 are those of the smaller one of the two products.
    product = np.swapaxes(centred, -1, -2) @ centred if units <= patterns else centred @ np.swapaxes(centred, -1, -2)
    return participation_ratio(np.clip(np.linalg.eigvalsh(product / (patterns - 1)), 0.0, None))
