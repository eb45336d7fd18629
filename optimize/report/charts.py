"""The interactive charts of a report, as plain data for plotly; colours by role, so that a page can be dark or light.

A colour such as ``$ink`` is replaced in the browser by what the page's theme calls it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from optimize.report.chart import ROW, Chart, Trace, dots, line, line_at, numbers, rows_layout, scale
from optimize.report.findings import chance, near_chance
from optimize.report.landscape import contour, funnel
from optimize.report.material import Material

_MOST: Final = 20
_SMOOTH: Final = 100
_NAMED: Final = 5
"""As many seeds have a line of their own colour; more have no colours left."""


def charts(material: Material) -> dict[str, list[Chart]]:
    """Charts by section, those that the material allows."""
    sections: dict[str, list[Callable[[Material], Iterator[Chart]]]] = {
        "progress": [_progress, _hypervolume],
        "front": [_fronts],
        "best": [_ranking],
        "importance": [_importance],
        "places": [_places],
        "landscape": [funnel, contour],
        "network": [_curves],
    }
    return {name: [chart for make in makers for chart in make(material)] for name, makers in sections.items()}


def _progress(material: Material) -> Iterator[Chart]:
    done = material.history
    shown = material.complete.set_index("number").loc[done["number"], material.lead].to_numpy()
    label = material.labels[material.objectives[0]]
    best = done[f"best.{material.objectives[0]}"]
    x = done["trials"].tolist()
    yield Chart(
        "progress",
        f"{label}, trial by trial",
        f"Each dot is a complete trial{material.within}, in the order in which they ended; the line is the best so "
        "far. Lower is better.",
        [
            dots(x, shown, "trial", "$faint", [f"trial {n}" for n in done["number"]]),
            {"type": "scatter", "mode": "lines", "x": x, "y": numbers(best), "name": "best so far", "hoverinfo": "skip",
             "line": {"color": "$first", "width": 2.5, "shape": "hv"}},
        ],
        {"xaxis": {"title": f"complete trials{material.within}"}, "yaxis": {"title": label, **scale(shown)}},
    )  # fmt: skip


def _hypervolume(material: Material) -> Iterator[Chart]:
    if len(material.objectives) < 2:
        return
    done = material.history
    volume = done["hypervolume"].to_numpy(dtype=float)
    if not volume.max() > 0:
        return
    yield Chart(
        "hypervolume",
        "Hypervolume of the front",
        "What the front dominates, as a part of what it dominates now: it rises while any trade-off gets better, and "
        "stays level where the search has stopped finding anything.",
        [
            {"type": "scatter", "mode": "lines", "x": done["trials"].tolist(), "y": numbers(volume / volume.max()),
             "line": {"color": "$third", "width": 2.5, "shape": "hv"}, "fill": "tozeroy", "fillcolor": "$third-wash"},
        ],
        {
            "xaxis": {"title": f"complete trials{material.within}"},
            "yaxis": {"title": "part of the last", "range": [0, 1.05]},
        },
    )  # fmt: skip


def _fronts(material: Material) -> Iterator[Chart]:
    names = material.objectives
    on_front = material.complete["number"].isin(material.front["number"])
    for other in names[1:3]:
        x, y = (material.complete[f"objectives.{name}"] for name in (names[0], other))
        words = [f"trial {n}" for n in material.complete["number"]]
        in_front = [w for w, inside in zip(words, on_front, strict=True) if inside]
        rest = [w for w, inside in zip(words, on_front, strict=True) if not inside]
        yield Chart(
            f"front-{other}",
            f"{material.labels[names[0]]} against {material.labels[other]}",
            f"Trials of the Pareto front, which no other{material.within} beats in all objectives, stand out. Lower is "
            "better in both.",
            [
                dots(x[~on_front], y[~on_front], "other trials", "$faint", rest),
                dots(x[on_front], y[on_front], "front", "$first", in_front, size=10),
            ],
            {
                "xaxis": {"title": material.labels[names[0]]},
                "yaxis": {"title": material.labels[other], **scale(y.to_numpy(dtype=float))},
            },
        )


def _ranking(material: Material) -> Iterator[Chart]:
    ranking = material.ranking
    if ranking is None:
        return
    name = material.objectives[0]
    rows = ranking.iloc[::-1]
    own = material.instances[material.instances["number"].isin(rows["number"])]
    at = {number: position for position, number in enumerate(rows["number"])}
    traces = [
        dots(own[f"features.{name}"], own["number"].map(at), "one seed", "$faint",
              [f"trial {n}, seed {s}" for n, s in zip(own["number"], own["network_seed"], strict=True)]),
        {"type": "scatter", "mode": "markers", "x": numbers(rows["mean"]), "y": list(at.values()), "name": "mean, 95 %",
         "marker": {"color": "$first", "size": 10},
         "error_x": {"type": "data", "symmetric": False, "array": numbers(rows["high"] - rows["mean"]),
                     "arrayminus": numbers(rows["mean"] - rows["low"]), "color": "$first", "thickness": 1.6,
                     "width": 0},
         "text": [f"chance of being best: {100 * p:.0f} %" for p in rows["chance_of_best"]],
         "hovertemplate": "%{x:.4g}<br>%{text}<extra></extra>"},
    ]  # fmt: skip
    fresh = material.fresh
    if fresh is not None and name == "accuracy":
        fresh = fresh[fresh["number"].isin(at)]
        traces.append(
            {"type": "scatter", "mode": "markers", "x": numbers(fresh["held_out_accuracy"]),
             "y": [at[n] - 0.22 for n in fresh["number"]], "name": "fresh seeds, 95 %",
             "marker": {"color": "$second", "size": 10, "symbol": "diamond"},
             "error_x": {"type": "data", "symmetric": False,
                         "array": numbers(fresh["high"] - fresh["held_out_accuracy"]),
                         "arrayminus": numbers(fresh["held_out_accuracy"] - fresh["low"]), "color": "$second",
                         "thickness": 1.6, "width": 0}}
        )  # fmt: skip
    guess = near_chance(material)
    shapes = [] if guess is None else [line_at(guess)]
    yield Chart(
        "ranking",
        f"{name.capitalize()} of the best trials",
        f"Ordered by {material.aggregate} over seeds, as the study does. Small dots are single seeds. "
        "Intervals are 95 % of the mean, of a bootstrap over seeds"
        + (f"; the dotted line is guessing ({guess:.0f} %)." if guess is not None else "."),
        traces,
        {
            "xaxis": {"title": f"{name} (%)" if name == "accuracy" else name},
            "yaxis": {
                "tickvals": list(at.values()),
                "ticktext": [f"trial {n}" for n in at],
                "range": [-0.7, len(at) - 0.3],
                "showgrid": False,
            },
            "shapes": shapes,
        },
        height=110 + 34 * len(at),
    )


def _importance(material: Material) -> Iterator[Chart]:
    table = material.importance
    if table is None:
        return
    rows = table.head(12).iloc[::-1]
    at = list(range(len(rows)))
    yield Chart(
        "importance",
        f"What matters for {material.labels[material.objectives[0]]}",
        "Share of the variance that each parameter explains (fANOVA), with 95 % intervals over resamples of trials. "
        "The tick is the same estimate for shuffled results: an interval that reaches down to it is no finding.",
        [
            {"type": "bar", "orientation": "h", "x": numbers(rows["importance"]), "y": at, "width": 0.32,
             "name": "importance", "marker": {"color": "$first"},
             "error_x": {"type": "data", "symmetric": False, "array": numbers(rows["high"] - rows["importance"]),
                         "arrayminus": numbers(rows["importance"] - rows["low"]), "color": "$ink", "thickness": 1.2,
                         "width": 3},
             "text": rows["parameter"].tolist(), "textposition": "none",
             "hovertemplate": "%{text}<br>%{x:.3f}<extra></extra>"},
            {"type": "scatter", "mode": "markers", "x": numbers(rows["noise"]), "y": at, "name": "noise",
             "marker": {"symbol": "line-ns-open", "size": 15, "color": "$second", "line": {"width": 2.5}},
             "hovertemplate": "noise %{x:.3f}<extra></extra>"},
        ],
        rows_layout(rows["parameter"].tolist(), {"title": "importance", "rangemode": "tozero"}),
        height=100 + ROW * len(rows),
    )  # fmt: skip


def _places(material: Material) -> Iterator[Chart]:
    order = [parameter.name for parameter in material.parameters]
    if material.importance is not None:
        order = material.importance["parameter"].tolist()
    shown = order[:_MOST][::-1]
    places = material.places[shown]
    good = places.head(material.good)
    traces = []
    for part, name, color, size, opacity in (
        (places.iloc[material.good :], "other trials", "$faint", 5, 0.55),
        (good.iloc[1:], f"best {material.good}", "$second", 8, 0.9),
        (good.head(1), "best", "$first", 12, 1.0),
    ):
        long = part.reset_index(drop=True).melt(var_name="parameter", value_name="place").dropna()
        if long.empty:
            continue
        y = long["parameter"].map({parameter: i for i, parameter in enumerate(shown)})
        trace = dots(long["place"], y, name, color, long["parameter"].tolist(), size=size)
        trace["marker"]["opacity"] = opacity
        traces.append(trace)
    more = f" The {_MOST} most important of {len(order)} are shown." if len(order) > _MOST else ""
    layout = rows_layout(
        shown, {"tickvals": [0, 0.5, 1], "ticktext": ["lower", "range", "upper"], "range": [-0.03, 1.03]}
    )
    yield Chart(
        "places",
        "Where good trials lie",
        "Every trial along every parameter, from its lower to its upper bound (logarithmic where so searched). Good "
        f"trials that crowd an end want a wider range; where they lie anywhere, the parameter is free.{more}",
        traces,
        layout,
        height=100 + ROW * len(shown),
    )


def _curves(material: Material) -> Iterator[Chart]:
    run = material.best_run
    if run is None:
        return
    history = run.history
    losses = [_smoothed(values) for values in history["loss"]]
    seeds = [pair[0] for pair in history["seeds"]]
    yield Chart(
        "loss",
        "Training loss of the best network",
        f"Mean over {_SMOOTH} steps; {_words_for_lines(len(seeds))}.",
        _seed_lines(losses, seeds),
        {"xaxis": {"title": "training step"}, "yaxis": {"title": "loss", "rangemode": "tozero"}},
        height=300,
    )
    if history.get("val_accuracy") and history["val_steps"]:
        guess = chance(material)
        lines = [(history["val_steps"], values) for values in history["val_accuracy"]]
        reached = [value for _, values in lines for value in values if value is not None]
        lowest = min([*reached, *([] if guess is None else [guess])], default=0)
        yield Chart(
            "accuracy",
            "Validation accuracy of the best network",
            f"At the steps at which the study validates; {_words_for_lines(len(seeds))}"
            + (f". The dotted line is guessing ({guess:.0f} %)." if guess is not None else "."),
            _seed_lines(lines, seeds),
            {
                "xaxis": {"title": "training step"},
                "yaxis": {"title": "accuracy (%)", "range": [max(0.0, lowest - 5), 101]},
                "shapes": [] if guess is None else [{**line_at(guess), **_HORIZONTAL, "y0": guess, "y1": guess}],
            },
            height=300,
        )


_HORIZONTAL: Final = {"xref": "paper", "x0": 0, "x1": 1, "yref": "y"}


def _seed_lines(lines: list[tuple[list[int], list[float | None]]], seeds: list[int]) -> list[Trace]:
    """A line for each seed: with few of them in colours by name, with many thin ones and their median."""
    if len(lines) <= _NAMED:
        return [line(x, y, f"seed {seed}", i) for i, ((x, y), seed) in enumerate(zip(lines, seeds, strict=True))]
    thin = {"color": "$faint", "width": 1}
    traces = [
        {**line(x, y, "one seed", 0), "line": thin, "showlegend": i == 0, "text": f"seed {seed}",
         "hovertemplate": "%{text}<br>%{y:.4g}<extra></extra>"}
        for i, ((x, y), seed) in enumerate(zip(lines, seeds, strict=True))
    ]  # fmt: skip
    values = np.array([y for _, y in lines], dtype=float)
    middle = [float(np.median(at[np.isfinite(at)])) if np.isfinite(at).any() else np.nan for at in values.T]
    return [*traces, {**line(lines[0][0], numbers(middle), "median", 0), "line": {"color": "$first", "width": 2.5}}]


def _words_for_lines(count: int) -> str:
    return f"one line for each of its {count} seeds" + (", and their median" if count > _NAMED else "")


def _smoothed(values: list[float | None]) -> tuple[list[int], list[float | None]]:
    """Means over windows; the steps at their ends."""
    known = np.array([np.nan if value is None else value for value in values], dtype=float)
    width = min(_SMOOTH, max(1, len(known) // 4))
    whole = known[: len(known) // width * width].reshape(-1, width)
    means = [float(row.mean()) for row in whole]
    return [width * (i + 1) for i in range(len(means))], numbers(means)
