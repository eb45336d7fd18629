"""Which parameters make instances die."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from eiann.errors import UserError
from optimize.analysis.unit import from_unit, unit_columns
from optimize.space import Parameter

_PERMUTATIONS: Final = 500
_SMALLEST_PART: Final = 0.05
_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?(e[-+]?\d+)?|\bnan\b|-?\binf\b", re.IGNORECASE)


def died(instances: pd.DataFrame, *, below: float | None = None) -> npt.NDArray[np.bool_]:
    """Which instances died: they have failed, or, if asked, are no more accurate than ``below`` percent.

    A network whose outputs fell silent is no failure to a study that rejects nothing; its accuracy is that of guessing.
    """
    failed = instances["failure"].notna().to_numpy(dtype=np.bool_)
    if below is None:
        return failed
    accuracy = instances["features.accuracy"].to_numpy(dtype=np.float64)
    return failed | ~(accuracy > below)


def failure_report(
    trials: pd.DataFrame,
    instances: pd.DataFrame,
    parameters: Sequence[Parameter],
    *,
    below: float | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """For each parameter, the part of its range where instances die most, and whether that is chance.

    A range is cut once, where the share of dead instances differs most between both sides (weighted by their size). The
    p value is the share of shufflings of trials, done alike for every parameter, whose best cut over all parameters is
    as good: it is corrected for looking at many parameters and at many cuts.

    Columns: ``parameter, where`` (such as ``> 0.3``), ``inside, outside`` (share of dead instances there), ``trials``
    (inside), ``gain`` (part of the variance of death that the cut explains), ``p``. Highest gain first.

    Args:
        trials: a table of trials.
        instances: their instances.
        parameters: searched parameters.
        below: see ``died``.
        seed: of the shufflings.

    Raises:
        UserError: no instance or every instance died, or nothing ran.
    """
    dead = pd.Series(died(instances, below=below), index=instances["number"]).groupby(level=0).mean()
    ran = trials[trials["number"].isin(dead.index)]
    share = dead.reindex(ran["number"]).to_numpy(dtype=np.float64)
    if not len(share):
        raise UserError("failures: found no trial that ran")
    if np.ptp(share) == 0:
        everything = "no instance died" if share[0] == 0 else f"{100 * share[0]:.3g} % died in every trial"
        hint = "" if below is not None else "; --below ACCURACY counts instances that learned nothing as dead"
        raise UserError(f"failures: {everything}, so no parameter makes a difference{hint}")
    places = unit_columns(ran, parameters)
    cuts = [_best_cut(places[parameter.name].to_numpy(), share[:, None]) for parameter in parameters]
    rng = np.random.default_rng(seed)
    shuffled = np.column_stack([rng.permutation(share) for _ in range(_PERMUTATIONS)])
    chance = np.max(
        [_best_cut(places[parameter.name].to_numpy(), shuffled)[0] for parameter in parameters], axis=0, initial=0.0
    )
    rows = []
    for parameter, (gains, thresholds) in zip(parameters, cuts, strict=True):
        gain, threshold = float(gains[0]), float(thresholds[0])
        p = (1 + int((chance >= gain - 1e-12).sum())) / (1 + _PERMUTATIONS)
        place = places[parameter.name].to_numpy()
        above, under = share[place > threshold], share[place <= threshold]
        if not len(above) or not len(under):
            rows.append((parameter.name, "", np.nan, np.nan, 0, 0.0, 1.0))
            continue
        upper = above.mean() >= under.mean()
        inside, outside = (above, under) if upper else (under, above)
        where = _words(parameter, threshold, upper=bool(upper))
        rows.append((parameter.name, where, inside.mean(), outside.mean(), len(inside), gain, p))
    columns = ["parameter", "where", "inside", "outside", "trials", "gain", "p"]
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values(["gain", "parameter"], ascending=[False, True]).reset_index(drop=True)


def failure_reasons(trials: pd.DataFrame, instances: pd.DataFrame) -> pd.DataFrame:
    """Why instances failed and trials without instances failed, numbers in the words left out.

    Columns: ``reason, instances, trials, example`` (number of a trial). Most frequent first.
    """
    bad = instances[instances["failure"].notna()]
    silent = trials[(trials["state"] == "FAIL") & ~trials["number"].isin(instances["number"])]
    texts = pd.concat([bad["failure"], silent["failure"]]).fillna("unknown").astype(str)
    numbers = pd.concat([bad["number"], silent["number"]])
    of_instance = np.r_[np.ones(len(bad), dtype=int), np.zeros(len(silent), dtype=int)]
    listed = pd.DataFrame({"reason": [_without_numbers(text) for text in texts], "number": numbers, "one": of_instance})
    grouped = listed.groupby("reason", sort=False).agg(
        instances=("one", "sum"), trials=("number", "nunique"), example=("number", "min")
    )
    return grouped.reset_index().sort_values(["instances", "trials"], ascending=False).reset_index(drop=True)


def _best_cut(
    place: npt.NDArray[np.float64], share: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The cut of ``place (n,)`` that explains most of the variance of each column of ``share (n, k)``.

    Returns (part of the variance ``(k,)``, threshold ``(k,)``); trials without the parameter are left out.
    """
    columns = share.shape[1]
    known = np.isfinite(place)
    order = np.argsort(place[known], kind="stable")
    x, y = place[known][order], share[known][order]
    count = len(x)
    least = max(2, int(np.ceil(_SMALLEST_PART * count)))
    ends = np.arange(1, count)
    allowed = ends[(x[1:] > x[:-1]) & (ends >= least) & (count - ends >= least)] if count > 1 else ends
    total = ((share - share.mean(0)) ** 2).sum(0)
    if not len(allowed):
        return np.zeros(columns), np.full(columns, np.inf)
    sums = np.cumsum(y, axis=0)
    left, right = sums[allowed - 1], sums[-1] - sums[allowed - 1]
    sizes = allowed[:, None]
    between = sizes * (count - sizes) / count * (left / sizes - right / (count - sizes)) ** 2
    best = between.argmax(0)
    gains = np.divide(between.max(0), total, out=np.zeros(columns), where=total > 0)
    middle = (x[allowed - 1] + x[allowed]) / 2
    return gains, middle[best]


def _words(parameter: Parameter, threshold: float, *, upper: bool) -> str:
    if parameter.kind == "categorical":
        last = max(1, len(parameter.choices) - 1)
        inside = [choice for i, choice in enumerate(parameter.choices) if (i / last > threshold) is upper]
        return "is " + " or ".join(str(choice) for choice in inside)
    return f"{'>' if upper else '<'} {float(from_unit(threshold, parameter)):.3g}"


def _without_numbers(text: str) -> str:
    return _NUMBER.sub("…", text.partition(" (")[0]) if "(" in text else _NUMBER.sub("…", text)
