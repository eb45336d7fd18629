"""Which trials are best: by one objective, or by dominance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from eiann.errors import UserError
from optimize.space.formula import suggest

Costs = npt.NDArray[np.float64]


def complete_trials(trials: pd.DataFrame) -> pd.DataFrame:
    """The trials that have objectives."""
    return trials[trials["state"] == "COMPLETE"]


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
        k: how many, at most.
        by: an objective, or ``None`` for Pareto rank, and within a rank the objectives in their order.
        objectives: of the study.

    Raises:
        UserError: there is no such objective.
    """
    if by is not None and by not in objectives:
        raise UserError(f"found the objective {by!r}; {suggest(by, objectives)}")
    done = complete_trials(trials)
    if by is not None:
        return _ordered(done, [by, *(name for name in objectives if name != by)]).head(k)
    chosen: list[pd.DataFrame] = []
    while len(done) and sum(map(len, chosen)) < k:
        front = nondominated(_costs(done, objectives))
        chosen.append(_ordered(done[front], objectives))
        done = done[~front]
    return pd.concat(chosen).head(k) if chosen else done


def nondominated(costs: Costs) -> npt.NDArray[np.bool_]:
    """Which of ``n`` points are dominated by none; ``costs`` is ``(n, objectives)``, all minimized.

    Equal points do not dominate each other.

    Example:
        >>> nondominated(np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])).tolist()
        [True, True, False]
    """
    # In this order a point can only be dominated by one before it, so that one pass against the front suffices.
    order = np.lexsort(costs.T[::-1])
    front = np.empty_like(costs)
    size = 0
    free = np.zeros(len(costs), dtype=np.bool_)
    for i in order:
        point, others = costs[i], front[:size]
        if not ((others <= point).all(1) & (others < point).any(1)).any():
            front[size] = point
            size += 1
            free[i] = True
    return free


def _ordered(trials: pd.DataFrame, objectives: Sequence[str]) -> pd.DataFrame:
    return trials.sort_values([*(f"objectives.{name}" for name in objectives), "number"])


def _costs(trials: pd.DataFrame, objectives: Sequence[str]) -> Costs:
    return trials[[f"objectives.{name}" for name in objectives]].to_numpy(dtype=np.float64)
