"""What a reader must know before believing a number: warnings, each with what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pandas as pd

from eiann.errors import UserError
from optimize.analysis import failure_report
from optimize.report.material import Material

Level = Literal["serious", "caution", "good"]

_EDGE: Final = 0.02
_FEW_SEEDS: Final = 5
_SMALL_P: Final = 0.05
_DROP: Final = 5
"""Points of accuracy that a mean may fall on fresh seeds before it is worth a word."""


@dataclass(frozen=True)
class Finding:
    """One thing to know.

    Attributes:
        level: how much it matters.
        title: in a few words.
        text: what was seen, and what to do.
    """

    level: Level
    title: str
    text: str


def findings(material: Material) -> list[Finding]:
    """All findings, the serious ones first."""
    found = [finding for look in _LOOKS for finding in look(material)]
    order = {"serious": 0, "caution": 1, "good": 2}
    return sorted(found, key=lambda finding: order[finding.level])


def _fresh_seeds(material: Material) -> Iterator[Finding]:
    path = material.study.folder.path
    if material.fresh is None:
        yield Finding(
            "serious",
            "No measurement on fresh seeds",
            "Every figure here comes from the seeds and the validation data that trials were selected on, so the best "
            f"ones are partly the luckiest. Measure them: eiann reevaluate {path} --top 5 --fresh-seeds 30",
        )
        return
    yield from _losses(material.fresh)
    if (share := float(material.fresh["failed_share"].max())) > 0:
        yield Finding(
            "caution", "Failures on fresh seeds", f"Up to {100 * share:.0f} % of a trial's fresh runs failed."
        )


def _losses(fresh: pd.DataFrame) -> Iterator[Finding]:
    """Every trial that was measured again: whose mean fell, and whose worst run fell though its mean held."""
    own = fresh["own_mean"].fillna(fresh.get("selected_accuracy", np.nan))
    fell = (own - fresh["held_out_accuracy"]) > _DROP
    if fell.any():
        words = [
            f"trial {int(row['number'])} from {before:.1f} % on its own seeds to {row['held_out_accuracy']:.1f} %"
            for (_, row), before in zip(fresh[fell].iterrows(), own[fell], strict=True)
        ]
        yield Finding(
            "caution",
            "The best loses on fresh seeds" if fell.iloc[0] else f"{_of(fell)} lose on fresh seeds",
            f"Mean accuracy fell: {_some(words)} in the mean of {int(fresh['instances'].max())} fresh ones.",
        )
    if "worst" not in fresh:
        return
    frail = ((fresh["own_worst"] - fresh["worst"]) > 2 * _DROP) & ~fell
    if frail.any():
        words = [
            f"trial {int(row['number'])} {row['worst']:.1f} % ({row['own_worst']:.1f} % on its own)"
            for _, row in fresh[frail].iterrows()
        ]
        yield Finding(
            "caution",
            "A fresh seed can be much worse",
            f"Means hold, single runs do not. Worst of {int(fresh['instances'].max())} fresh seeds: {_some(words)}.",
        )


def _of(chosen: pd.Series) -> str:
    return f"{int(chosen.sum())} of {len(chosen)} trials"


def _some(words: list[str], most: int = 4) -> str:
    return "; ".join(words[:most]) + (f"; and {len(words) - most} others" if len(words) > most else "")


def _few_seeds(material: Material) -> Iterator[Finding]:
    count = len(material.study.spec.search_space.instances)
    if count < _FEW_SEEDS:
        yield Finding(
            "caution",
            f"{count} seed{'s' if count > 1 else ''} per trial",
            "Intervals from so few are too narrow, and small differences between trials are luck. Use --instances 5 or "
            "more.",
        )


def _unsure_order(material: Material) -> Iterator[Finding]:
    ranking = material.ranking
    if ranking is None or len(ranking) < 2 or int(ranking["instances"].iloc[0]) < 2:
        return
    first = ranking.iloc[0]
    if first["chance_of_best"] < 0.8:
        rivals = int((ranking["rank_low"] <= 1).sum())
        yield Finding(
            "caution",
            "The first place is not sure",
            f"By {material.aggregate} {material.objectives[0].replace('_', ' ')}, trial {int(first['number'])} is best "
            f"in {100 * first['chance_of_best']:.0f} % of resamples of its seeds; {rivals} trials may be first.",
        )


def _failures(material: Material) -> Iterator[Finding]:
    trials = material.trials
    ended = trials[trials["state"].isin(["COMPLETE", "FAIL"])]
    failed = int((ended["state"] == "FAIL").sum())
    if failed:
        share = failed / len(ended)
        yield Finding(
            "serious" if share > 0.3 else "caution",
            f"{failed} of {len(ended)} trials failed",
            f"{_where_instances_die(material)}See: eiann analyze failures {material.study.folder.path}",
        )


def _where_instances_die(material: Material, below: float | None = None) -> str:
    try:
        first = failure_report(material.trials, material.instances, material.parameters, below=below).iloc[0]
    except UserError:
        return ""
    if first["p"] >= _SMALL_P:
        return "No single parameter explains it. "
    inside, outside = 100 * first["inside"], 100 * first["outside"]
    return f"Where {first['parameter']} {first['where']}, {inside:.0f} % of instances die; elsewhere {outside:.0f} %. "


def _learned_nothing(material: Material) -> Iterator[Finding]:
    """A network whose outputs are silent answers one class to everything."""
    guess = chance(material)
    accuracy = material.instances.get("features.accuracy")
    if guess is None or accuracy is None:
        return
    dead = ((accuracy - guess).abs() < 0.5).groupby(material.instances["number"]).any()
    count = int(dead.sum())
    best = material.instances[material.instances["number"] == material.best["number"]]["features.accuracy"]
    if bool(((best - guess).abs() < 0.5).any()):
        yield Finding(
            "serious",
            "The best trial has dead runs",
            f"On some of its seeds it guesses ({guess:.0f} %): its outputs fell silent or answer one class only.",
        )
    elif count > 0.2 * len(dead):
        yield Finding(
            "caution",
            f"{count} of {len(dead)} trials have runs that learned nothing",
            f"Their accuracy is that of guessing, {guess:.0f} %. {_where_instances_die(material, guess + 1)}"
            f"See: eiann analyze failures {material.study.folder.path} --below {guess + 1:.0f}",
        )


def _at_bounds(material: Material) -> Iterator[Finding]:
    if len(material.places) < 10:
        return
    good = material.places.head(material.good)
    low, high = (good < _EDGE).mean(), (good > 1 - _EDGE).mean()
    kinds = {parameter.name: parameter.kind for parameter in material.parameters}
    best = material.places.iloc[0]
    hit = []
    for name in good.columns:
        if kinds[name] == "categorical":
            continue
        for share, end, at in ((low[name], "lower", best[name] < _EDGE), (high[name], "upper", best[name] > 1 - _EDGE)):
            if at or (share > 0.3 and len(good) >= 4):
                hit.append(f"{name} ({end})")
    if hit:
        yield Finding(
            "caution",
            f"{len(hit)} parameter{'s' if len(hit) > 1 else ''} at a bound",
            f"Good trials press against {', '.join(hit[:6])}{' and others' if len(hit) > 6 else ''}; better "
            "ones may lie beyond it.",
        )


def _budget(material: Material) -> Iterator[Finding]:
    ended = int(material.trials["state"].isin(["COMPLETE", "FAIL", "PRUNED"]).sum())
    if ended < material.study.budget:
        yield Finding(
            "caution",
            "The study is not finished",
            f"{ended} of {material.study.budget} trials ended. Go on with: eiann resume {material.study.folder.path}",
        )
    few = 5 * len(material.parameters)
    if len(material.complete) < few:
        yield Finding(
            "caution",
            "Few trials for so many parameters",
            f"{len(material.complete)} complete trials of {len(material.parameters)} parameters say little about which "
            f"of them matter; {few} would be a beginning.",
        )
    best = material.history[f"best.{material.objectives[0]}"]
    if len(best) >= 20 and best.iloc[-1] < best.iloc[int(0.8 * len(best))]:
        yield Finding(
            "caution", "Still getting better", "The last fifth of the trials improved on the best before; more may too."
        )


def _noise(material: Material) -> Iterator[Finding]:
    if material.importance is None:
        return
    clear = material.importance[material.importance["low"] > material.importance["noise"]]
    if clear.empty:
        yield Finding(
            "caution",
            "No parameter stands out",
            "No importance lies above what the same estimate gives for shuffled results; do not read the order as one.",
        )


def _notes(material: Material) -> Iterator[Finding]:
    for note in material.notes:
        yield Finding("caution", "Best network", note)


def chance(material: Material) -> float | None:
    """Accuracy of guessing in percent, from the number of output units."""
    network = material.study.spec.search_space.network
    layers = list(network.layer_config.values())
    sizes = [population.size for population in layers[-1].values() if population.size] if layers else []
    return 100 / sizes[0] if sizes else None


def near_chance(material: Material) -> float | None:
    """Accuracy of guessing, if the first objective is accuracy and a seed of the best trials came within 20 points.

    A picture of trials that are all far above it has better uses for its width.
    """
    guess = chance(material)
    if guess is None or material.objectives[0] != "accuracy" or material.ranking is None:
        return None
    best = material.instances[material.instances["number"].isin(material.ranking["number"])]
    return guess if float(best["features.accuracy"].min()) < guess + 20 else None


def count_by_level(found: list[Finding]) -> pd.Series:
    """How many of each level."""
    return pd.Series([finding.level for finding in found], dtype="object").value_counts()


_LOOKS: Final[tuple[Callable[[Material], Iterator[Finding]], ...]] = (
    _fresh_seeds,
    _failures,
    _learned_nothing,
    _few_seeds,
    _unsure_order,
    _at_bounds,
    _budget,
    _noise,
    _notes,
)
