"""Along which scale a step in a parameter is taken: every range becomes the interval from 0 to 1, and back."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

WIDE: Final = 100.0
"""A linear range whose bounds differ by this factor is stepped through in orders of magnitude."""


def to_unit(value: float, distribution: BaseDistribution, *, log_steps: bool = True) -> float:
    """Where a number lies in its range, from 0 to 1, along the scale of steps.

    Example:
        >>> to_unit(0.01, FloatDistribution(1e-4, 1.0, log=True))
        0.5
    """
    low, high, bend = _scale(distribution, log_steps)
    return min(1.0, max(0.0, (_bent(value, bend) - low) / (high - low))) if high > low else 0.5


def from_unit(unit: float, distribution: BaseDistribution, *, log_steps: bool = True) -> int | float:
    """The number at a place of the range; whole numbers are rounded, each has an equal share of the scale."""
    low, high, bend = _scale(distribution, log_steps)
    value = _straight(low + unit * (high - low), bend)
    bounds = _numeric(distribution)
    if isinstance(distribution, IntDistribution):
        return int(min(max(round(value), bounds.low), bounds.high))
    return float(min(max(value, bounds.low), bounds.high))


def near(
    value: Any,
    distribution: BaseDistribution,
    size: float,
    rng: np.random.Generator,
    *,
    wrap: bool = False,
    log_steps: bool = True,
) -> Any:
    """A value one step away from another.

    A number moves uniformly by up to half of ``size`` of its range to either side; what would lie beyond a bound is
    reflected at it, or comes in again at the other end. A choice is drawn anew with probability ``size``.

    Args:
        value: where the step starts.
        distribution: of the parameter.
        size: from 0 to 1; 1 reaches the whole range.
        rng: drawn from once or twice.
        wrap: come in again at the other end.
        log_steps: see ``WIDE``; without it, only ranges that are declared so are on a logarithmic scale.
    """
    if isinstance(distribution, CategoricalDistribution):
        anew = rng.random() < size
        position = int(rng.integers(len(distribution.choices)))
        return distribution.choices[position] if anew else value
    unit = to_unit(value, distribution, log_steps=log_steps) + size * (rng.random() - 0.5)
    unit = unit % 1.0 if wrap else _reflected(unit)
    return from_unit(unit, distribution, log_steps=log_steps)


def anywhere(distribution: BaseDistribution, rng: np.random.Generator, *, log_steps: bool = True) -> Any:
    """A value of the range, uniform along the scale of steps."""
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[int(rng.integers(len(distribution.choices)))]
    return from_unit(rng.random(), distribution, log_steps=log_steps)


def _reflected(unit: float) -> float:
    unit = abs(unit) % 2.0
    return 2.0 - unit if unit > 1.0 else unit


def _scale(distribution: BaseDistribution, log_steps: bool) -> tuple[float, float, float | None]:
    """Ends of the scale, and the number at which it bends from linear to logarithmic: 0 for nowhere, None for never."""
    bounds = _numeric(distribution)
    margin = 0.5 if isinstance(bounds, IntDistribution) else 0.0
    low, high = bounds.low - margin, bounds.high + margin
    bend = 0.0 if bounds.log else None
    smaller, larger = sorted((abs(low), abs(high)))
    if log_steps and not bounds.log and smaller > 0 and larger / smaller >= WIDE:
        bend = smaller
    return _bent(low, bend), _bent(high, bend), bend


def _bent(value: float, bend: float | None) -> float:
    """The log-modular scale sign(x) log10(1 + |x| / bend) (John & Draper 1980), linear only around 0."""
    if bend is None:
        return value
    if bend == 0:
        return math.log10(value)
    return math.copysign(math.log10(1.0 + abs(value) / bend), value)


def _straight(value: float, bend: float | None) -> float:
    if bend is None:
        return value
    if bend == 0:
        return float(10.0**value)
    return math.copysign(bend * (10.0 ** abs(value) - 1.0), value)


def _numeric(distribution: BaseDistribution) -> FloatDistribution | IntDistribution:
    if not isinstance(distribution, FloatDistribution | IntDistribution):
        raise TypeError(f"found a {type(distribution).__name__}; only numbers have a scale")
    return distribution
