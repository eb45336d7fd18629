"""Which units of a population are selected by their dendritic error."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

if TYPE_CHECKING:
    from eiann.network.network import Network
    from eiann.program.builder import NumberSource


def selected_counts(network: Network, fraction: NumberSource, population: int) -> list[int]:
    """How many units of each sign are selected in each replica: the fraction of the population, rounded up."""
    return [math.ceil(f * units) for f, units in zip(network.number(fraction), network.units(population), strict=True)]


def select_largest(error: Tensor, masked: Tensor, counts: Tensor) -> Tensor:
    """Keep the largest positive errors and the most negative ones, at most ``counts`` of each sign; 0 elsewhere.

    Args:
        error: (replicas, batch, units); ranks the units with positive error.
        masked: the same with some units silenced; ranks those with negative error, and gives the values.
        counts: (replicas, 1, 1), how many of each sign.

    Ties: of equal positive errors the lower index wins, of equal negative ones the higher, as a stable descending
        sort has it.
    """
    units = error.shape[-1]
    positive = (error > 0) & (_rank(error) < counts)
    negative = (masked < 0) & (_rank(masked) >= units - counts)
    return torch.where(positive | negative, masked, torch.zeros_like(masked))


def _rank(values: Tensor) -> Tensor:
    """Position of each entry in a stable descending sort."""
    order = values.argsort(dim=-1, descending=True, stable=True)
    positions = torch.arange(values.shape[-1], device=values.device).expand_as(order)
    return torch.empty_like(order).scatter_(-1, order, positions)


def select_randomly(error: Tensor, masked: Tensor, counts: Tensor, generators: Sequence[Generator]) -> Tensor:
    """Draw units with the size of their error as probability; of the drawn, the first of each sign by index are kept.

    The last ``counts`` by index are kept of the negative ones. Each replica draws from its own generator, positive
    candidates first.
    """
    selected = torch.zeros_like(masked)
    for replica, generator in enumerate(generators):
        count = int(counts[replica])
        for row in range(error.shape[1]):
            e, values = error[replica, row].cpu(), masked[replica, row].cpu()
            positive = torch.nonzero(e > 0).flatten()
            if len(positive):
                positive = positive[torch.bernoulli(e[positive], generator=generator) == 1][:count]
            negative = torch.nonzero(values < 0).flatten()
            if len(negative):
                negative = negative[torch.bernoulli(-values[negative], generator=generator) == 1]
                negative = negative[max(len(negative) - count, 0) :]
            kept = torch.cat([positive, negative])
            selected[replica, row, kept.to(selected.device)] = values[kept].to(selected.device)
    return selected
