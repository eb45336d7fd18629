"""Receptive fields: what a unit wants to see, and how much spatial structure that has."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from eiann.errors import UserError
from eiann.metrics.arrays import Floats, Values, floats


def morans_i(fields: Values, shape: tuple[int, int] = (28, 28)) -> Floats:
    """Moran's I of each field, ``(..., pixels)`` -> ``(...)``: near 0 for noise, towards 1 for smooth patches.

    With z the deviation from the field's mean, n pixels and the 8 neighbours of each (zero outside of the image)::

        I = (n / 8 n) * sum_xy z_xy (sum of z over the neighbours) / sum z^2

    The total weight 8 n ignores that pixels at the border have fewer neighbours. NaN for a constant field.

    Literature: Moran (1950), "Notes on continuous stochastic phenomena".

    Args:
        fields: one field a row, row after row of its image.
        shape: height and width of the image.

    Raises:
        UserError: if the pixels are not height times width.
    """
    values = floats(fields, 1, "fields")
    height, width = shape
    if values.shape[-1] != height * width:
        raise UserError(f"fields: found {values.shape[-1]} pixels; an image of {height} x {width} has {height * width}")
    images = values.reshape(*values.shape[:-1], height, width)
    z = images - images.mean(axis=(-2, -1), keepdims=True)
    constant = (images == images[..., :1, :1]).all(axis=(-2, -1))
    padded = np.pad(z, [(0, 0)] * (z.ndim - 2) + [(1, 1), (1, 1)])
    shifts = [(row, column) for row in range(3) for column in range(3) if (row, column) != (1, 1)]
    around = sum(padded[..., row : row + height, column : column + width] for row, column in shifts)
    power = (z**2).sum(axis=(-2, -1))
    found = np.divide((z * around).sum(axis=(-2, -1)), 8.0 * power, out=np.zeros_like(power), where=power > 0)
    return np.where(constant, np.nan, found)


def field_structure(fields: Values, shape: tuple[int, int] = (28, 28)) -> Floats:
    """Structure of each receptive field, ``(..., pixels)`` -> ``(...)``: the absolute value of Moran's I."""
    return np.abs(morans_i(fields, shape))


def activation_maximization(
    gradient: Callable[[Tensor], Tensor],
    inputs: Tensor,
    *,
    samples: int = 1000,
    batch: int = 50,
    seed: int = 0,
) -> Tensor:
    """Receptive fields of units deep in a network: the mean gradient of their activity over images.

    The field of a unit is the mean over one image of U(-0.01, 0.01) and over the gradients of its activity at
    ``samples`` images drawn (with replacement) from ``inputs``. All units see the same images.

    Args:
        gradient: for inputs ``(b, features)``, d activity / d input: ``(b, ..., features)``, such as
            ``(b, units, features)`` or ``(b, replicas, units, features)``.
        inputs: ``(n, features)``, usually those of the test set.
        samples: gradients in the mean.
        batch: images in one call of ``gradient``; only memory depends on it.
        seed: of the drawn images and of the first image.

    Returns:
        Fields ``(..., features)``, in the shape that ``gradient`` gave without its first axis.

    Raises:
        UserError: if a count is not positive, or ``gradient`` gives another shape.

    Example:
        >>> weights = torch.tensor([[1.0, 0.0], [0.0, -2.0]])
        >>> fields = activation_maximization(lambda x: weights.expand(len(x), 2, 2), torch.rand(8, 2), samples=5000)
        >>> torch.allclose(fields, weights, atol=1e-3)
        True
    """
    if samples < 1 or batch < 1 or inputs.ndim != 2:
        raise UserError(
            f"activation maximization: found inputs {tuple(inputs.shape)}, {samples} samples, batch {batch}; "
            "(n, features) and positive counts are needed"
        )
    numbers = np.random.default_rng(seed)
    drawn = torch.from_numpy(numbers.integers(len(inputs), size=samples)).to(inputs.device)
    total: Tensor | None = None
    for start in range(0, samples, batch):
        images = inputs[drawn[start : start + batch]]
        slopes = gradient(images)
        if slopes.shape[0] != len(images) or slopes.shape[-1] != inputs.shape[1]:
            raise UserError(
                f"activation maximization: found gradients {tuple(slopes.shape)} for {len(images)} images of "
                f"{inputs.shape[1]} features; ({len(images)}, ..., {inputs.shape[1]}) is needed"
            )
        part = slopes.detach().sum(0)
        total = part if total is None else total + part
    assert total is not None
    first = numbers.uniform(-0.01, 0.01, math.prod(total.shape)).reshape(total.shape)
    return (total + torch.from_numpy(first).to(total)) / (samples + 1)
