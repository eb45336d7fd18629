"""Studies side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import numpy as np
import pandas as pd

from eiann.errors import UserError
from optimize.analysis.front import hypervolume, reference_point
from optimize.dominance import nondominated
from optimize.results.ranking import complete_trials, feasible_trials, none_best
from optimize.space.formula import Condition

_RESAMPLES: Final = 2000


def compare_studies(
    studies: Mapping[str, pd.DataFrame],
    objectives: Sequence[str],
    *,
    by: str | None = None,
    budget: int | None = None,
    constraints: Mapping[str, Sequence[Condition]] = MappingProxyType({}),
    seed: int = 0,
) -> pd.DataFrame:
    """What each study found, at the same budget and measured from the same point.

    A study that had more trials has had more luck. So each is taken at ``budget`` trials: its best is the mean of the
    lowest of as many trials drawn from it, and the hypervolume is that of its first ones. A trial that violates a
    constraint of its study counts as one that was tried, but its objectives do not count.

    Columns: ``study, trials, complete, feasible`` (complete and within all constraints), ``failed, budget, best``
    (lowest of all), ``best_low, best_mean, best_high`` (of the lowest of ``budget`` trials, 95 % over resamples),
    ``median``, ``hypervolume``, ``seconds`` per trial, and ``chance_of_best``: how often its resampled best is the
    lowest of all studies.

    Args:
        studies: name -> table of trials.
        objectives: those that all have.
        by: the objective for best and median; left out, the first.
        budget: trials; left out, as many as the smallest study has.
        constraints: name of a study -> conditions on the features of its trials.
        seed: of the resamples.

    Raises:
        UserError: there is no study or no common objective, or a study has no complete trial, or none that satisfies
            its constraints.
    """
    if not studies or not objectives:
        raise UserError("comparison: found no study or no objective that all of them have")
    column = f"objectives.{by or objectives[0]}"
    ended = {name: trials[trials["state"].isin(["COMPLETE", "FAIL", "PRUNED"])] for name, trials in studies.items()}
    able = {name: feasible_trials(trials, constraints.get(name, ())) for name, trials in ended.items()}
    for name, trials in ended.items():
        if able[name].empty:
            raise none_best(name, trials, [limit.text for limit in constraints.get(name, ())])
        if column not in trials:
            raise UserError(f"comparison: study {name!r} has no {column}")
    size = budget or min(len(trials) for trials in ended.values())
    columns = [f"objectives.{name}" for name in objectives]
    everything = np.vstack([trials[columns].to_numpy(dtype=np.float64) for trials in able.values()])
    point = reference_point(everything)
    rng = np.random.default_rng(seed)
    lowest = {
        name: _lowest(able[name][column].reindex(trials.index).to_numpy(dtype=np.float64), size, rng)
        for name, trials in ended.items()
    }
    drawn = np.column_stack(list(lowest.values()))
    wins = (drawn == drawn.min(1, keepdims=True)) & np.isfinite(drawn)
    chances = (wins / np.maximum(wins.sum(1, keepdims=True), 1)).mean(0)
    rows = []
    for (name, trials), chance in zip(ended.items(), chances, strict=True):
        done = able[name]
        values = done[column].to_numpy(dtype=np.float64)
        best = lowest[name][np.isfinite(lowest[name])]
        low, high = np.percentile(best, [2.5, 97.5])
        begun = done[done["number"].isin(trials.sort_values("number").head(size)["number"])]
        first = begun[columns].to_numpy(dtype=np.float64)
        front = first[nondominated(first)]
        rows.append(
            {
                "study": name,
                "trials": len(trials),
                "complete": len(complete_trials(trials)),
                "feasible": len(done),
                "failed": int((trials["state"] == "FAIL").sum()),
                "budget": size,
                "best": values.min(),
                "best_low": low,
                "best_mean": best.mean(),
                "best_high": high,
                "median": float(np.median(values)),
                "hypervolume": hypervolume(front, point),
                "seconds": float(trials["seconds"].mean()),
                "chance_of_best": chance,
            }
        )
    return pd.DataFrame(rows).sort_values("best_mean").reset_index(drop=True)


def _lowest(
    values: np.ndarray[tuple[int], np.dtype[np.float64]], size: int, rng: np.random.Generator
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """The lowest of ``size`` trials drawn with replacement, many times; infinite where all of them failed."""
    known = np.where(np.isfinite(values), values, np.inf)
    return np.asarray(known[rng.integers(len(known), size=(_RESAMPLES, size))].min(1))
