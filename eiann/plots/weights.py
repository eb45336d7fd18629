"""Weights: as matrices, as receptive fields, and as distributions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.figure import Figure

from eiann.metrics.arrays import Floats, Values, floats
from eiann.plots.curves import short_name
from eiann.plots.style import (
    DIVERGING,
    EXCITATORY,
    FAINT,
    INHIBITORY,
    NEUTRAL,
    grid,
    magnitudes,
    new_figure,
    require,
    styled,
)


@styled
def receptive_fields(
    fields: Values,
    shape: tuple[int, int],
    *,
    labels: Sequence[str] | None = None,
    limit: int = 60,
    columns: int = 12,
    title: str = "",
) -> Figure:
    """Images of what units want to see, all in one scale of colours.

    Args:
        fields: ``(units, height * width)`` of one replica: rows of a weight matrix, or activation maximization.
        shape: height and width of the image.
        labels: a word over each unit; its number if not given.
        limit: at most so many units, the first ones.
        columns: units in a row.
        title: over all.

    Raises:
        UserError: if the pixels do not fill the image.
    """
    values = floats(fields, 2, "fields")
    height, width = shape
    require(
        values.ndim == 2 and values.shape[1] == height * width,
        f"receptive fields: found {values.shape}; (units, {height * width}) is needed",
    )
    count = min(len(values), limit)
    columns = min(columns, count)
    rows = -(-count // columns)
    figure = new_figure(0.9 + 0.62 * columns, 0.5 + (0.62 * height / width + 0.16) * rows)
    cmap, low, high = _scale(values[:count])
    axes = grid(figure, count, columns)
    for index, panel in enumerate(axes):
        image = panel.imshow(values[index].reshape(shape), cmap=cmap, vmin=low, vmax=high, interpolation="nearest")
        panel.set(xticks=(), yticks=())
        # A hairline: fields are white where a unit answers nothing, and would float without it.
        panel.spines[:].set(visible=True, linewidth=0.4, color=FAINT)
        panel.set_title(
            str(index) if labels is None else labels[index], fontsize=6.5, fontweight="normal", pad=1.5, loc="center"
        )
    bar = figure.colorbar(image, ax=axes, shrink=min(1.0, 1.6 / rows + 0.3), aspect=18, pad=0.015)
    bar.outline.set_visible(False)
    more = f" (first {count} of {len(values)})" if count < len(values) else ""
    if title or more:
        figure.suptitle(title + more, x=0.01, ha="left", fontsize=10, fontweight="bold")
    return figure


@styled
def weight_matrices(state: Mapping[str, Values], *, replica: int = 0, columns: int = 4) -> Figure:
    """Weight matrices of one replica, each in its own scale: red excites, blue inhibits, white is nothing.

    Args:
        state: name -> ``(replicas, post, pre)``; anything with other axes (biases, convolutions) is left out.
        replica: which one.
        columns: panels in a row.
    """
    matrices = {name: values[replica] for name, values in _arrays(state).items() if values.ndim == 3}
    require(bool(matrices), "weight matrices: found no array (replicas, post, pre) in the state")
    columns = min(columns, len(matrices))
    rows = -(-len(matrices) // columns)
    figure = new_figure(0.3 + 2.05 * columns, 0.2 + 1.65 * rows)
    for axes, (name, matrix) in zip(grid(figure, len(matrices), columns), matrices.items(), strict=True):
        cmap, low, high = _scale(matrix)
        image = axes.imshow(matrix, cmap=cmap, vmin=low, vmax=high, aspect="auto", interpolation="nearest")
        _title(axes, name, pad=8)
        axes.set(xticks=_ends(matrix.shape[1]), yticks=_ends(matrix.shape[0]))
        axes.spines[:].set_visible(True)
        bar = figure.colorbar(image, ax=axes, aspect=14, pad=0.03)
        bar.outline.set_visible(False)
        bar.ax.tick_params(labelsize=6.5)
        bar.ax.locator_params(nbins=4)
        axes.tick_params(labelsize=6.5)
    figure.supxlabel("Presynaptic unit", fontsize=9)
    figure.supylabel("Postsynaptic unit", fontsize=9)
    return figure


@styled
def weight_histograms(
    state: Mapping[str, Values], *, before: Mapping[str, Values] | None = None, bins: int = 40, columns: int = 4
) -> Figure:
    """Distribution of each weight over all replicas.

    Weights that are exactly 0, as bounds make many, are not drawn but counted in words.

    Args:
        state: name -> ``(replicas, ...)``.
        before: the same names at an earlier time, such as after construction, drawn as an outline.
        bins: bars.
        columns: panels in a row.
    """
    arrays = _arrays(state)
    require(bool(arrays), "weight histograms: found no weights; at least one array is needed")
    earlier = _arrays(before or {})
    columns = min(columns, len(arrays))
    rows = -(-len(arrays) // columns)
    figure = new_figure(0.4 + 1.85 * columns, 0.4 + 1.45 * rows)
    for axes, (name, values) in zip(grid(figure, len(arrays), columns), arrays.items(), strict=True):
        _histogram(axes, values.reshape(-1), earlier[name].reshape(-1) if name in earlier else None, bins)
        _title(axes, name, pad=12)
    figure.supxlabel("Weight", fontsize=9)
    figure.supylabel("Share of weights (%)", fontsize=9)
    if earlier:
        handles = [
            mpl.patches.Patch(facecolor=NEUTRAL, label="now"),
            mpl.lines.Line2D([], [], color="#000000", lw=1.0, label="before"),
        ]
        figure.legend(handles=handles, loc="outside upper right", ncols=2)
    return figure


def _title(axes: Axes, name: str, pad: float) -> None:
    """A panel's title, smaller where a long one would run into the next panel."""
    words = short_name(name)
    axes.set_title(words, fontsize=min(8.5, 8.5 * 18 / len(words)), pad=pad)


