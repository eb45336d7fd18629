"""Which trials are best: by one objective, or by dominance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from eiann.errors import UserError
from optimize.dominance import Costs, nondominated
from optimize.space.formula import Condition, suggest


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


def _ordered(trials: pd.DataFrame, objectives: Sequence[str]) -> pd.DataFrame:
    return trials.sort_values([*(f"objectives.{name}" for name in objectives), "number"])


def _costs(trials: pd.DataFrame, objectives: Sequence[str]) -> Costs:
    return trials[[f"objectives.{name}" for name in objectives]].to_numpy(dtype=np.float64)
