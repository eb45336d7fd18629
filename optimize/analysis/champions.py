"""Which trials to look at: the best all-rounders, and the specialist of each objective."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from optimize.analysis.unit import Floats
from optimize.results.ranking import complete_trials, pareto_ranks


def ranked(trials: pd.DataFrame, objectives: Sequence[str]) -> pd.DataFrame:
    """All complete trials with ``rank`` and ``balance``, the best first.

    ``rank`` is 1 for the front, 2 for the front of what remains, and so on. ``balance`` is the sum of the objectives,
    each as its part of the range from the best to the worst of the trials: 0 is best in everything. Within a rank,
    lower balance comes first.

    Literature: Deb et al. (2002), "A fast and elitist multiobjective genetic algorithm: NSGA-II".
    """
    done = complete_trials(trials)
    costs = done[[f"objectives.{name}" for name in objectives]].to_numpy(dtype=np.float64)
    scored = done.assign(rank=pareto_ranks(costs), balance=_parts(costs).sum(1))
    return scored.sort_values(["rank", "balance", "number"])


def champions(trials: pd.DataFrame, objectives: Sequence[str], top: int = 5) -> pd.DataFrame:
    """The ``top`` trials by rank, and the specialists: the best trial of each objective.

    Columns: ``role`` (``rank`` or ``best OBJECTIVE``), ``place`` within it, ``number``, ``rank``, ``balance``,
    ``objectives.*``, ``features.*``, ``instances_ok``.
    """
    scored = ranked(trials, objectives)
    parts = [scored.head(top).assign(role="rank", place=range(1, min(top, len(scored)) + 1))]
    for name in objectives:
        others = [f"objectives.{other}" for other in objectives if other != name]
        best = scored.sort_values([f"objectives.{name}", *others, "number"]).head(1)
        parts.append(best.assign(role=f"best {name}", place=range(1, len(best) + 1)))
    table = pd.concat(parts, ignore_index=True)
    measured = [name for name in table.columns if name.startswith(("objectives.", "features."))]
    return table[["role", "place", "number", "rank", "balance", *measured, "instances_ok"]]


def _parts(costs: Floats) -> Floats:
    if not len(costs):
        return costs
    low, spread = costs.min(0), np.ptp(costs, axis=0)
    parts: Floats = np.divide(costs - low, spread, out=np.zeros_like(costs), where=spread > 0)
    return parts
