"""Evaluate a batch of replicas on a data set: nothing learns, samples go through in batches of a fixed size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from eiann.data import Dataset
from eiann.executors.choose import choose_executor
from eiann.training.checks import check_fit, check_inputs

if TYPE_CHECKING:
    from eiann.network.network import Network


@dataclass(frozen=True)
class Evaluation:
    """Result on one data set: ``loss`` (R,) and ``accuracy`` (R,) in percent of samples."""

    loss: Tensor
    accuracy: Tensor


def activities(
    network: Network, inputs: Tensor, names: Iterable[str], executor: str = "auto"
) -> Iterator[tuple[slice, dict[str, Tensor]]]:
    """Named values of the forward phase, chunk of samples by chunk: (rows, name -> (R, rows, units)).

    Names are ``activity:<population>`` for the end of the phase, ``activity:<population>@<t>`` for time step t = 1..T.

    Raises:
        UserError: the samples do not fit the input.
    """
    check_inputs(network, inputs)
    runner, _ = choose_executor(executor, network)
    yield from runner.evaluate(network, inputs, tuple(names))


def predict(network: Network, inputs: Tensor, executor: str = "auto") -> Tensor:
    """Activity of the output population, (R, samples, outputs), on the CPU."""
    name = f"activity:{network.architecture.output.index}"
    chunks = [values[name].cpu() for _, values in activities(network, inputs, [name], executor)]
    return torch.cat(chunks, dim=1)


def evaluate(network: Network, dataset: Dataset, executor: str = "auto") -> Evaluation:
    """Loss over the whole set and percentage of samples whose largest output is that of their class.

    Args:
        network: R replicas.
        dataset: inputs (n, ...), targets (n, classes).
        executor: ``auto``, ``native`` or ``torch``.

    Raises:
        UserError: inputs or classes do not fit the network.
    """
    check_fit(network, dataset)
    outputs = predict(network, dataset.inputs, executor)
    targets = dataset.targets.to(outputs.dtype)
    loss = torch.stack([network.architecture.criterion.value(o.unsqueeze(0), targets.unsqueeze(0))[0] for o in outputs])
    correct = outputs.argmax(dim=2) == dataset.labels
    return Evaluation(loss, 100.0 * correct.sum(dim=1) / len(dataset))


def equilibration_residual(
    network: Network, dataset: Dataset, tolerance: float = 0.2, executor: str = "auto"
) -> Tensor:
    """How far the forward dynamics are from rest at their end, (R,).

    For each population but the input, the mean activity m over samples and units is compared between the last two
    time steps: r = |m_T - m_{T-1}| / ((m_T + m_{T-1}) / 2). The residual is the sum of those r that exceed
    ``tolerance``; silent populations and NaN
    add nothing. It is 0 for networks of a single time step.
    """
    check_inputs(network, dataset.inputs, f"data {dataset.name}")
    architecture = network.architecture
    steps = architecture.forward_steps
    residual = torch.zeros(network.R)
    if steps == 1:
        return residual
    populations = [p for p in architecture.populations if p.index > 0]
    names = [f"activity:{p.index}@{t}" for p in populations for t in (steps - 1, steps)]
    sums = {name: torch.zeros(network.R, dtype=torch.float64) for name in names}
    for _, values in activities(network, dataset.inputs, names, executor):
        for name in names:
            sums[name] += values[name].double().sum(dim=(1, 2)).cpu()
    for p in populations:
        count = torch.tensor(network.units(p.index), dtype=torch.float64) * len(dataset)
        before, after = (sums[f"activity:{p.index}@{t}"] / count for t in (steps - 1, steps))
        middle = (before + after) / 2
        change = torch.where(middle > 0, (after - before).abs() / middle, torch.zeros_like(middle))
        residual += torch.where(change > tolerance, change, torch.zeros_like(change)).float()
    return residual
