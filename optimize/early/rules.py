"""The two comparisons: a trial that is behind too many others, and one that may still be among the best."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from optimize.dominance import nondominated
from optimize.early.rungs import RungValues, Yardstick
from optimize.space.early import Race, Stopping


def hopeless(mine: RungValues, yardstick: Yardstick, rule: Stopping) -> str | None:
    """Why a trial is given up at a rung, in words, or ``None``.

    Its costs, less ``margin`` standard errors, are ranked among those that earlier trials had at this rung: by value
    for a single objective, by Pareto front for several. Successive halving (Jamieson & Talwalkar 2016) in its
    asynchronous form: nobody waits for a rung to fill, and the trials before decide.

    Example:
        >>> others = Yardstick(tuple(
        ...     (RungValues(kind="instances", at=1, costs=(i,), instances=((i,),)),) for i in range(10)))
        >>> mine = RungValues(kind="instances", at=1, costs=(7.5,), instances=((7.5,),))
        >>> hopeless(mine, others, Stopping(instances=(1,), keep=0.5, warmup=5))
        'given up after 1 instances: behind 8 of 10 trials'
        >>> hopeless(mine, others, Stopping(instances=(1,), keep=0.9, warmup=5)) is None
        True
    """
    others = yardstick.at(mine.key)
    if len(others) < rule.warmup:
        return None
    scatter = mine.scatter or yardstick.scatter(mine.key) or (0.0,) * len(mine.costs)
    best_case = np.array(mine.costs) - rule.margin * np.array(scatter) / np.sqrt(len(mine.instances))
    behind = _in_front(np.array([other.costs for other in others]), best_case)
    if behind < rule.keep * len(others):
        return None
    return f"given up after {mine.at} {mine.kind}: behind {behind} of {len(others)} trials"


def _in_front(others: np.ndarray[tuple[int, int], np.dtype[np.float64]], point: Sequence[float] | np.ndarray) -> int:
    """How many of the others are on a better Pareto front than the point."""
    point = np.asarray(point)
    if len(point) == 1:
        return int((others[:, 0] < point[0]).sum())
    ahead = 0
    while True:
        dominated = ((others <= point).all(1) & (others < point).any(1)).any()
        if not dominated:
            return ahead
        front = nondominated(others)
        ahead += int(front.sum())
        others = others[~front]


def is_contender(mine: RungValues, yardstick: Yardstick, rule: Race) -> bool:
    """Whether a trial may still be among the best, by the instances that it shares with them.

    It is out if a trial of the Pareto front is better in every objective: the mean of the paired differences, instance
    by instance, is above 0 by a one-sided t test at the confidence. An objective in which the two are equal on every
    instance counts as no worse. (Racing: Maron & Moore 1994; paired, over instances: Birattari et al. 2002.)
    """
    return not any(_surely_worse(mine, best, rule.confidence) for best in yardstick.front)


def _surely_worse(mine: RungValues, best: RungValues, confidence: float) -> bool:
    shared = min(len(mine.instances), len(best.instances))
    if shared < 2:
        return False
    from scipy.special import stdtrit  # the quantile of t; scipy.stats would take seconds to import

    difference = np.array(mine.instances[:shared]) - np.array(best.instances[:shared])
    mean, spread = difference.mean(0), difference.std(0, ddof=1)
    limit = stdtrit(shared - 1, confidence) * spread / np.sqrt(shared)
    equal = (difference == 0).all(0)
    return bool(((mean > limit) | equal).all() and not equal.all())
