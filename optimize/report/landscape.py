"""How performance lies over the parameters: the funnel, the two that matter most, and what moves what at the best."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from optimize.report.chart import Chart, dots, line_at, numbers, scale
from optimize.report.material import Material
from optimize.space import Parameter


def funnel(material: Material) -> Iterator[Chart]:
    """Distance from the best of every trial that may be the best, against its first objective."""
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
            dots(table["distance"][~minima], table[material.lead][~minima], "trial", "$faint", pick[~minima].tolist()),
            dots(table["distance"][minima], table[material.lead][minima], "local minimum", "$second",
                  pick[minima].tolist(), size=10),
        ],
        {
            "xaxis": {"title": "distance from the best", "rangemode": "tozero"},
            "yaxis": {"title": label, **scale(table[material.lead].to_numpy(dtype=float))},
            "shapes": [line_at(1 / math.sqrt(6))],
        },
    )  # fmt: skip


def contour(material: Material) -> Iterator[Chart]:
    """The first objective over the two parameters that matter most."""
    map_ = material.map
    if map_ is None:
        return
    (first, second), table = map_
    label = material.labels[material.objectives[0]]
    x, y = table[first.name].unique(), table[second.name].unique()
    expected = table["expected"].to_numpy(dtype=float).reshape(len(x), len(y)).T
    done, best = material.complete, material.best
    at = tuple(f"params.{parameter.name}" for parameter in (first, second))
    yield Chart(
        "contour",
        f"{label} over the two parameters that matter most",
        "What a model of all trials (a forest) expects, the other parameters averaged over where the trials were; dots "
        "are trials. Where there are none, the colour is a guess.",
        [
            {"type": "contour", "x": numbers(x), "y": numbers(y), "z": [numbers(row) for row in expected],
             "colorscale": [[0, "$first"], [1, "$card"]], "line": {"width": 0.6, "color": "$line"}, "ncontours": 14,
             "showscale": True, "colorbar": {"thickness": 10, "outlinewidth": 0, "tickfont": {"size": 12}},
             "hovertemplate": "expected %{z:.4g}<extra></extra>"},
            dots(done[at[0]], done[at[1]], "trial", "$soft", [f"trial {n}" for n in done["number"]], size=4),
            dots([best[at[0]]], [best[at[1]]], "best", "$second", [f"trial {best['number']}"], size=12),
        ],
        {
            "xaxis": _along(first),
            "yaxis": _along(second),
        },
        height=380,
    )  # fmt: skip


def _along(parameter: Parameter) -> dict[str, Any]:
    decades = {"dtick": 1} if parameter.scale == "log" else {}
    return {"title": parameter.name, "type": parameter.scale, "showgrid": False, **decades}


def moves(material: Material, rows: int = 12) -> dict[str, Any] | None:
    """Which parameter moves which feature around the best trial, as a table whose cells are the stronger coloured.

    Returns:
        ``columns``; ``rows``, each a parameter's name and its cells (``slope``, ``interval`` and ``wash``, the strength
        from -60 to 60, 0 where the interval holds 0); ``None`` where there are too few trials around the best.
    """
    table = material.slopes
    if table is None:
        return None
    clear = (table["low"] > 0) | (table["high"] < 0)
    strength = (table["effect"].clip(-2, 2) * 30).round().where(clear, 0)
    cells = {
        (row["parameter"], row["target"]): {
            "slope": float(f"{row['slope']:.2g}"),
            "interval": f"{row['low']:.3g} to {row['high']:.3g}",
            "wash": int(wash),
        }
        for (_, row), wash in zip(table.iterrows(), strength, strict=True)
    }
    targets = table["target"].unique()
    shown = material.most_moving(rows)
    return {
        "columns": [target.removeprefix("features.").replace("_", " ") for target in targets],
        "rows": [{"name": name, "cells": [cells[name, target] for target in targets]} for name in shown],
        "more": table["parameter"].nunique() - len(shown),
    }
