"""How the front advanced: its hypervolume after every trial."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from eiann.errors import UserError
from optimize.analysis.unit import Floats
from optimize.dominance import nondominated
from optimize.results.ranking import complete_trials

QUARTILE = 75
"""Percentile of each objective from which on it counts as bad."""
_MARGIN = 0.1


def front_history(
    trials: pd.DataFrame, objectives: Sequence[str], reference: Sequence[float] | None = None
) -> pd.DataFrame:
    """The front after every complete trial, in the order in which they ended.

    Columns: ``trials`` (complete ones so far), ``number``, ``finished``, ``best.*`` (lowest value of each objective so
    far), ``front`` (trials in it), ``on_front`` (whether this trial joined it), ``hypervolume``, and ``reference.*``,
    the point that the hypervolume is measured from.

    Literature: Zitzler and Thiele (1999), "Multiobjective evolutionary algorithms: a comparative case study".

    Args:
        trials: a table of trials.
        objectives: of the study, all minimized.
        reference: a point that is worse than what counts; left out, see ``reference_point``.

    Raises:
        UserError: the reference has another number of objectives.
    """
    done = complete_trials(trials).sort_values(["finished", "number"])
    columns = [f"objectives.{name}" for name in objectives]
    costs = done[columns].to_numpy(dtype=np.float64)
    point = reference_point(costs) if reference is None else np.asarray(reference, dtype=np.float64)
    if point.shape != (len(objectives),):
        raise UserError(f"found a reference point of {point.size} numbers; there are {len(objectives)} objectives")
    rows = []
    front = np.empty((0, len(objectives)))
    volume = 0.0
    for position, cost in enumerate(costs):
        joined = not ((front <= cost).all(1) & (front < cost).any(1)).any()
        if joined:
            volume += _gain(cost, front, point)
            beaten = (cost <= front).all(1) & (cost < front).any(1)
            front = np.vstack((front[~beaten], cost))
        rows.append((position + 1, len(front), joined, volume))
    counted = pd.DataFrame(rows, columns=["trials", "front", "on_front", "hypervolume"], index=done.index)
    table = done[["number", "finished"]].join(counted)
    for name, best, at in zip(objectives, np.minimum.accumulate(costs, axis=0).T, point, strict=True):
        table[f"best.{name}"] = best
        table[f"reference.{name}"] = at
    order = ["trials", "number", "finished", *(f"best.{name}" for name in objectives), "front", "on_front"]
    return table[[*order, "hypervolume", *(f"reference.{name}" for name in objectives)]].reset_index(drop=True)


def reference_point(costs: Floats) -> Floats:
    """What hypervolumes are measured from if nothing else is said.

    The upper quartile of each objective, and a tenth of the way from the best beyond it. The worst value would not do:
    one network that diverges would make all differences between good ones vanish. It depends on all trials, so to
    compare studies, give them one point.
    """
    finite = costs[np.isfinite(costs).all(1)]
    if not len(finite):
        return np.ones(costs.shape[1])
    bad = np.asarray(np.percentile(finite, QUARTILE, axis=0))
    way = bad - finite.min(0)
    point: Floats = bad + _MARGIN * np.where(way > 0, way, np.maximum(np.abs(bad), 1.0))
    return point


def _gain(cost: Floats, front: Floats, reference: Floats) -> float:
    """What a point adds to the hypervolume of a front: what it dominates, without what of that the front dominates.

    Of the front, only few points matter where it is cut off at the new one; the whole volume anew after every trial
    would take minutes for a few thousand trials.

    Literature: While, Bradstreet and Barone (2012), "A fast way of calculating exact hypervolumes".
    """
    if not (cost < reference).all():
        return 0.0
    alone = float(np.prod(reference - cost))
    return max(0.0, alone - hypervolume(np.maximum(front, cost), reference))


def hypervolume(points: Floats, reference: Floats) -> float:
    """Volume between the reference and all that the points dominate; exact, for any number of objectives.

    By slicing along the last objective; a front of n points in d objectives takes about n^(d-1) steps.

    Literature: While et al. (2006), "A faster algorithm for calculating hypervolume".

    Args:
        points: ``(n, d)``, minimized.
        reference: ``(d,)``; points that are not better than it in every objective add nothing.

    Example:
        >>> hypervolume(np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([2.0, 2.0]))
        3.0
    """
    inside = points[(points < reference).all(1)]
    if not len(inside):
        return 0.0
    if inside.shape[1] == 1:
        return float(reference[0] - inside.min())
    if inside.shape[1] > 2:
        # In two objectives the slices below leave out dominated points by themselves.
        inside = inside[nondominated(inside)]
    order = np.argsort(inside[:, -1], kind="stable")
    inside = inside[order]
    depths = np.append(inside[:, -1], reference[-1])
    if inside.shape[1] == 2:
        heights = reference[0] - np.minimum.accumulate(inside[:, 0])
        return float((heights * np.diff(depths)).sum())
    return sum(
        hypervolume(inside[: i + 1, :-1], reference[:-1]) * float(depths[i + 1] - depths[i])
        for i in range(len(inside))
        if depths[i + 1] > depths[i]
    )
