"""Degeneracy: how many different networks do the task equally well.

Prinz, Bucher and Marder (2004), "Similar network activity from disparate circuit parameters", found that very
different parameters can serve one function. Here the trials of a study are asked the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from eiann.errors import UserError
from optimize.analysis.unit import Floats, costs_of, unit_points, usable
from optimize.space import Parameter

TOLERANCE: Final = 0.1
"""A trial is as good as the best if it lies within this part of the way from the best to the median."""
_LEAST: Final = 5
_BLOCK: Final = 1_000_000
"""Distances held at once where those of all pairs are looked through: 8 MB."""


def degenerate_group(
    trials: pd.DataFrame,
    parameters: Sequence[Parameter],
    target: str,
    *,
    tolerance: float | None = None,
    maximize: bool = False,
) -> pd.DataFrame:
    """The trials that are as good as the best one, and how far from it and from one another they are.

    Distances are root mean squares over parameters in unit coordinates: two random points of the space are about 0.41
    apart (``sqrt(1/6)``), whatever their number of parameters.

    Columns: ``number``, the target, ``excess`` (how much worse than the best), ``distance`` (from the best),
    ``nearest`` (distance to the nearest other member), ``cluster`` (0, 1, ...; see ``clusters``), ``minimum`` (whether
    it is a local minimum of the study, see ``local_minima``). Best first.

    Args:
        trials: a table of trials.
        parameters: searched parameters.
        target: a column.
        tolerance: largest excess of a member; left out, a tenth of the way from the best to the median.
        maximize: whether more of the target is better, see ``optimize.analysis.unit.upwards``.

    Raises:
        UserError: fewer than five complete trials have the target.
    """
    done = usable(trials, target, _LEAST, "degeneracy")
    costs = costs_of(done, target, maximize=maximize)
    points = unit_points(done, parameters)
    limit = TOLERANCE * float(np.median(costs) - costs.min()) if tolerance is None else tolerance
    minimum = local_minima(points, costs)
    good = np.flatnonzero(costs <= costs.min() + limit)
    good = good[np.argsort(costs[good], kind="stable")]
    apart = distances(points[good])
    # In place: for a large group a second table of all pairs would be too much.
    np.fill_diagonal(apart, np.inf)
    nearest = apart.min(1) if len(good) > 1 else np.array([np.nan])
    np.fill_diagonal(apart, 0.0)
    return pd.DataFrame(
        {
            "number": done["number"].to_numpy()[good],
            target: done[target].to_numpy(dtype=np.float64)[good],
            "excess": costs[good] - costs.min(),
            "distance": apart[0],
            "nearest": nearest,
            "cluster": clusters(apart),
            "minimum": minimum[good],
        }
    )


def distance_and_error(trials: pd.DataFrame, parameters: Sequence[Parameter], target: str) -> pd.DataFrame:
    """Every trial's distance from the best one, beside its target: a funnel if there is one basin.

    Columns: ``number``, the target, ``distance`` (root mean square over parameters in unit coordinates), ``minimum``
    (whether no near trial is better). Nearest first.

    Args:
        trials: a table of trials.
        parameters: searched parameters.
        target: a column to be minimized.

    Raises:
        UserError: fewer than five complete trials have the target.
    """
    done = usable(trials, target, _LEAST, "degeneracy")
    values = done[target].to_numpy(dtype=np.float64)
    points = unit_points(done, parameters)
    best = points[int(values.argmin())]
    table = pd.DataFrame(
        {
            "number": done["number"].to_numpy(),
            target: values,
            "distance": np.sqrt(((points - best) ** 2).mean(1)),
            "minimum": local_minima(points, values),
        }
    )
    return table.sort_values(["distance", "number"]).reset_index(drop=True)


def distances(points: Floats) -> Floats:
    """Root mean square differences of all pairs of points, ``(n, d)`` -> ``(n, n)``.

    Example:
        >>> distances(np.array([[0.0, 0.0], [1.0, 1.0]])).tolist()
        [[0.0, 1.0], [1.0, 0.0]]
    """
    apart = _squares(points, points)
    np.fill_diagonal(apart, 0.0)
    apart /= points.shape[1]
    return np.sqrt(apart, out=apart)


def _squares(some: Floats, points: Floats) -> Floats:
    """Squared distances of ``some`` of the points ``(k, d)`` to all of them ``(n, d)``: ``(k, n)``."""
    found: Floats = some @ points.T
    found *= -2
    found += (some**2).sum(1)[:, None] + (points**2).sum(1)
    # Rounding can leave less than nothing between equal points.
    return np.maximum(found, 0.0, out=found)


def clusters(apart: Floats) -> npt.NDArray[np.int64]:
    """Groups of points that lie closer to each other than to the rest; 0 for the group of the first point.

    Average linkage, cut where the silhouette is highest; one group if no cut has a silhouette above 0.25, below which
    Kaufman and Rousseeuw (1990) call structure accidental.

    Args:
        apart: distances, ``(n, n)``.
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform
    from sklearn.metrics import silhouette_score

    count = len(apart)
    single = np.zeros(count, dtype=np.int64)
    if count < 4 or not apart.any():
        return single
    tree = linkage(squareform(apart, checks=False), method="average")
    best, score = single, 0.25
    for parts in range(2, min(count - 1, 12) + 1):
        labels = fcluster(tree, parts, criterion="maxclust")
        if not 2 <= len(set(labels)) < count:
            continue
        found = float(silhouette_score(apart, labels, metric="precomputed"))
        if found > score:
            best, score = labels, found
    _, first, inverse = np.unique(best, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse].astype(np.int64)


def local_minima(points: Floats, values: Floats, neighbours: int | None = None) -> npt.NDArray[np.bool_]:
    """Which points are better than all of their nearest neighbours.

    Of several that are equally near, the first ones count.

    Args:
        points: ``(n, d)``.
        values: ``(n,)``, minimized.
        neighbours: left out, one more than there are dimensions, at least 5 and at most a quarter of the points.
    """
    count, dimensions = points.shape
    wanted = neighbours or max(5, dimensions + 1)
    near = min(wanted, max(1, count // 4))
    found = np.zeros(count, dtype=np.bool_)
    size = max(1, _BLOCK // max(1, count))
    for start in range(0, count, size):
        rows = np.arange(start, min(start + size, count))
        apart = _squares(points[rows], points)
        apart[np.arange(len(rows)), rows] = np.inf
        limit = np.partition(apart, near - 1, axis=1)[:, near - 1 : near]
        inside = apart < limit
        at = apart == limit
        inside |= at & (at.cumsum(1) <= near - inside.sum(1, keepdims=True))
        found[rows] = values[rows] < np.where(inside, values, np.inf).min(1)
    return found


def summary(group: pd.DataFrame) -> str:
    """The group in one sentence."""
    if group.empty:
        raise UserError("degeneracy: found an empty group")
    parts = int(group["cluster"].nunique())
    words = f"{len(group)} trials are as good as the best, within {group['excess'].max():.3g}"
    if len(group) == 1:
        return "no other trial is as good as the best"
    return (
        f"{words}; the farthest is {group['distance'].max():.2f} away (two random points: 0.41), "
        f"in {parts} cluster{'s' if parts > 1 else ''}"
    )