def _histogram(axes: Axes, values: Floats, before: Floats | None, bins: int) -> None:
    moved = values[np.isfinite(values) & (values != 0)]
    earlier = None if before is None else before[np.isfinite(before) & (before != 0)]
    shown = moved if earlier is None else np.concatenate((moved, earlier))
    excites, inhibits = bool((moved > 0).any()), bool((moved < 0).any())
    color = NEUTRAL if excites == inhibits else EXCITATORY if excites else INHIBITORY
    edges = np.histogram_bin_edges(np.append(shown, 0.0), bins).tolist()
    axes.hist(moved, edges, weights=np.full(moved.size, 100 / values.size), color=color, alpha=0.85)
    if before is not None and earlier is not None:
        share = np.full(earlier.size, 100 / before.size)
        axes.hist(earlier, edges, weights=share, histtype="step", color="#000000", lw=0.9)
    if excites and inhibits:
        axes.axvline(0, color=FAINT, lw=0.8, zorder=0)
    zero = 100 * float((values == 0).mean())
    lost = 100 * (1 - float(np.isfinite(values).mean()))
    notes = [f"{zero:.0f} % zero"] * (zero >= 0.5) + [f"{lost:.0f} % not finite"] * (lost > 0)
    axes.annotate(
        ", ".join(notes),
        (0, 1),
        (0, 3),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=7,
        color="#444444",
    )
    axes.tick_params(labelsize=7)
    axes.locator_params(nbins=4)


def _arrays(state: Mapping[str, Values]) -> dict[str, Floats]:
    return {name: floats(values, 1, name) for name, values in state.items()}


def _scale(values: Floats) -> tuple[str | Colormap, float, float]:
    """Colour map and its ends: one colour for values of one sign, else two around 0."""
    finite = values[np.isfinite(values)]
    largest = float(np.abs(finite).max()) if finite.size else 0.0
    largest = largest or 1.0
    if not finite.size or finite.min() >= 0:
        return magnitudes(EXCITATORY), 0.0, largest
    if finite.max() <= 0:
        return magnitudes(INHIBITORY).reversed(), -largest, 0.0
    return DIVERGING, -largest, largest


def _ends(count: int) -> tuple[int, ...]:
    return (0, count - 1) if count > 1 else (0,)
