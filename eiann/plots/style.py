"""One look for all figures: fonts, sizes and colours that stay apart for colour-blind readers and in print.

Figures are made without pyplot, so that a program that makes many of them (a search, a web page) keeps no global state.
Colours of classes and lines are those of Okabe and Ito (2008); excitation is warm, inhibition is cold, everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import matplotlib as mpl
import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure

from eiann.errors import UserError

P = ParamSpec("P")
T = TypeVar("T")

EXCITATORY = "#D55E00"
INHIBITORY = "#0072B2"
NEUTRAL = "#4D4D4D"
FAINT = "#BDBDBD"
WARNING = "#B00020"

PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#7F7F7F", "#A6761D", "#F0E442", "#000000")
"""Colours of classes and of lines, in this order."""

DIVERGING = "RdBu_r"
"""Colour map of values around 0: inhibition is blue and excitation red, as everywhere."""
SEQUENTIAL = "cividis"
"""Colour map of values from 0 upwards."""

RC = {
    "font.family": "sans-serif",
    "font.sans-serif": ["Helvetica Neue", "Helvetica", "Arial", "Liberation Sans", "DejaVu Sans"],
    "font.size": 9.0,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.edgecolor": NEUTRAL,
    "axes.labelcolor": "#222222",
    "axes.axisbelow": True,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "xtick.color": NEUTRAL,
    "ytick.color": NEUTRAL,
    "xtick.labelcolor": "#222222",
    "ytick.labelcolor": "#222222",
    "legend.fontsize": 8.0,
    "legend.frameon": False,
    "lines.solid_capstyle": "round",
    "hatch.color": "#A6A6A6",
    "hatch.linewidth": 0.6,
    "figure.dpi": 150.0,
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "mathtext.default": "regular",
}


def styled(plot: Callable[P, T]) -> Callable[P, T]:
    """Decorator: everything that the function draws is drawn in the project's style, whatever the user's settings."""

    @wraps(plot)
    def inside(*args: P.args, **kwargs: P.kwargs) -> T:
        with style.context(["default", RC]):
            return plot(*args, **kwargs)

    return inside


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, sizes in inches, whose parts make room for each other."""
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    engine = figure.get_layout_engine()
    assert engine is not None
    engine.set(w_pad=0.06, h_pad=0.06, wspace=0.04, hspace=0.06)  # type: ignore[call-arg]
    return figure


def grid(figure: Figure, panels: int, columns: int, *, sharex: bool = False, sharey: bool = False) -> list[Axes]:
    """``panels`` axes in rows of at most ``columns``; places left over stay empty."""
    columns = min(columns, panels)
    rows = -(-panels // columns)
    axes = np.asarray(figure.subplots(rows, columns, squeeze=False, sharex=sharex, sharey=sharey)).reshape(-1)
    for unused in axes[panels:]:
        unused.remove()
    return list(axes[:panels])


def class_colors(count: int) -> list[tuple[float, float, float]]:
    """Colours of ``count`` classes: the palette, and beyond it evenly spaced hues."""
    if count <= len(PALETTE):
        return [to_rgb(color) for color in PALETTE[:count]]
    wheel = mpl.colormaps["turbo"](np.linspace(0.03, 0.97, count))
    return [to_rgb(tuple(color[:3])) for color in wheel]


def tint(color: str | tuple[float, float, float], amount: float) -> tuple[float, float, float]:
    """A colour mixed with white: 0 is the colour, 1 is white."""
    red, green, blue = to_rgb(color)
    return (red + (1 - red) * amount, green + (1 - green) * amount, blue + (1 - blue) * amount)


def magnitudes(color: str) -> LinearSegmentedColormap:
    """Colour map from white to a colour, for values of one sign."""
    red, green, blue = (0.55 * part for part in to_rgb(color))
    return LinearSegmentedColormap.from_list(f"white to {color}", [(1.0, 1.0, 1.0), to_rgb(color), (red, green, blue)])


def require(condition: bool, message: str) -> None:
    """Refuse data that cannot be drawn.

    Raises:
        UserError: with the message.
    """
    if not condition:
        raise UserError(message)
