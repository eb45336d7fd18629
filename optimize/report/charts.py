"""The interactive charts of a report, as plain data for plotly; colours by role, so that a page can be dark or light.

A colour such as ``$ink`` is replaced in the browser by what the page's theme calls it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pandas as pd

from optimize.report.findings import chance
from optimize.report.material import Material

Trace = dict[str, Any]

_ROW: Final = 38
_MOST: Final = 20
_SMOOTH: Final = 100


@dataclass(frozen=True)
class Chart:
    """One chart.

    Attributes:
        key: identity on the page.
        title, caption: in words.
        data, layout: as plotly has them.
        height: in pixels.
    """

    key: str
    title: str
    caption: str
    data: list[Trace]
    layout: dict[str, Any] = field(default_factory=dict)
    height: int = 340

    def spec(self) -> dict[str, Any]:
        """What the page's script draws."""
        return {"key": self.key, "data": self.data, "layout": {**self.layout, "height": self.height}}


def charts(material: Material) -> dict[str, list[Chart]]:
    """Charts by section, those that the material allows."""
    sections: dict[str, list[Callable[[Material], Iterator[Chart]]]] = {
        "progress": [_progress, _hypervolume],
        "front": [_fronts],
        "best": [_ranking],
        "parameters": [_importance, _places],
        "landscape": [_funnel],
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
        "Each dot is a complete trial, in the order in which they ended; the line is the best so far. Lower is better.",
        [
            _dots(x, shown, "trial", "$faint", [f"trial {n}" for n in done["number"]]),
            {"type": "scatter", "mode": "lines", "x": x, "y": _list(best), "name": "best so far", "hoverinfo": "skip",
             "line": {"color": "$first", "width": 2.5, "shape": "hv"}},
        ],
        {"xaxis": {"title": "complete trials"}, "yaxis": {"title": label, **_scale(shown)}},
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
            {"type": "scatter", "mode": "lines", "x": done["trials"].tolist(), "y": _list(volume / volume.max()),
             "line": {"color": "$third", "width": 2.5, "shape": "hv"}, "fill": "tozeroy", "fillcolor": "$third-wash"},
        ],
        {"xaxis": {"title": "complete trials"}, "yaxis": {"title": "part of the last", "range": [0, 1.05]}},
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
            "Trials of the Pareto front, which no other beats in all objectives, stand out. Lower is better in both.",
            [
                _dots(x[~on_front], y[~on_front], "other trials", "$faint", rest),
                _dots(x[on_front], y[on_front], "front", "$first", in_front, size=10),
            ],
            {
                "xaxis": {"title": material.labels[names[0]]},
                "yaxis": {"title": material.labels[other], **_scale(y.to_numpy(dtype=float))},
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
        _dots(own[f"features.{name}"], own["number"].map(at), "one seed", "$faint",
              [f"trial {n}, seed {s}" for n, s in zip(own["number"], own["network_seed"], strict=True)]),
        {"type": "scatter", "mode": "markers", "x": _list(rows["mean"]), "y": list(at.values()), "name": "mean, 95 %",
         "marker": {"color": "$first", "size": 10},
         "error_x": {"type": "data", "symmetric": False, "array": _list(rows["high"] - rows["mean"]),
                     "arrayminus": _list(rows["mean"] - rows["low"]), "color": "$first", "thickness": 1.6, "width": 0},
         "text": [f"chance of being best: {100 * p:.0f} %" for p in rows["chance_of_best"]],
         "hovertemplate": "%{x:.4g}<br>%{text}<extra></extra>"},
    ]  # fmt: skip
    fresh = material.fresh
    if fresh is not None and name == "accuracy":
        fresh = fresh[fresh["number"].isin(at)]
        traces.append(
            {"type": "scatter", "mode": "markers", "x": _list(fresh["held_out_accuracy"]),
             "y": [at[n] - 0.22 for n in fresh["number"]], "name": "fresh seeds, 95 %",
             "marker": {"color": "$second", "size": 10, "symbol": "diamond"},
             "error_x": {"type": "data", "symmetric": False, "array": _list(fresh["high"] - fresh["held_out_accuracy"]),
                         "arrayminus": _list(fresh["held_out_accuracy"] - fresh["low"]), "color": "$second",
                         "thickness": 1.6, "width": 0}}
        )  # fmt: skip
    guess = chance(material) if name == "accuracy" else None
    shapes = [] if guess is None else [_line_at(guess)]
    yield Chart(
        "ranking",
        f"{name.capitalize()} of the best trials",
        "Small dots are single seeds. Intervals are 95 % of a bootstrap over seeds"
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
            {"type": "bar", "orientation": "h", "x": _list(rows["importance"]), "y": at, "width": 0.32,
             "name": "importance", "marker": {"color": "$first"},
             "error_x": {"type": "data", "symmetric": False, "array": _list(rows["high"] - rows["importance"]),
                         "arrayminus": _list(rows["importance"] - rows["low"]), "color": "$ink", "thickness": 1.2,
                         "width": 3},
             "text": rows["parameter"].tolist(), "textposition": "none",
             "hovertemplate": "%{text}<br>%{x:.3f}<extra></extra>"},
            {"type": "scatter", "mode": "markers", "x": _list(rows["noise"]), "y": at, "name": "noise",
             "marker": {"symbol": "line-ns-open", "size": 15, "color": "$second", "line": {"width": 2.5}},
             "hovertemplate": "noise %{x:.3f}<extra></extra>"},
        ],
        _rows_layout(rows["parameter"].tolist(), {"title": "importance", "rangemode": "tozero"}),
        height=100 + _ROW * len(rows),
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
        trace = _dots(long["place"], y, name, color, long["parameter"].tolist(), size=size)
        trace["marker"]["opacity"] = opacity
        traces.append(trace)
    more = f" The {_MOST} most important of {len(order)} are shown." if len(order) > _MOST else ""
    layout = _rows_layout(
        shown, {"tickvals": [0, 0.5, 1], "ticktext": ["lower", "range", "upper"], "range": [-0.03, 1.03]}
    )
    yield Chart(
        "places",
        "Where good trials lie",
        "Every trial along every parameter, from its lower to its upper bound (logarithmic where so searched). Good "
        f"trials that crowd an end want a wider range; where they lie anywhere, the parameter is free.{more}",
        traces,
        layout,
        height=100 + _ROW * len(shown),
    )


