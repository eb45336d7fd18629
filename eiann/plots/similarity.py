"""Representational similarity matrices, side by side."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from eiann.metrics import Similarity
from eiann.metrics.arrays import Floats
from eiann.plots.style import FAINT, class_colors, grid, new_figure, require, styled


@styled
def similarity_matrices(matrices: Mapping[str, Similarity], *, what: str = "pattern", columns: int = 4) -> Figure:
    """Similarity matrices in one scale of colours, with a bar of class colours along their edges.

    Args:
        matrices: title -> matrix, as ``eiann.metrics.pattern_similarity`` or ``unit_similarity`` gives it.
        what: what rows and columns are.
        columns: panels in a row.
    """
    require(bool(matrices), "similarity matrices: found none; at least one is needed")
    classes = 1 + max(
        (int(np.nanmax(one.labels)) for one in matrices.values() if not np.isnan(one.labels).all()), default=0
    )
    columns = min(columns, len(matrices))
    rows = -(-len(matrices) // columns)
    figure = new_figure(1.0 + 2.2 * columns, 0.35 + 2.35 * rows)
    low = min(0.0, *(float(one.matrix.min()) for one in matrices.values()))
    panels = grid(figure, len(matrices), columns)
    for axes, (title, similarity) in zip(panels, matrices.items(), strict=True):
        image = axes.imshow(
            similarity.matrix, cmap="magma", vmin=-1.0 if low < 0 else 0.0, vmax=1.0, interpolation="nearest"
        )
        _class_bars(axes, similarity, classes)
        axes.set_title(title, pad=4)
    bar = figure.colorbar(image, ax=panels, shrink=min(1.0, 0.8 + 0.1 * rows), aspect=22 * rows, pad=0.02)
    bar.outline.set_visible(False)
    bar.set_label("Cosine similarity")
    figure.supxlabel(f"{what.capitalize()}, sorted by class", fontsize=9)
    return figure


def _class_bars(axes: Axes, similarity: Similarity, classes: int) -> None:
    """Coloured bars left of and below the matrix, and the class number in the middle of each."""
    count = len(similarity.labels)
    colors = class_colors(classes)
    axes.set(xticks=(), yticks=())
    axes.spines[:].set_visible(False)
    starts = np.flatnonzero(np.r_[True, ~_same(similarity.labels[1:], similarity.labels[:-1])])
    width, gap = 0.035, 0.012
    for start, end in zip(starts, np.r_[starts[1:], count], strict=True):
        label = similarity.labels[start]
        color = FAINT if np.isnan(label) else colors[int(label)]
        low, high = start / count, end / count
        for x, y, dx, dy in ((-gap - width, 1 - high, width, high - low), (low, -gap - width, high - low, width)):
            axes.add_patch(_bar(axes, x, y, dx, dy, color))
        if high - low > 0.05:
            text = "silent" if np.isnan(label) else str(int(label))
            middle = (low + high) / 2
            axes.text(
                -gap - width - 0.02, 1 - middle, text, transform=axes.transAxes, ha="right", va="center", fontsize=7
            )
            axes.text(middle, -gap - width - 0.02, text, transform=axes.transAxes, ha="center", va="top", fontsize=7)


def _bar(
    axes: Axes, x: float, y: float, width: float, height: float, color: str | tuple[float, float, float]
) -> Rectangle:
    return Rectangle((x, y), width, height, transform=axes.transAxes, color=color, lw=0, clip_on=False)


def _same(first: Floats, second: Floats) -> npt.NDArray[np.bool_]:
    same: npt.NDArray[np.bool_] = (first == second) | (np.isnan(first) & np.isnan(second))
    return same
