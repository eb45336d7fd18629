"""Distributions over units or patterns, and confusion of classes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from eiann.metrics.arrays import Values, floats
from eiann.plots.style import class_colors, new_figure, require, styled


@styled
def distributions(groups: Mapping[str, Values], *, xlabel: str) -> Figure:
    """Cumulative distributions side by side, such as the sparsity or selectivity of several populations.

    Values that are not finite are left out; how many they are stands in the legend.

    Args:
        groups: name -> values, of any shape.
        xlabel: what the values are, with the unit.
    """
    require(bool(groups), "distributions: found no group; at least one is needed")
    figure = new_figure(4.6, 2.8)
    axes = figure.subplots()
    for (name, values), color in zip(groups.items(), class_colors(len(groups)), strict=True):
        array = floats(values, 1, name).reshape(-1)
        finite = np.sort(array[np.isfinite(array)])
        lost = array.size - finite.size
        label = name + (f" ({lost} not finite)" if lost else "")
        if not finite.size:
            axes.plot([], [], color=color, lw=1.8, label=label)
            continue
        axes.step(
            np.r_[finite[0], finite],
            100 * np.arange(finite.size + 1) / finite.size,
            where="post",
            color=color,
            lw=1.8,
            label=label,
        )
        axes.plot(float(np.median(finite)), 50, "o", ms=5.5, color=color, markeredgecolor="white", mew=0.8, zorder=3)
    axes.set(xlabel=xlabel, ylabel="Share of values below (%)", ylim=(0, 101))
    axes.axhline(50, color="#BBBBBB", lw=0.7, ls=(0, (4, 3)), zorder=0)
    figure.legend(loc="outside right upper", title="dots: median" if len(groups) > 1 else None, title_fontsize=7.5)
    return figure


@styled
def confusion_matrix(counts: Values) -> Figure:
    """Which classes are taken for which, in percent of each true class.

    Args:
        counts: ``(classes, classes)``, rows are true classes, as ``eiann.metrics.confusion`` gives them; with leading
            axes (replicas) the counts are summed.
    """
    table = floats(counts, 2, "counts")
    require(table.shape[-1] == table.shape[-2], f"confusion matrix: found {table.shape}; a square table is needed")
    table = table.reshape(-1, *table.shape[-2:]).sum(0)
    total = table.sum(1, keepdims=True)
    percent = np.divide(100 * table, total, out=np.full(table.shape, np.nan), where=total > 0)
    classes = len(table)
    size = 1.3 + 0.34 * max(classes, 4)
    figure = new_figure(size + 0.6, size)
    axes = figure.subplots()
    image = axes.imshow(percent, cmap="Blues", vmin=0, vmax=100)
    axes.set(xticks=range(classes), yticks=range(classes), xlabel="Answer", ylabel="Class")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    if classes <= 20:
        for (row, column), value in np.ndenumerate(percent):
            if np.isfinite(value) and value >= 0.5:
                color = "white" if value > 55 else "#222222"
                axes.text(column, row, f"{value:.0f}", ha="center", va="center", fontsize=7, color=color)
    bar = figure.colorbar(image, ax=axes, aspect=18, pad=0.03)
    bar.outline.set_visible(False)
    bar.set_label("Percent of class")
    return figure
