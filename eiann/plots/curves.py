"""Learning curves over replicas, and other quantities that are followed during training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from eiann.metrics.arrays import Floats, Values, floats
from eiann.plots.style import PALETTE, WARNING, grid, new_figure, require, styled, tint


class HistoryLike(Protocol):
    """What is needed of a training history; ``eiann.train`` returns one."""

    @property
    def val_steps(self) -> Tensor | npt.NDArray[np.int64]:
        """Training step of each validation, ``(V,)``."""

    @property
    def val_loss(self) -> Tensor | Floats:
        """``(replicas, V)``."""

    @property
    def val_accuracy(self) -> Tensor | Floats:
        """Percent, ``(replicas, V)``."""


@styled
def learning_curves(histories: HistoryLike | Mapping[str, HistoryLike], *, chance: float | None = None) -> Figure:
    """Validation loss and accuracy during training: every replica, their range and their median.

    Args:
        histories: one history, or several to compare, by name.
        chance: accuracy of guessing in percent, drawn as a dashed line.

    Example:
        >>> learning_curves({"backprop": history}).savefig("curves.png")  # doctest: +SKIP
    """
    named = histories if isinstance(histories, Mapping) else {"": histories}
    require(bool(named), "learning curves: found no history; at least one is needed")
    figure = new_figure(7.0, 2.8)
    loss, accuracy = figure.subplots(1, 2)
    draw_replicas(loss, {name: (history.val_steps, history.val_loss) for name, history in named.items()})
    draw_replicas(
        accuracy, {name: (history.val_steps, history.val_accuracy) for name, history in named.items()}, note="bottom"
    )
    loss.set(xlabel="Training step", ylabel="Validation loss")
    accuracy.set(xlabel="Training step", ylabel="Validation accuracy (%)", ylim=(0, 101))
    losses = np.concatenate([floats(history.val_loss, 1, "val_loss").ravel() for history in named.values()])
    losses = losses[np.isfinite(losses)]
    # A loss that falls by orders of magnitude, as from untrained weights, would be a flat line for the rest.
    if losses.size and losses.min() > 0 and losses.max() > 50 * losses.min():
        loss.set_yscale("log")
    else:
        loss.set_ylim(bottom=0)
    if chance is not None:
        accuracy.axhline(chance, color="#888888", lw=0.8, ls=(0, (4, 3)), zorder=0)
        accuracy.annotate(
            "chance",
            (1, chance),
            (-2, 2),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            ha="right",
            fontsize=7,
            color="#666666",
        )
    if len(named) > 1:
        handles, labels = loss.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=min(len(named), 4))
    return figure


@styled
def angle_curves(steps: Values, angles: Mapping[str, Values], *, title: str = "") -> Figure:
    """Angles in degrees during training, one panel for each weight; 90 degrees, no relation, is marked.

    Args:
        steps: ``(V,)``.
        angles: name -> ``(replicas, V)``, as collected from ``eiann.metrics.update_angles`` or ``feedback_angles``.
        title: over all panels.
    """
    require(bool(angles), "angle curves: found no angles; at least one name is needed")
    rows = -(-len(angles) // 4)
    figure = new_figure(1.2 + 1.75 * min(len(angles), 4), 0.6 + 1.8 * rows)
    for axes, (name, values) in zip(
        grid(figure, len(angles), 4, sharex=True, sharey=True), angles.items(), strict=True
    ):
        draw_replicas(axes, {"": (steps, values)})
        axes.axhline(90, color="#888888", lw=0.8, ls=(0, (4, 3)), zorder=0)
        axes.set_title(short_name(name), fontsize=8.5)
        axes.set(ylim=(0, 180), yticks=(0, 45, 90, 135, 180))
    figure.supxlabel("Training step", fontsize=9)
    figure.supylabel("Angle (degrees)", fontsize=9)
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=10, fontweight="bold")
    return figure


def draw_replicas(
    axes: Axes, series: Mapping[str, tuple[Values, Values]], *, note: Literal["top", "bottom"] = "top"
) -> None:
    """Draw single lines, range and median of named series ``(steps (V,), values (replicas, V))``.

    A replica whose values are not finite ends there; how many did so is written at the ``note`` of the panel.
    """
    lost = total = 0
    for (name, (steps, values)), color in zip(series.items(), _cycle(len(series)), strict=True):
        x, y = floats(steps, 1, "steps"), floats(values, 2, "values")
        require(y.ndim == 2 and y.shape[1] == len(x), f"curves: found {y.shape} values at {len(x)} steps")
        y = np.where(np.isfinite(y), y, np.nan)
        lost, total = lost + int(np.isnan(y).any(axis=1).sum()), total + len(y)
        known = np.isfinite(y).any(axis=0)
        middle = np.full(len(x), np.nan)
        middle[known] = np.nanmedian(y[:, known], axis=0)
        if len(y) > 1:
            axes.plot(x, y.T, color=tint(color, 0.55), lw=0.6, zorder=1)
            low, high = np.nanmin(y[:, known], axis=0), np.nanmax(y[:, known], axis=0)
            axes.fill_between(x[known], low, high, color=color, alpha=0.14, lw=0, zorder=0)
        axes.plot(x, middle, color=color, lw=2.0, zorder=3, label=name or None, marker="o" if len(x) == 1 else None)
    axes.margins(x=0.01)
    if lost:
        axes.text(
            0.98,
            0.98 if note == "top" else 0.03,
            f"{lost} of {total} replicas diverged",
            transform=axes.transAxes,
            ha="right",
            va=note,
            fontsize=7.5,
            color=WARNING,
        )


def short_name(name: str) -> str:
    """A parameter's name as it is written into a figure.

    Example:
        >>> short_name("module_dict.H1E_InputE.weight"), short_name("parameter_dict.H1E_bias"), short_name("all_params")
        ('H1E ← InputE', 'H1E bias', 'all weights')
    """
    if name == "all_params":
        return "all weights"
    stem = name.removeprefix("module_dict.").removeprefix("parameter_dict.")
    if stem.endswith(".weight"):
        return stem.removesuffix(".weight").replace("_", " ← ")
    return stem.replace("_", " ")


def _cycle(count: int) -> list[str]:
    return [PALETTE[index % len(PALETTE)] for index in range(count)]
