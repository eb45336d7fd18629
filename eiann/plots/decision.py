"""Decision maps: what a network answers in every place of a plane of inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from torch import Tensor

from eiann.data import Dataset
from eiann.metrics import accuracy
from eiann.plots.style import NEUTRAL, class_colors, grid, new_figure, require, styled, tint

Extent = tuple[float, float, float, float]

_WORTH_NAMING = 0.005  # share of the plane; lines along which two classes tie are thinner


@styled
def decision_map(
    predict: Callable[[Tensor], Tensor],
    data: Dataset,
    *,
    replicas: Sequence[int] | None = None,
    extent: Extent | None = None,
    resolution: int = 240,
    points: int = 1500,
    columns: int = 4,
) -> Figure:
    """The class with the largest output over the plane, and the samples on top of it; one panel for each replica.

    The background is pale where the two largest outputs are close, and hatched grey where no output is larger than all
    others, as where all are silent. Samples that the network gets wrong have a dark rim.

    Args:
        predict: for inputs ``(n, 2)``, outputs ``(replicas, n, classes)``.
        data: samples with two features.
        replicas: which replicas to show; the first four if it is not given.
        extent: left, right, bottom and top of the plane; 5 % beyond the samples if it is not given.
        resolution: cells along an edge.
        points: at most so many samples are drawn, evenly picked; accuracies are of all samples.
        columns: panels in a row.

    Raises:
        UserError: if samples are not points of a plane, or ``predict`` gives another shape.
    """
    require(
        data.inputs.ndim == 2 and data.inputs.shape[1] == 2,
        f"decision map: found inputs {tuple(data.inputs.shape)}; (n, 2) is needed",
    )
    left, right, bottom, top = extent or _around(data.inputs)
    x, y = torch.linspace(left, right, resolution), torch.linspace(bottom, top, resolution)
    plane = torch.cartesian_prod(y, x).flip(1).contiguous()
    answers, found = (_outputs(predict, inputs, data.classes) for inputs in (plane, data.inputs))
    shown = list(range(min(len(found), 4))) if replicas is None else list(replicas)
    require(
        all(0 <= replica < len(found) for replica in shown),
        f"decision map: found replicas {shown}; there are 0 to {len(found) - 1}",
    )
    columns = min(columns, len(shown))
    rows = -(-len(shown) // columns)
    figure = new_figure(0.5 + 2.3 * columns, 0.7 + 2.45 * rows)
    labels = data.labels.numpy()
    percent = accuracy(found, labels)
    picked = np.unique(np.linspace(0, len(labels) - 1, min(points, len(labels))).astype(int))
    undecided = False
    for axes, replica in zip(grid(figure, len(shown), columns, sharex=True, sharey=True), shown, strict=True):
        undecided |= _draw_regions(
            axes, answers[replica].reshape(resolution, resolution, -1), (left, right, bottom, top)
        )
        _draw_samples(axes, data.inputs.numpy()[picked], labels[picked], found[replica][picked])
        axes.set_title(f"Replica {replica}: {percent[replica]:.1f} %")
        axes.set(xlim=(left, right), ylim=(bottom, top), aspect="equal")
        axes.label_outer()
    figure.supxlabel("Input 1", fontsize=9)
    figure.supylabel("Input 2", fontsize=9)
    figure.legend(handles=_legend(data.classes, undecided), loc="outside upper center", ncols=6, handletextpad=0.2)
    return figure


def _outputs(predict: Callable[[Tensor], Tensor], inputs: Tensor, classes: int) -> npt.NDArray[np.float64]:
    outputs = predict(inputs).detach().cpu().to(torch.float64).numpy()
    require(
        outputs.ndim == 3 and outputs.shape[1:] == (len(inputs), classes),
        f"decision map: found outputs {outputs.shape}; (replicas, {len(inputs)}, {classes}) is needed",
    )
    return outputs


def _around(inputs: Tensor) -> Extent:
    low, high = inputs.min(0).values, inputs.max(0).values
    room = 0.05 * (high - low).clamp_min(1e-6)
    (left, bottom), (right, top) = (low - room).tolist(), (high + room).tolist()
    return left, right, bottom, top


def _draw_regions(axes: Axes, outputs: npt.NDArray[np.float64], extent: Extent) -> bool:
    """Colour the plane; whether a region that is worth naming has no answer."""
    ordered = np.sort(outputs, axis=-1)
    margin = ordered[..., -1] - ordered[..., -2]
    undecided = ~(margin > 0)  # also where outputs are NaN
    known = margin[~undecided]
    scale = float(np.quantile(known, 0.9)) if known.size else 1.0
    strength = np.clip(np.nan_to_num(margin) / scale, 0.0, 1.0)[..., None]
    colors = np.array([tint(color, 0.35) for color in class_colors(outputs.shape[-1])])
    pale = 1 - (1 - colors) * 0.35
    winner = np.where(undecided, 0, np.nan_to_num(outputs).argmax(-1))
    image = strength * colors[winner] + (1 - strength) * pale[winner]
    image[undecided] = 0.88
    axes.imshow(image, origin="lower", extent=extent, interpolation="nearest", zorder=0)
    silent = bool(undecided.mean() > _WORTH_NAMING)
    if silent:
        # A border of decided cells, because contours of a constant are empty.
        padded = np.pad(undecided.astype(float), 1)
        left, right, bottom, top = extent
        x, y = np.linspace(left, right, len(padded)), np.linspace(bottom, top, len(padded))
        axes.contourf(x, y, padded, levels=[0.5, 1.5], hatches=["////"], colors="none", zorder=0.5)
    return silent


def _draw_samples(
    axes: Axes, inputs: npt.NDArray[np.float32], labels: npt.NDArray[np.int64], outputs: npt.NDArray[np.float64]
) -> None:
    colors = np.array(class_colors(outputs.shape[-1]))[labels]
    wrong = np.nan_to_num(outputs).argmax(-1) != labels
    axes.scatter(inputs[~wrong, 0], inputs[~wrong, 1], s=3.5, c=colors[~wrong] * 0.75, lw=0, zorder=2)
    axes.scatter(
        inputs[wrong, 0], inputs[wrong, 1], s=9, c=colors[wrong], edgecolors="#111111", linewidths=0.5, zorder=3
    )


def _legend(classes: int, undecided: bool) -> list[Artist]:
    def dot(color: str | tuple[float, float, float], label: str, rim: str = "none") -> Line2D:
        return Line2D([], [], ls="", marker="o", ms=5, color=color, markeredgecolor=rim, mew=0.7, label=label)

    return [
        *(dot(color, f"class {index}") for index, color in enumerate(class_colors(classes))),
        dot("white", "wrong answer", NEUTRAL),
        *([Patch(facecolor="#E0E0E0", hatch="//////", edgecolor="none", label="no answer")] if undecided else []),
    ]
