"""All pictures of a trained network at once, those that its data and its structure allow."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

import torch
from matplotlib.figure import Figure
from torch import Tensor

from eiann.data import Dataset
from eiann.metrics import confusion, pattern_similarity
from eiann.plots.architecture import architecture
from eiann.plots.curves import HistoryLike, learning_curves
from eiann.plots.decision import decision_map
from eiann.plots.distributions import confusion_matrix
from eiann.plots.dynamics import forward_dynamics
from eiann.plots.layout import population_signs
from eiann.plots.similarity import similarity_matrices
from eiann.plots.weights import receptive_fields, weight_histograms, weight_matrices
from eiann.training.evaluation import activities, predict

if TYPE_CHECKING:
    from eiann.network.network import Network

_SAMPLES: Final = 240
_PLANE: Final = 48
_PANELS: Final = 12
_UNITS: Final = 24


def network_pictures(
    network: Network,
    data: Dataset,
    history: HistoryLike | None = None,
    *,
    replica: int = 0,
    executor: str = "auto",
) -> Iterator[tuple[str, Figure]]:
    """Pictures of a trained network by name, made one after the other.

    ``architecture``, ``learning_curves`` (with a history), ``decision_map`` (inputs in a plane), ``confusion``,
    ``dynamics`` (networks of several time steps), ``similarity``, ``receptive_fields`` (inputs in a plane, or images),
    ``weights`` and ``weight_histograms``.

    Receptive fields in a plane are the activity of units over it. Those of images are response-weighted averages: the
    covariance of a unit's activity with each pixel, over samples.

    Args:
        network: R replicas.
        data: samples that are shown to it; a part of them, evenly picked, where each costs a row of a picture.
        history: of its training.
        replica: which one is looked at, where a picture shows a single one.
        executor: see ``eiann.train``.

    Example:
        >>> for name, figure in network_pictures(network, data.test, history):  # doctest: +SKIP
        ...     figure.savefig(f"{name}.pdf")
    """
    looked = _Looked(network, replica, executor)
    yield "architecture", architecture(network.configs[replica])
    if history is not None and len(history.val_steps):
        yield "learning_curves", learning_curves(history, chance=100 / data.classes)

    def answer(inputs: Tensor) -> Tensor:
        return predict(network, inputs.to(network.dtype), executor)

    plane = data.inputs.ndim == 2 and data.inputs.shape[1] == 2
    if plane:
        yield "decision_map", decision_map(answer, data)
    outputs = answer(data.inputs)[replica]
    yield "confusion", confusion_matrix(confusion(outputs, data.labels))
    some = _by_class(data)
    samples, labels = data.inputs[some], data.labels[some]
    if network.architecture.forward_steps > 1:
        yield "dynamics", forward_dynamics(looked.over_time(samples), signs=looked.signs)
    active = {name: values for name, values in looked.at_end(samples).items() if values.ndim == 2}
    yield "similarity", similarity_matrices({name: pattern_similarity(v, labels) for name, v in active.items()})
    yield from _fields(looked, data, plane=plane)
    state = {name: values.detach().cpu() for name, values in network.state_dict().items()}
    matrices = {name: values for name, values in state.items() if values.ndim == 3}
    if matrices:
        yield "weights", weight_matrices(matrices, replica=replica)
    if state:
        yield (
            "weight_histograms",
            weight_histograms({name: v for name, v in state.items() if "weight" in name} or state),
        )


class _Looked:
    """Activities of one replica of a network."""

    def __init__(self, network: Network, replica: int, executor: str) -> None:
        self.network, self._replica, self._executor = network, replica, executor
        populations = network.architecture.populations
        self._shown = [p for p in populations if p.index > 0 and not p.copies][-_PANELS:]
        self.signs: Mapping[str, int] = population_signs(network.configs[replica])

    def at_end(self, inputs: Tensor) -> dict[str, Tensor]:
        """Population -> (samples, units) at the end of the forward phase."""
        found = self._values(inputs, [f"activity:{p.index}" for p in self._shown])
        return {p.label: found[f"activity:{p.index}"][:, : self._units(p.index)] for p in self._shown}

    def over_time(self, inputs: Tensor) -> dict[str, Tensor]:
        """Population -> (steps, samples, units)."""
        steps = range(1, self.network.architecture.forward_steps + 1)
        found = self._values(inputs, [f"activity:{p.index}@{t}" for p in self._shown for t in steps])
        return {
            p.label: torch.stack([found[f"activity:{p.index}@{t}"][:, : self._units(p.index)] for t in steps])
            for p in self._shown
        }

    def _units(self, population: int) -> int:
        return self.network.units(population)[self._replica]

    def _values(self, inputs: Tensor, names: list[str]) -> dict[str, Tensor]:
        parts: dict[str, list[Tensor]] = {name: [] for name in names}
        for _, values in activities(self.network, inputs.to(self.network.dtype), names, self._executor):
            for name in names:
                parts[name].append(values[name][self._replica].cpu().flatten(1))
        return {name: torch.cat(chunks) for name, chunks in parts.items()}


def _fields(looked: _Looked, data: Dataset, *, plane: bool) -> Iterator[tuple[str, Figure]]:
    if plane:
        low, high = data.inputs.min(0).values, data.inputs.max(0).values
        x, y = (torch.linspace(float(a), float(b), _PLANE) for a, b in zip(low, high, strict=True))
        inputs = torch.cartesian_prod(y.flip(0), x).flip(1).contiguous()
        shape = _PLANE, _PLANE
        field_of: Callable[[Tensor], Tensor] = lambda activity: activity.T  # noqa: E731
    else:
        found = _image_shape(data.inputs)
        if found is None:
            return
        shape, inputs = found, data.inputs
        pixels = inputs.flatten(1)[:, : shape[0] * shape[1]]
        centred = pixels - pixels.mean(0)
        field_of = lambda activity: (activity - activity.mean(0)).T.float() @ centred / len(centred)  # noqa: E731
    fields, names = [], []
    for label, activity in looked.at_end(inputs).items():
        if looked.signs.get(label, 0) < 0:
            continue
        # The most active ones: silent units have no field.
        best = activity.mean(0).argsort(descending=True, stable=True)[:_UNITS]
        units = sorted(int(unit) for unit in best if bool((activity[:, unit] != 0).any()))
        if not units:
            continue
        field = field_of(activity[:, units])
        largest = field.abs().amax(1, keepdim=True)
        fields.append(field / torch.where(largest > 0, largest, torch.ones_like(largest)))
        names += [f"{label} {unit}" for unit in units]
    if fields:
        title = "Activity over the plane of inputs" if plane else "Response-weighted average"
        every = torch.cat(fields)
        yield (
            "receptive_fields",
            receptive_fields(
                every, shape, labels=names, limit=len(names), title=f"{title}, each unit relative to its largest value"
            ),
        )


def _by_class(data: Dataset) -> Tensor:
    """As many samples of each class, evenly picked, in the order of classes."""
    each = max(1, _SAMPLES // data.classes)
    rows = []
    for label in range(data.classes):
        own = torch.nonzero(data.labels == label).flatten()
        rows.append(own[torch.linspace(0, len(own) - 1, min(each, len(own))).long()])
    return torch.cat(rows)


def _image_shape(inputs: Tensor) -> tuple[int, int] | None:
    """Height and width of images; also of flattened grey ones that are square."""
    if inputs.ndim == 4:
        return int(inputs.shape[2]), int(inputs.shape[3])
    edge = math.isqrt(inputs.shape[1])
    return (edge, edge) if inputs.ndim == 2 and edge * edge == inputs.shape[1] and edge >= 5 else None