def _funnel(material: Material) -> Iterator[Chart]:
    table = material.distances
    if table is None:
        return
    words = [f"trial {n}" for n in table["number"]]
    minima = table["minimum"].to_numpy(dtype=bool)
    label = material.labels[material.objectives[0]]
    pick = np.array(words, dtype=object)
    yield Chart(
        "funnel",
        "Distance from the best, and error",
        "Distance is the root mean square over all parameters in unit coordinates; two random points are 0.41 apart. A "
        "funnel means one basin; good trials far out mean that different parameters do the same. Orange: better than "
        "all of its nearest neighbours, a local minimum.",
        [
            _dots(table["distance"][~minima], table[material.lead][~minima], "trial", "$faint", pick[~minima].tolist()),
            _dots(table["distance"][minima], table[material.lead][minima], "local minimum", "$second",
                  pick[minima].tolist(), size=10),
        ],
        {
            "xaxis": {"title": "distance from the best", "rangemode": "tozero"},
            "yaxis": {"title": label, **_scale(table[material.lead].to_numpy(dtype=float))},
            "shapes": [_line_at(1 / math.sqrt(6))],
        },
    )  # fmt: skip


def _curves(material: Material) -> Iterator[Chart]:
    run = material.best_run
    if run is None:
        return
    history = run.history
    losses = [_smoothed(values) for values in history["loss"]]
    yield Chart(
        "loss",
        "Training loss of the best network",
        f"Mean over {_SMOOTH} steps; one line for each of its {len(losses)} seeds.",
        [
            _line(x, y, f"seed {pair[0]}", i)
            for i, ((x, y), pair) in enumerate(zip(losses, history["seeds"], strict=True))
        ],
        {"xaxis": {"title": "training step"}, "yaxis": {"title": "loss", "rangemode": "tozero"}},
        height=300,
    )
    if history.get("val_accuracy") and history["val_steps"]:
        guess = chance(material)
        yield Chart(
            "accuracy",
            "Validation accuracy of the best network",
            "At the steps at which the study validates.",
            [
                _line(history["val_steps"], values, f"seed {pair[0]}", i)
                for i, (values, pair) in enumerate(zip(history["val_accuracy"], history["seeds"], strict=True))
            ],
            {
                "xaxis": {"title": "training step"},
                "yaxis": {"title": "accuracy (%)", "range": [0, 101]},
                "shapes": [] if guess is None else [{**_line_at(guess), **_HORIZONTAL, "y0": guess, "y1": guess}],
            },
            height=300,
        )


