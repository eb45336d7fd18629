"""What all metrics take and give: arrays, computed in float64."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from torch import Tensor

from eiann.errors import UserError

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Values = npt.ArrayLike | Tensor


def floats(values: Values, ndim: int, what: str) -> Floats:
    """Values as float64 with at least ``ndim`` axes, taken from any device and out of any gradient.

    Raises:
        UserError: if there are fewer axes.
    """
    array = np.asarray(values.detach().cpu().numpy() if isinstance(values, Tensor) else values, dtype=np.float64)
    if array.ndim < ndim:
        raise UserError(f"{what}: found shape {array.shape}; at least {ndim} axes are needed")
    return array


def integers(values: Values, length: int, what: str) -> Integers:
    """Class numbers as int64, ``(length,)``.

    Raises:
        UserError: if the shape is another, or a value is not whole.
    """
    array = floats(values, 1, what)
    if array.shape != (length,):
        raise UserError(f"{what}: found shape {array.shape}; ({length},) is needed")
    if not np.array_equal(array, np.trunc(array)):
        raise UserError(f"{what}: found values that are not whole; class numbers are needed")
    return array.astype(np.int64)
