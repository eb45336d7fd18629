"""What a chart is, and the pieces that several are made of: plain data for plotly."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pandas as pd

Trace = dict[str, Any]

ROW: Final = 38
_LINES: Final = ("$first", "$second", "$third", "$fourth", "$fifth")


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


def dots(x: Any, y: Any, name: str, color: str, words: list[str], *, size: int = 7) -> Trace:
    """Points, each with words that are shown under the pointer."""
    return {
        "type": "scatter",
        "mode": "markers",
        "x": numbers(x),
        "y": numbers(y),
        "name": name,
        "text": words,
        "marker": {"color": color, "size": size},
        "hovertemplate": "%{text}<br>%{x:.4g}, %{y:.4g}<extra></extra>",
    }


def line(x: list[Any], y: list[Any], name: str, index: int) -> Trace:
    """A line in the colour of its place among others."""
    color = _LINES[index % len(_LINES)]
    return {"type": "scatter", "mode": "lines", "x": x, "y": y, "name": name, "line": {"color": color, "width": 1.8}}


def line_at(value: float) -> dict[str, Any]:
    """A dotted vertical line."""
    style = {"type": "line", "line": {"color": "$faint", "width": 1.5, "dash": "dot"}, "layer": "below"}
    return {**style, "xref": "x", "x0": value, "x1": value, "yref": "paper", "y0": 0, "y1": 1}


def rows_layout(names: list[str], xaxis: dict[str, Any]) -> dict[str, Any]:
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


def scale(values: Any) -> dict[str, Any]:
    """A logarithmic axis where values are positive and differ by more than a factor of 50."""
    known = np.asarray(values, dtype=float)
    known = known[np.isfinite(known)]
    if len(known) and known.min() > 0 and known.max() > 50 * known.min():
        return {"type": "log"}
    return {}


def numbers(values: Any) -> list[float | None]:
    """Numbers for JSON; what is not finite is a gap."""
    return [float(value) if np.isfinite(value) else None for value in pd.Series(values, dtype=float)]
