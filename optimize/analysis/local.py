"""Which parameter moves which feature, around one solution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd

from eiann.errors import UserError
from optimize.analysis.unit import Floats, from_unit, to_unit, trials_with, unit_points
from optimize.space import Parameter
from optimize.space.document import Value

STEP: Final = 0.05
"""Size of a designed step, in parts of a parameter's range."""
_TAIL: Final = 2.5


def local_slopes(
    trials: pd.DataFrame,
    parameters: Sequence[Parameter],
    number: int,
    targets: Sequence[str],
    *,
    neighbours: int | None = None,
    resamples: int = 200,
    seed: int = 0,
) -> pd.DataFrame:
    """Slopes of targets at a trial, from the trials around it.

    A ridge regression on the differences to the trial in unit coordinates, weighted by nearness (Gaussian, as wide as
    the neighbour in the middle is far) and centred at the trial itself. Its penalty is chosen by leave-one-out error,
    so that parameters that did not vary around the trial get a slope near 0 with a wide interval and not a wild one.

    Columns: ``parameter, target, slope`` (change of the target over the whole range of the parameter, were it linear),
    ``low, high`` (95 % bootstrap over the neighbours), ``effect`` (slope in standard deviations of the target) and
    ``trials`` used. Ordered by target and size of the effect.

    Args:
        trials: a table of trials.
        parameters: searched parameters.
        number: of the trial in the middle, a complete one.
        targets: columns.
        neighbours: how many of the nearest trials are used; left out, five for each parameter, at least 20.
        resamples: of the bootstrap.
        seed: of the bootstrap.

    Raises:
        UserError: the trial is not there or not complete, or has too few neighbours.
    """
    middle = trials[trials["number"] == number]
    if middle.empty:
        raise UserError(f"local sensitivity: there is no trial {number}")
    rows = []
    for target in targets:
        done = trials_with(trials, target)
        around = done[done["number"] != number]
        if len(around) < 10 or number not in set(done["number"]):
            raise UserError(
                f"local sensitivity: trial {number} and 10 others must be complete with {target}; found "
                f"{len(around)} others"
            )
        away = unit_points(around, parameters) - unit_points(middle, parameters)
        values = around[target].to_numpy(dtype=np.float64)
        far = np.sqrt((away**2).mean(1))
        nearest = np.argsort(far, kind="stable")[: neighbours or max(20, 5 * len(parameters))]
        away, values, far = away[nearest], values[nearest], far[nearest]
        width = float(np.median(far)) or 1.0
        weights = np.exp(-0.5 * (far / width) ** 2)
        start = float(middle[target].iloc[0])
        penalty = _penalty(away, values - start, weights)
        slopes = _ridge(away, values - start, weights, penalty)
        rng = np.random.default_rng(seed)
        again = np.array(
            [
                _ridge(away[pick], values[pick] - start, weights[pick], penalty)
                for pick in _picks(rng, len(far), resamples)
            ]
        )
        low, high = np.percentile(again, [_TAIL, 100 - _TAIL], axis=0)
        spread = float(done[target].astype(float).std()) or 1.0
        for i, parameter in enumerate(parameters):
            bounds = min(low[i], slopes[i]), max(high[i], slopes[i])
            rows.append((parameter.name, target, slopes[i], *bounds, slopes[i] / spread, len(far)))
    table = pd.DataFrame(rows, columns=["parameter", "target", "slope", "low", "high", "effect", "trials"])
    return _by_effect(table, targets)


def local_design(params: Mapping[str, Value], parameters: Sequence[Parameter], *, step: float = STEP) -> pd.DataFrame:
    """Points around a solution that differ from it in one parameter each, and the solution itself first.

    Columns: ``moved`` (parameter, empty for the solution), ``shift`` (how far it moved, in parts of its range) and
    ``params.*``. A step that would leave the range is made in the other direction only; a whole number or a choice
    moves to the next one at least. Parameters that the solution does not have are left out.
    """
    rows: list[dict[str, Value]] = [{"moved": "", "shift": 0.0, **_columns(params)}]
    for parameter in parameters:
        if parameter.name not in params:
            continue
        here = to_unit(params[parameter.name], parameter)
        least = _spacing(parameter)
        for direction in (-1, 1):
            place = here + direction * max(step, least)
            if not -1e-9 <= place <= 1 + 1e-9:
                continue
            value = from_unit(place, parameter)
            if value == params[parameter.name]:
                continue
            shift = to_unit(value, parameter) - here
            rows.append({"moved": parameter.name, "shift": shift, **_columns({**params, parameter.name: value})})
    return pd.DataFrame(rows)


