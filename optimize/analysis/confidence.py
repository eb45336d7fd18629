"""How sure a ranking is: instances are few, and the best of many is partly the luckiest."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from eiann.errors import UserError

_RESAMPLES: Final = 4000
_TAIL: Final = 2.5


def ranking_confidence(
    instances: pd.DataFrame, feature: str, *, maximize: bool, top: int = 10, resamples: int = _RESAMPLES, seed: int = 0
) -> pd.DataFrame:
    """The best trials by the mean of a feature, with what is known about their order.

    Instances are resampled within each trial (bootstrap). Trials share their seeds, so one draw of instances is taken
    for all of them: what a seed does to every trial does not blur their order. Trials with a failed instance are left
    out, as in the study.

    Columns: ``number, instances, mean, low, high`` (95 % of the mean), ``chance_of_best`` (share of resamples in which
    it is first among all of these), ``rank_low, rank_high`` (95 % of its rank). Best mean first. With fewer than five
    instances intervals are too narrow; nothing here knows what other seeds would do.

    Literature: Efron (1979), "Bootstrap methods: another look at the jackknife".

    Args:
        instances: a table of instances.
        feature: column, such as ``features.accuracy``.
        maximize: whether more is better.
        top: this many trials, by their mean.
        resamples: of the bootstrap.
        seed: of the bootstrap.

    Raises:
        UserError: no trial has the feature on all of its instances.
    """
    table = instances.pivot(index="number", columns="instance", values=feature)
    table = table.astype(float).dropna()
    if table.empty:
        raise UserError(f"ranking: found no trial that has {feature} on all of its instances")
    sign = -1.0 if maximize else 1.0
    table = table.assign(_mean=table.mean(axis=1) * sign).sort_values("_mean", kind="stable").head(top)
    values = table.drop(columns="_mean").to_numpy(dtype=np.float64)
    rng = np.random.default_rng(seed)
    picks = rng.integers(values.shape[1], size=(resamples, values.shape[1]))
    means = values[:, picks].mean(2)
    costs = sign * means
    first = costs == costs.min(0)
    # Ties share the place they are tied for.
    chance = (first / first.sum(0)).mean(1)
    ranks = 1 + (costs[:, None, :] > costs[None, :, :]).sum(1)
    low, high = np.percentile(means, [_TAIL, 100 - _TAIL], axis=1)
    rank_low, rank_high = np.percentile(ranks, [_TAIL, 100 - _TAIL], axis=1)
    return pd.DataFrame(
        {
            "number": table.index.to_numpy(),
            "instances": values.shape[1],
            "mean": values.mean(1),
            "low": low,
            "high": high,
            "chance_of_best": chance,
            "rank_low": np.floor(rank_low).astype(int),
            "rank_high": np.ceil(rank_high).astype(int),
        }
    )
