"""Test problems with known Pareto fronts, all minimized: what search quality is measured on besides networks."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Problem:
    """A function of several objectives.

    Attributes:
        high: upper bounds of the variables, the lower ones are 0.
        objectives: how many.
        function: from a point to its objectives.
        reference: point that hypervolumes are measured from.
        best: hypervolume of the true front.
    """

    high: tuple[float, ...]
    objectives: int
    function: Callable[[Vector], Vector]
    reference: tuple[float, ...]
    best: float


def zdt1(x: Vector) -> Vector:
    """Zitzler, Deb & Thiele 2000."""
    g = 1 + 9 * x[1:].mean()
    return np.array([x[0], g * (1 - math.sqrt(x[0] / g))])


def dtlz2(x: Vector) -> Vector:
    """Deb, Thiele, Laumanns & Zitzler 2005, three objectives."""
    g = ((x[2:] - 0.5) ** 2).sum()
    a, b = x[0] * math.pi / 2, x[1] * math.pi / 2
    return (1 + g) * np.array([math.cos(a) * math.cos(b), math.cos(a) * math.sin(b), math.sin(a)])


def wfg4(z: Vector, positions: int = 4) -> Vector:
    """Huband, Hingston, Barone & While 2006: multi-modal in every variable; two objectives."""
    y = z / (2.0 * np.arange(1, len(z) + 1))
    away = np.abs(y - 0.35) / (2 * (np.floor(0.35 - y) + 0.35))
    shifted = (1 + np.cos((4 * 30 + 2) * math.pi * (0.5 - away)) + 4 * 10 * away**2) / (10 + 2)
    position, distance = shifted[:positions].mean(), shifted[positions:].mean()
    angle = position * math.pi / 2
    return distance + np.array([2 * math.sin(angle), 4 * math.cos(angle)])


PROBLEMS = {
    "zdt1": Problem((1.0,) * 30, 2, zdt1, (1.1, 6.0), 1.1 * 6.0 - 1 / 3 - 0.0),
    "dtlz2": Problem((1.0,) * 12, 3, dtlz2, (1.1, 1.1, 1.1), 1.1**3 - math.pi / 6),
    "wfg4": Problem(tuple(2.0 * (i + 1) for i in range(24)), 2, wfg4, (3.0, 5.0), 15 - 2 * math.pi),
}