def design_slopes(design: pd.DataFrame, instances: pd.DataFrame, targets: Sequence[str]) -> pd.DataFrame:
    """Slopes of targets from a measured ``local_design``: central differences, instance by instance.

    Every point was measured on the same seeds, so the difference between two points is one of parameters and not of
    luck; what differs between seeds is in the interval.

    Columns: ``parameter, target, slope`` (change over the whole range of the parameter, were it linear), ``low, high``
    (mean and 1.96 standard errors over instances), ``lost`` (measurements of its points without a value).

    Args:
        design: from ``local_design``.
        instances: columns ``row`` (of the design), ``instance`` and the targets.
        targets: columns of ``instances``.
    """
    rows = []
    shifts = design["shift"].to_numpy(dtype=np.float64)
    for target in targets:
        values = instances.pivot(index="row", columns="instance", values=target).reindex(range(len(design)))
        measured = values.to_numpy(dtype=np.float64)
        for name in design["moved"].unique():
            if not name:
                continue
            own = np.flatnonzero((design["moved"] == name).to_numpy())
            # With one side only, the solution is the other end.
            ends = own if len(own) == 2 else np.array([0, own[0]])
            first, last = ends[np.argsort(shifts[ends])]
            slopes = (measured[last] - measured[first]) / (shifts[last] - shifts[first])
            known = slopes[np.isfinite(slopes)]
            mean = float(known.mean()) if len(known) else np.nan
            error = float(known.std(ddof=1) / np.sqrt(len(known))) if len(known) > 1 else np.nan
            lost = int((~np.isfinite(measured[own])).sum())
            rows.append((name, target, mean, mean - 1.96 * error, mean + 1.96 * error, lost))
    table = pd.DataFrame(rows, columns=["parameter", "target", "slope", "low", "high", "lost"])
    return _by_effect(table, targets, by="slope")


def _columns(params: Mapping[str, Value]) -> dict[str, Value]:
    return {f"params.{name}": value for name, value in params.items()}


def _spacing(parameter: Parameter) -> float:
    """Distance of neighbouring values in unit coordinates; 0 for a continuous parameter."""
    if parameter.kind == "categorical":
        return 1 / max(1, len(parameter.choices) - 1)
    if parameter.kind == "int" and parameter.scale == "linear" and parameter.high != parameter.low:
        assert parameter.low is not None
        assert parameter.high is not None
        return 1 / (parameter.high - parameter.low)
    return 0.0


def _ridge(x: Floats, y: Floats, weights: Floats, penalty: float) -> Floats:
    root = np.sqrt(weights)[:, None]
    a, b = x * root, y * root[:, 0]
    gram = a.T @ a + penalty * weights.sum() * np.eye(x.shape[1])
    return np.asarray(np.linalg.solve(gram, a.T @ b))


def _penalty(x: Floats, y: Floats, weights: Floats) -> float:
    """The penalty with the least leave-one-out error, which a ridge regression knows without leaving anything out."""
    root = np.sqrt(weights)[:, None]
    a, b = x * root, y * root[:, 0]
    scale = float((a**2).sum() / weights.sum() / x.shape[1]) or 1.0
    best, least = 1.0, np.inf
    for penalty in scale * np.logspace(-4, 2, 13):
        inverse = np.linalg.inv(a.T @ a + penalty * weights.sum() * np.eye(x.shape[1]))
        hat = a @ inverse @ a.T
        left = np.clip(1 - np.diag(hat), 1e-9, None)
        error = float((((b - hat @ b) / left) ** 2).sum())
        if error < least:
            best, least = float(penalty), error
    return best


def _picks(rng: np.random.Generator, count: int, resamples: int) -> Floats:
    return rng.integers(count, size=(resamples, count))  # type: ignore[return-value]


def _by_effect(table: pd.DataFrame, targets: Sequence[str], by: str = "effect") -> pd.DataFrame:
    order = {target: i for i, target in enumerate(targets)}
    keyed = table.assign(_target=table["target"].map(order), _size=-table[by].abs())
    return (
        keyed.sort_values(["_target", "_size", "parameter"]).drop(columns=["_target", "_size"]).reset_index(drop=True)
    )
