"""The figures of a report for a paper: PNG and PDF, in the style of ``eiann.plots``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from eiann.plots.style import DIVERGING, FAINT, INHIBITORY, PALETTE, grid, magnitudes, new_figure, styled
from optimize.report.findings import near_chance
from optimize.report.material import Material

_FIRST, _SECOND, _THIRD = INHIBITORY, PALETTE[1], PALETTE[2]


def write_figures(material: Material, folder: Path) -> list[Path]:
    """Write every figure that the material allows, as PNG (300 dpi) and PDF with editable text.

    Returns:
        The PNG files.
    """
    folder.mkdir(exist_ok=True)
    written = []
    for name, draw in _FIGURES.items():
        figure = draw(material)
        if figure is None:
            continue
        written.append(folder / f"{name}.png")
        figure.savefig(written[-1], dpi=300)
        figure.savefig(folder / f"{name}.pdf")
    return written


@styled
def progress(material: Material) -> Figure:
    """Trials and the best so far; hypervolume beside it where there are several objectives."""
    several = len(material.objectives) > 1
    figure = new_figure(7.0 if several else 3.6, 2.6)
    axes = grid(figure, 2 if several else 1, 2)
    done = material.history
    values = material.complete.set_index("number").loc[done["number"], material.lead].to_numpy(dtype=float)
    axes[0].plot(done["trials"], values, "o", ms=3, color=FAINT, mew=0, label="trial")
    axes[0].step(
        done["trials"], done[f"best.{material.objectives[0]}"], where="post", color=_FIRST, lw=1.8, label="best so far"
    )
    axes[0].set(xlabel=f"Complete trials{material.within}", ylabel=material.labels[material.objectives[0]])
    _log_if_wide(axes[0], values)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper left", ncols=2)
    if several:
        volume = done["hypervolume"] / max(float(done["hypervolume"].max()), 1e-300)
        axes[1].step(done["trials"], volume, where="post", color=_THIRD, lw=1.8)
        axes[1].set(xlabel=f"Complete trials{material.within}", ylabel="Hypervolume (part of the last)", ylim=(0, 1.05))
    return figure


@styled
def front(material: Material) -> Figure | None:
    """The first objective against each of the next two."""
    names = material.objectives
    if len(names) < 2:
        return None
    others = names[1:3]
    figure = new_figure(0.4 + 3.2 * len(others), 2.8)
    inside = material.complete["number"].isin(material.front["number"])
    for axes, other in zip(grid(figure, len(others), 2), others, strict=True):
        x, y = (material.complete[f"objectives.{name}"] for name in (names[0], other))
        axes.plot(x[~inside], y[~inside], "o", ms=3.5, color=FAINT, mew=0, label="other trials")
        axes.plot(x[inside], y[inside], "o", ms=5.5, color=_FIRST, mew=0, label="front")
        axes.set(xlabel=material.labels[names[0]], ylabel=material.labels[other])
        _log_if_wide(axes, y.to_numpy(dtype=float))
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper left", ncols=2)
    return figure


@styled
def ranking(material: Material) -> Figure | None:
    """The best trials with their seeds and intervals."""
    table = material.ranking
    if table is None:
        return None
    name = material.objectives[0]
    rows = table.iloc[::-1].reset_index(drop=True)
    figure = new_figure(4.4, 0.8 + 0.27 * len(rows))
    axes = figure.subplots()
    for at, (_, row) in enumerate(rows.iterrows()):
        own = material.instances[material.instances["number"] == row["number"]][f"features.{name}"]
        axes.plot(own, np.full(len(own), at), "o", ms=3, color=FAINT, mew=0)
    error = [rows["mean"] - rows["low"], rows["high"] - rows["mean"]]
    axes.errorbar(rows["mean"], rows.index, xerr=error, fmt="o", ms=5, color=_FIRST, lw=1.4, label="mean, 95 %")
    fresh = material.fresh
    if fresh is not None and name == "accuracy":
        place = {number: position for position, number in enumerate(rows["number"])}
        fresh = fresh[fresh["number"].isin(place)]
        error = [fresh["held_out_accuracy"] - fresh["low"], fresh["high"] - fresh["held_out_accuracy"]]
        lower = [place[number] - 0.25 for number in fresh["number"]]
        axes.errorbar(
            fresh["held_out_accuracy"], lower, xerr=error, fmt="D", ms=4.5, color=_SECOND, lw=1.4, label="fresh seeds"
        )
    guess = near_chance(material)
    if guess is not None:
        axes.axvline(guess, color="#888888", lw=0.8, ls=(0, (4, 3)), zorder=0)
    axes.set_yticks(rows.index.tolist(), [f"trial {number}" for number in rows["number"]])
    axes.set(xlabel="Accuracy (%)" if name == "accuracy" else name, ylim=(-0.7, len(rows) - 0.4))
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


@styled
def importance(material: Material) -> Figure | None:
    """Importance of parameters, with intervals and the level of noise."""
    if material.importance is None:
        return None
    rows = material.importance.head(12).iloc[::-1].reset_index(drop=True)
    figure = new_figure(5.2, 0.8 + 0.24 * len(rows))
    axes = figure.subplots()
    error = [rows["importance"] - rows["low"], rows["high"] - rows["importance"]]
    axes.barh(rows.index, rows["importance"], height=0.6, color=_FIRST)
    axes.errorbar(rows["importance"], rows.index, xerr=error, fmt="none", color="#222222", lw=0.9, capsize=2)
    axes.plot(rows["noise"], rows.index, "|", ms=9, mew=1.8, color=_SECOND, label="shuffled results")
    axes.set_yticks(rows.index.tolist(), rows["parameter"].tolist())
    axes.set(xlabel=f"Importance for {material.labels[material.objectives[0]]}", xlim=(0, None))
    axes.legend(loc="lower right")
    return figure


@styled
def places(material: Material) -> Figure:
    """Where good trials lie in each parameter's range."""
    table = material.importance
    order = [parameter.name for parameter in material.parameters] if table is None else table["parameter"].tolist()
    shown = order[:24][::-1]
    figure = new_figure(5.2, 0.8 + 0.22 * len(shown))
    axes = figure.subplots()
    everything, good = material.places[shown], material.places[shown].head(material.good)
    for position, name in enumerate(shown):
        axes.plot(everything[name], np.full(len(everything), position), "|", ms=6, mew=0.6, color=FAINT)
        axes.plot(good[name], np.full(len(good), position), "o", ms=3.5, mew=0, color=_SECOND, alpha=0.85)
        axes.plot(good[name].iloc[:1], [position], "D", ms=4.5, mew=0, color=_FIRST)
    axes.plot([], [], "D", ms=4.5, color=_FIRST, mew=0, label="best")
    axes.plot([], [], "o", ms=3.5, color=_SECOND, mew=0, label=f"best {material.good}")
    axes.plot([], [], "|", ms=6, color=FAINT, label="all trials")
    axes.set_yticks(range(len(shown)), shown)
    axes.set_xticks([0, 0.5, 1], ["lower bound", "", "upper bound"])
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.7, len(shown) - 0.3))
    figure.legend(loc="outside upper right", ncols=3)
    return figure