_HORIZONTAL: Final = {"xref": "paper", "x0": 0, "x1": 1, "yref": "y"}
_LINES: Final = ("$first", "$second", "$third", "$fourth", "$fifth")


def _dots(x: Any, y: Any, name: str, color: str, words: list[str], *, size: int = 7) -> Trace:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": _list(x),
        "y": _list(y),
        "name": name,
        "text": words,
        "marker": {"color": color, "size": size},
        "hovertemplate": "%{text}<br>%{x:.4g}, %{y:.4g}<extra></extra>",
    }


def _line(x: list[Any], y: list[Any], name: str, index: int) -> Trace:
    color = _LINES[index % len(_LINES)]
    return {"type": "scatter", "mode": "lines", "x": x, "y": y, "name": name, "line": {"color": color, "width": 1.8}}


def _line_at(value: float) -> dict[str, Any]:
    """A dotted vertical line."""
    style = {"type": "line", "line": {"color": "$faint", "width": 1.5, "dash": "dot"}, "layer": "below"}
    return {**style, "xref": "x", "x0": value, "x1": value, "yref": "paper", "y0": 0, "y1": 1}


def _rows_layout(names: list[str], xaxis: dict[str, Any]) -> dict[str, Any]:
    """Rows with their name above the line: long names then need no margin, on a phone neither."""
    notes = [
        {"text": name, "x": 0, "xref": "paper", "xanchor": "left", "y": i + 0.43, "yref": "y", "yanchor": "middle",
         "showarrow": False, "font": {"size": 12}}
        for i, name in enumerate(names)
    ]  # fmt: skip
    return {
        "xaxis": xaxis,
        "yaxis": {"visible": False, "range": [-0.6, len(names) - 0.3], "fixedrange": True},
        "annotations": notes,
    }


def _scale(values: Any) -> dict[str, Any]:
    """A logarithmic axis where values are positive and differ by more than a factor of 50."""
    numbers = np.asarray(values, dtype=float)
    numbers = numbers[np.isfinite(numbers)]
    if len(numbers) and numbers.min() > 0 and numbers.max() > 50 * numbers.min():
        return {"type": "log"}
    return {}


def _smoothed(values: list[float | None]) -> tuple[list[int], list[float | None]]:
    """Means over windows; the steps at their ends."""
    numbers = np.array([np.nan if value is None else value for value in values], dtype=float)
    width = min(_SMOOTH, max(1, len(numbers) // 4))
    whole = numbers[: len(numbers) // width * width].reshape(-1, width)
    means = [float(row.mean()) for row in whole]
    return [width * (i + 1) for i in range(len(means))], _list(means)


def _list(values: Any) -> list[float | None]:
    """Numbers for JSON; what is not finite is a gap."""
    return [float(value) if np.isfinite(value) else None for value in pd.Series(values, dtype=float)]
