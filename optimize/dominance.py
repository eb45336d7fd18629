"""Which of several points are better than others when there is more than one objective."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Costs = npt.NDArray[np.float64]


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


def fronts(costs: Costs, most: int | None = None) -> npt.NDArray[np.intp]:
    """Pareto rank of ``n`` points: 0 for the front, 1 for the front of the rest, and so on.

    Args:
        costs: ``(n, objectives)``, all minimized.
        most: ranks to tell apart; whatever comes behind them has this rank.

    Example:
        >>> fronts(np.array([[0.0, 1.0], [1.0, 1.0], [1.0, 0.0], [2.0, 2.0]])).tolist()
        [0, 1, 0, 2]
    """
    ranks = np.zeros(len(costs), dtype=np.intp)
    left = np.arange(len(costs))
    rank = 0
    while len(left) and (most is None or rank < most):
        front = nondominated(costs[left])
        ranks[left[front]] = rank
        left = left[~front]
        rank += 1
    ranks[left] = rank
    return ranks