@styled
def funnel(material: Material) -> Figure | None:
    """Distance from the best against error."""
    table = material.distances
    if table is None:
        return None
    figure = new_figure(3.6, 2.7)
    axes = figure.subplots()
    values = table[material.lead].to_numpy(dtype=float)
    minima = table["minimum"].to_numpy(dtype=bool)
    axes.plot(table["distance"][~minima], values[~minima], "o", ms=3.5, color=FAINT, mew=0, label="trial")
    axes.plot(table["distance"][minima], values[minima], "o", ms=5, color=_SECOND, mew=0, label="local minimum")
    axes.axvline(6**-0.5, color="#888888", lw=0.8, ls=(0, (4, 3)), zorder=0)
    axes.set(xlabel="Distance from the best trial", ylabel=material.labels[material.objectives[0]], xlim=(-0.01, None))
    _log_if_wide(axes, values)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper left", ncols=2)
    return figure


@styled
def contour(material: Material) -> Figure | None:
    """The first objective over the two parameters that matter most."""
    if material.map is None:
        return None
    (first, second), table = material.map
    x, y = table[first.name].unique(), table[second.name].unique()
    expected = table["expected"].to_numpy(dtype=float).reshape(len(x), len(y)).T
    figure = new_figure(4.0, 2.9)
    axes = figure.subplots()
    levels = axes.contourf(x, y, expected, levels=12, cmap=magnitudes(_FIRST).reversed())
    done, best = material.complete, material.best
    at = tuple(f"params.{parameter.name}" for parameter in (first, second))
    axes.plot(done[at[0]], done[at[1]], "o", ms=2.2, color="#333333", mew=0, label="trial")
    axes.plot(best[at[0]], best[at[1]], "D", ms=5.5, color=_SECOND, mec="#ffffff", mew=0.6, label="best")
    axes.set(xlabel=first.name, ylabel=second.name, xscale=first.scale, yscale=second.scale)
    bar = figure.colorbar(levels, ax=axes, pad=0.02, label=f"Expected {material.labels[material.objectives[0]]}")
    bar.outline.set_visible(False)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper left", ncols=2)
    return figure


@styled
def slopes(material: Material) -> Figure | None:
    """Which parameter moves which feature around the best trial; empty where the interval holds 0."""
    table = material.slopes
    if table is None:
        return None
    shown = material.most_moving(16)
    clear = (table["low"] > 0) | (table["high"] < 0)
    effects = table.assign(shown=table["effect"].where(clear, 0.0)).pivot(
        index="parameter", columns="target", values="shown"
    )
    targets = list(table["target"].unique())
    values = effects.loc[shown, targets].to_numpy(dtype=float)
    figure = new_figure(3.4 + 0.62 * len(targets), 0.9 + 0.22 * len(shown))
    axes = figure.subplots()
    limit = max(0.1, float(np.abs(values).max()))
    image = axes.imshow(values, cmap=DIVERGING, vmin=-limit, vmax=limit, aspect="auto")
    axes.set_yticks(range(len(shown)), shown)
    names = [target.removeprefix("features.").replace("_", "\n") for target in targets]
    axes.set_xticks(range(len(targets)), names)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=axes, pad=0.02, label="Effect over the range (s.d.)")
    bar.outline.set_visible(False)
    return figure


def _log_if_wide(axes: Axes, values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
    known = values[np.isfinite(values)]
    if len(known) and known.min() > 0 and known.max() > 50 * known.min():
        axes.set_yscale("log")


_FIGURES: Final[dict[str, Callable[[Material], Figure | None]]] = {
    "progress": progress,
    "front": front,
    "ranking": ranking,
    "importance": importance,
    "places": places,
    "funnel": funnel,
    "contour": contour,
    "slopes": slopes,
}
