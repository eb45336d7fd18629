"""Tables of trials with known answers, without a study."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd

from optimize.space import Parameter

Floats = npt.NDArray[np.float64]


def cube(dimensions: int, low: float = 0.0, high: float = 1.0) -> tuple[Parameter, ...]:
    return tuple(Parameter(f"x{i}", "float", low=low, high=high) for i in range(1, dimensions + 1))


def table(points: Floats, values: Floats | None = None, *, name: str = "y") -> pd.DataFrame:
    """Complete trials at these points."""
    count = len(points)
    data = {
        "number": np.arange(count),
        "state": "COMPLETE",
        "finished": pd.date_range("2026-01-01", periods=count, freq="min", tz="UTC"),
        "seconds": 1.0,
        "failure": None,
        **{f"params.x{i}": column for i, column in enumerate(points.T, start=1)},
    }
    if values is not None:
        data[f"objectives.{name}"] = values
        data[f"features.{name}"] = values
    return pd.DataFrame(data)


def sampled(function: Callable[[Floats], Floats], parameters: tuple[Parameter, ...], count: int) -> pd.DataFrame:
    """Uniform points of a space, and a function of them."""
    bounds = [(parameter.low or 0.0, parameter.high or 1.0) for parameter in parameters]
    low, high = np.array(bounds).T
    points = np.random.default_rng(7).uniform(low, high, (count, len(parameters)))
    return table(points, function(points))


def ishigami(x: Floats) -> Floats:
    """Ishigami and Homma (1990); first-order indices 0.314, 0.442, 0; total 0.558, 0.442, 0.244."""
    return np.asarray(np.sin(x[:, 0]) + 7 * np.sin(x[:, 1]) ** 2 + 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0]))


def instance_table(values: Floats, *, failed: npt.NDArray[np.bool_] | None = None) -> pd.DataFrame:
    """Accuracies ``(trials, instances)`` as a table of instances."""
    trials, count = values.shape
    numbers, places = np.divmod(np.arange(trials * count), count)
    lost = np.zeros(values.shape, dtype=bool) if failed is None else failed
    return pd.DataFrame(
        {
            "number": numbers,
            "instance": places,
            "network_seed": places + 100,
            "data_seed": places + 200,
            "features.accuracy": np.where(lost, np.nan, values).ravel(),
            "failure": np.where(lost, "loss is not finite (nan, validation loss from step 7 on)", None).ravel(),
        }
    )
