"""Activity over the time steps of the forward phase: whether a network has settled when it answers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from eiann.metrics.arrays import Floats, Values, floats
from eiann.plots.style import EXCITATORY, INHIBITORY, NEUTRAL, WARNING, grid, new_figure, require, styled, tint


@styled
def forward_dynamics(
    activity: Mapping[str, Values],
    *,
    signs: Mapping[str, int] | None = None,
    tolerance: float = 0.2,
    units: int = 25,
    columns: int = 4,
) -> Figure:
    """Mean activity of each population over the steps of the forward phase, and of some of its units.

    Under each name stands the residual: the change of the population's mean from the last but one to the last step,
    relative to the mean of both. It is red where it exceeds ``tolerance``: that population is still moving.

    Args:
        activity: population -> ``(steps, patterns, units)`` of one replica; ``(steps, units)`` for a single pattern.
        signs: population -> 1 (excitatory) or -1 (inhibitory), for its colour; grey for others.
        tolerance: largest residual of a population that has settled.
        units: so many single units, evenly picked.
        columns: panels in a row.
    """
    require(bool(activity), "forward dynamics: found no population; at least one is needed")
    columns = min(columns, len(activity))
    rows = -(-len(activity) // columns)
    figure = new_figure(0.5 + 1.75 * columns, 0.4 + 1.7 * rows)
    panels = grid(figure, len(activity), columns, sharex=True)
    # Only the last row has numbers on a shared axis; a column that ends above it has them there.
    for axes in panels[-columns:]:
        axes.tick_params(labelbottom=True)
    for axes, (name, values) in zip(panels, activity.items(), strict=True):
        traces = _unit_means(name, values)
        sign = (signs or {}).get(name, 0)
        color = EXCITATORY if sign > 0 else INHIBITORY if sign < 0 else NEUTRAL
        steps = np.arange(1, len(traces) + 1)
        picked = np.unique(np.linspace(0, traces.shape[1] - 1, min(units, traces.shape[1])).astype(int))
        axes.plot(steps, traces[:, picked], color=tint(color, 0.6), lw=0.6, zorder=1)
        mean = traces.mean(axis=1)
        axes.plot(steps, mean, color=color, lw=2.2, zorder=3)
        residual = population_residual(mean)
        axes.set_title(name, pad=14)
        silent, lost = not traces.any(), not np.isfinite(mean).all()
        axes.annotate(
            "silent" if silent else "not finite" if lost else f"residual {residual:.2g}",
            (0, 1),
            (0, 4),
            xycoords="axes fraction",
            textcoords="offset points",
            fontsize=7,
            color=WARNING if silent or lost or residual > tolerance else "#555555",
        )
        finite = traces[np.isfinite(traces)]
        axes.set_ylim(float(finite.min(initial=0.0)), 1.0 if silent else None)
        axes.margins(x=0.02)
        axes.locator_params(axis="y", nbins=4)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    figure.supxlabel("Step of the forward phase", fontsize=9)
    figure.supylabel("Activity", fontsize=9)
    return figure


def population_residual(means: Values) -> float:
    """|m_T - m_(T-1)| / their mean, of a population's mean activity at each step, ``(steps,)``; 0 if it is silent.

    Example:
        >>> population_residual([0.0, 1.0, 3.0])
        1.0
    """
    values = floats(means, 1, "means")
    if len(values) < 2:
        return 0.0
    middle = float(values[-2] + values[-1]) / 2
    return abs(float(values[-1] - values[-2])) / middle if middle > 0 else 0.0


def _unit_means(name: str, values: Values) -> Floats:
    array = floats(values, 2, name)
    require(
        array.ndim in (2, 3), f"forward dynamics: found {array.shape} for {name}; (steps, patterns, units) is needed"
    )
    return array if array.ndim == 2 else array.mean(axis=1)
