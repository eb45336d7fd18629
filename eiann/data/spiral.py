"""Points on the arms of a spiral in the plane: the task of the small networks."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import torch
from pydantic import Field

from eiann.data.dataset import Dataset, DataSets, one_hot
from eiann.data.registry import register
from eiann.errors import UserError

POSITIVE_OFFSET = 2.0
"""Shift that makes all coordinates of the default spiral positive, for networks whose inputs are firing rates."""

# Fractions are multiplied as floats and cut, as published results did: 90 points per arm give 62, 13 and 13.
_FRACTIONS = (0.7, 0.15, 0.15)


@register("spiral")
def spiral(
    *,
    protocol: Literal["reference", "separate"] = "reference",
    points_per_arm: Annotated[int, Field(ge=7)] = 2000,
    arms: Annotated[int, Field(ge=2)] = 4,
    noise: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.16,
    positive_inputs: bool = False,
    seed: Annotated[int, Field(ge=0)] = 0,
) -> DataSets:
    """Spiral arms in the plane, one class each: 70 / 15 / 15 % of the points for training, validation and test.

    Args:
        protocol: ``"reference"`` draws all three parts with the same seed, as published results did: validation and
            test are then *identical*, point for point. ``"separate"`` draws them with seeds seed, seed+1, seed+2.
        points_per_arm: points of one arm over all three parts.
        arms: number of arms, which is the number of classes.
        noise: standard deviation of the noise at the outer end; it grows linearly from 0 at the centre.
        positive_inputs: shift both coordinates by +2.
        seed: of the points.

    Returns:
        inputs ``(points, 2)``, targets ``(points, arms)``; points stand arm after arm, from the centre outwards.

    Example:
        >>> data = spiral(protocol="separate", points_per_arm=100)
        >>> data.train.inputs.shape, data.test.classes
        (torch.Size([280, 2]), 4)
    """
    offset = POSITIVE_OFFSET if positive_inputs else 0.0
    counts = [int(fraction * points_per_arm) for fraction in _FRACTIONS]
    steps = (0, 0, 0) if protocol == "reference" else (0, 1, 2)
    train, validation, test = (
        spiral_points(count, arms=arms, noise=noise, offset=offset, seed=seed + step, name=f"spiral/{part}")
        for count, step, part in zip(counts, steps, ("train", "validation", "test"), strict=True)
    )
    caution = None
    if protocol == "reference":
        caution = "validation and test points of the reference protocol are identical: test results are not held out"
    return DataSets(train, validation, test, caution)


def spiral_points(
    points: int, *, arms: int = 4, noise: float = 0.16, offset: float = 0.0, seed: int = 0, name: str = "spiral"
) -> Dataset:
    """One set of spiral points, ``points`` on each arm.

    With u going from 0 to 1 along arm k of K, and unit normal e1, e2::

        x = u * (sin(2 pi / K * (2 u + k)) + noise * e1) + offset
        y = u * (cos(2 pi / K * (2 u + k)) + noise * e2) + offset

    All noise of x on an arm is drawn before that of y, arm after arm, from one generator seeded with ``seed``; the
    global generator is left alone.

    Raises:
        UserError: if ``points`` or ``arms`` is not positive.
    """
    if points < 1 or arms < 1:
        raise UserError(f"spiral: found {points} points on {arms} arms; both are at least 1")
    generator = torch.Generator().manual_seed(seed)
    along = torch.linspace(0.0, 1.0, points)
    coordinates = []
    for arm in range(arms):
        angle = (2.0 * math.pi / arms) * (2.0 * along + arm)
        x = along * (torch.sin(angle) + noise * torch.randn(points, generator=generator)) + offset
        y = along * (torch.cos(angle) + noise * torch.randn(points, generator=generator)) + offset
        coordinates.append(torch.stack((x, y), dim=1))
    labels = torch.arange(arms).repeat_interleave(points)
    return Dataset(torch.cat(coordinates), one_hot(labels, arms), name)
