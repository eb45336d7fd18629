"""How sure a ranking is: instances are few, and the best of many is partly the luckiest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import pandas as pd

from eiann.errors import UserError
from optimize.analysis.unit import Floats
from optimize.space.document import Aggregate

_RESAMPLES: Final = 4000
_TAIL: Final = 2.5
_BLOCK: Final = 1_000_000
"""Numbers held at once for each step of the bootstrap: 8 MB."""


def ranking_confidence(
    instances: pd.DataFrame,
    feature: str,
    *,
    maximize: bool,
    aggregate: Aggregate = "mean",
    top: int = 10,
    resamples: int = _RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """The best trials by a feature over their instances, with what is known about their order.

    Instances are resampled within each trial (bootstrap). Trials share their seeds, so one draw of instances is taken
    for all of them: what a seed does to every trial does not blur their order. Trials with a failed instance are left
    out, as in the study.

    Columns: ``number, instances, mean, low, high`` (95 % of the mean), ``median`` or ``worst`` where that is the
    aggregate, ``chance_of_best`` (share of resamples in which its aggregate is first among all of these), ``rank_low,
    rank_high`` (95 % of its rank). Best aggregate first. With fewer than five instances intervals are too narrow;
    nothing here knows what other seeds would do. The worst instance is missing from a third of the resamples, and none
    holds a worse one: its chances are those among seeds like these.

    Literature: Efron (1979), "Bootstrap methods: another look at the jackknife".

    Args:
        instances: a table of instances.
        feature: column, such as ``features.accuracy``.
        maximize: whether more is better.
        aggregate: what of the instances the order is by: an objective's own, for the order of the study.
        top: this many trials, by their aggregate.
        resamples: of the bootstrap.
        seed: of the bootstrap.

    Raises:
        UserError: no trial has the feature on all of its instances.
    """
    from scipy.stats import rankdata  # takes seconds to import

    table = instances.pivot(index="number", columns="instance", values=feature)
    table = table.astype(float).dropna()
    if table.empty:
        raise UserError(f"ranking: found no trial that has {feature} on all of its instances")
    sign = -1.0 if maximize else 1.0
    # Lower is better from here on.
    everything = sign * table.to_numpy(dtype=np.float64)
    best = np.argsort(_combined(everything, aggregate), kind="stable")[:top]
    costs = everything[best]
    rng = np.random.default_rng(seed)
    picks = rng.integers(costs.shape[1], size=(resamples, costs.shape[1]))
    tails = [_TAIL, 100 - _TAIL]
    again = np.empty((len(best), resamples))
    low, high = np.empty((2, len(best)))
    for some in _blocks(len(best), resamples * costs.shape[1]):
        drawn = costs[some][:, picks]
        low[some], high[some] = np.percentile(sign * drawn.mean(2), tails, axis=1)
        again[some] = _combined(drawn, aggregate)
    chance = np.zeros(len(best))
    ranks = np.empty((len(best), resamples), dtype=np.int32)
    for some in _blocks(resamples, len(best)):
        part = again[:, some]
        first = part == part.min(0)
        # Ties share the place they are tied for.
        chance += (first / first.sum(0)).sum(1) / resamples
        ranks[:, some] = rankdata(part, method="min", axis=0)
    rank_low, rank_high = np.empty((2, len(best)))
    for some in _blocks(len(best), resamples):
        rank_low[some], rank_high[some] = np.percentile(ranks[some], tails, axis=1)
    found = pd.DataFrame(
        {
            "number": table.index.to_numpy()[best],
            "instances": costs.shape[1],
            "mean": sign * costs.mean(1),
            "low": low,
            "high": high,
            "chance_of_best": chance,
            "rank_low": np.floor(rank_low).astype(int),
            "rank_high": np.ceil(rank_high).astype(int),
        }
    )
    if aggregate != "mean":
        found.insert(5, aggregate, sign * _combined(costs, aggregate))
    return found


def _blocks(count: int, size: int) -> Iterator[slice]:
    """Parts of ``count`` rows of ``size`` numbers, none larger than what is held at once."""
    step = max(1, _BLOCK // max(1, size))
    return (slice(start, start + step) for start in range(0, count, step))


def _combined(costs: Floats, aggregate: Aggregate) -> Floats:
    """``(..., instances)`` -> ``(...)``, lower is better."""
    match aggregate:
        case "mean":
            return np.asarray(costs.mean(-1))
        case "median":
            return np.asarray(np.median(costs, axis=-1))
        case "worst":
            return np.asarray(costs.max(-1))
