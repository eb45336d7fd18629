"""Which trials are best: by one objective, or by dominance."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from eiann.errors import UserError
from optimize.dominance import Costs, nondominated
from optimize.space.formula import Condition, suggest

_RANK: Final = "_rank"


def complete_trials(trials: pd.DataFrame) -> pd.DataFrame:
    """The trials that have objectives."""
    return trials[trials["state"] == "COMPLETE"]


def feasible_trials(trials: pd.DataFrame, constraints: Sequence[Condition]) -> pd.DataFrame:
    """The complete trials whose aggregated features satisfy all constraints."""
    done = complete_trials(trials)
    keep = (
        [
            all(limit.holds({name: row[f"features.{name}"] for name in limit.names}) for limit in constraints)
            for row in done.to_dict("records")
        ]
        if constraints
        else [True] * len(done)
    )
    return done[np.array(keep, dtype=np.bool_)]


def none_best(name: str, trials: pd.DataFrame, constraints: Sequence[str]) -> UserError:
    """Why a study has no best trial: none is complete yet, or none of the complete ones satisfies its constraints.

    Args:
        name: of the study.
        trials: its table of trials, none of them feasible.
        constraints: of its space, in words.
    """
    count = len(complete_trials(trials))
    if not count:
        return UserError(f"study {name!r} has no complete trial yet")
    return UserError(
        f"study {name!r}: of {count} complete trials none satisfies the constraints {', '.join(constraints)}; more "
        "trials, or a space with wider constraints, would be right"
    )


def pareto_front(trials: pd.DataFrame, objectives: Sequence[str]) -> pd.DataFrame:
    """The complete trials that no other one beats: none is as good in all objectives and better in one.

    Ordered by the objectives, the first one first; then by number.
    """
    done = complete_trials(trials)
    return _ordered(done[nondominated(_costs(done, objectives))], objectives)


def best_trials(trials: pd.DataFrame, k: int, by: str | None, objectives: Sequence[str]) -> pd.DataFrame:
    """The ``k`` best complete trials.

    Args:
        trials: a table of trials.
        k: how many, at most; 1 or more.
        by: an objective, or ``None`` for Pareto rank, and within a rank the objectives in their order.
        objectives: of the study.

    Raises:
        UserError: there is no such objective, or fewer than one trial is asked for.
    """
    if k < 1:
        raise UserError(f"found {k} as the number of best trials; at least 1 would be right")
    if by is not None and by not in objectives:
        raise UserError(f"found the objective {by!r}; {suggest(by, objectives)}")
    done = complete_trials(trials)
    if by is not None:
        return _ordered(done, [by, *(name for name in objectives if name != by)]).head(k)
    ranks = pareto_ranks(_costs(done, objectives))
    ordered = _ordered(done.assign(**{_RANK: ranks}), objectives).sort_values(_RANK, kind="stable")
    return ordered.drop(columns=_RANK).head(k)


def pareto_ranks(costs: Costs) -> npt.NDArray[np.int64]:
    """Rank of each point, ``(n, objectives)`` -> ``(n,)``: 1 for those that no other dominates, 2 for the next front.

    A point with a NaN is dominated by none and dominates none.

    Literature: Zhang et al. (2015), "An efficient approach to nondominated sorting for evolutionary multiobjective
    optimization" (ENS-BS).

    Example:
        >>> pareto_ranks(np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [2.0, 2.0]])).tolist()
        [1, 1, 2, 3]
    """
    ranks = np.ones(len(costs), dtype=np.int64)
    known = ~np.isnan(costs).any(1)
    # Without equal points "as good in everything" is dominance; adding 0 makes one number of 0 and -0.
    points, same = np.unique(costs[known] + 0.0, axis=0, return_inverse=True)
    ranks[known] = _ranks_in_order(points)[same.reshape(-1)]
    return ranks


def _ranks_in_order(points: Costs) -> npt.NDArray[np.int64]:
    """Ranks of different points in the order of their coordinates, in which none is dominated by a later one.

    A point that some of a front dominate, some of every earlier front dominate as well: its own is found by halving.
    """
    count, objectives = points.shape
    if objectives == 1:
        return np.arange(1, count + 1)
    if objectives == 2:
        # The last point of a front is its lowest in the second objective, and it is higher from front to front.
        lowest: list[float] = []
        ranks = []
        for height in points[:, 1].tolist():
            place = bisect_right(lowest, height)
            lowest[place : place + 1] = [height]
            ranks.append(place + 1)
        return np.array(ranks, dtype=np.int64)
    fronts: list[_Front] = []
    ranks = []
    for point in points:
        low, high = 0, len(fronts)
        while low < high:
            middle = (low + high) // 2
            if fronts[middle].dominates(point):
                low = middle + 1
            else:
                high = middle
        if low == len(fronts):
            fronts.append(_Front(objectives))
        fronts[low].add(point)
        ranks.append(low + 1)
    return np.array(ranks, dtype=np.int64)


class _Front:
    """Points of one rank, in an array that grows."""

    def __init__(self, objectives: int) -> None:
        self._points = np.empty((8, objectives))
        self._count = 0

    def add(self, point: Costs) -> None:
        """Take a point in."""
        if self._count == len(self._points):
            self._points = np.concatenate((self._points, np.empty_like(self._points)))
        self._points[self._count] = point
        self._count += 1

    def dominates(self, point: Costs) -> bool:
        """Whether any of them is as good in everything."""
        return bool((self._points[: self._count] <= point).all(1).any())


def _ordered(trials: pd.DataFrame, objectives: Sequence[str]) -> pd.DataFrame:
    return trials.sort_values([*(f"objectives.{name}" for name in objectives), "number"])


def _costs(trials: pd.DataFrame, objectives: Sequence[str]) -> Costs:
    return trials[[f"objectives.{name}" for name in objectives]].to_numpy(dtype=np.float64)
