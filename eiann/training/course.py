"""What a training run fixes before its first sample: the order of samples, and where its blocks end."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from eiann.data import Dataset, sample_order
from eiann.errors import UserError

if TYPE_CHECKING:
    from eiann.network.network import Network

#: Training steps between two reports of progress: short enough for a Ctrl-C, long enough to cost nothing.
BLOCK = 100


def steps_per_epoch(dataset: Dataset, steps: int | None, batch_size: int) -> int:
    """Training steps of a pass over the data; whole batches only.

    Raises:
        UserError: more steps than there are samples.
    """
    n = len(dataset)
    per_epoch = n // batch_size if steps is None else steps
    if per_epoch < 1 or per_epoch * batch_size > n:
        raise UserError(
            f"steps: found {per_epoch} steps of {batch_size} sample(s); "
            f"an epoch has {n} samples, use at most {n // batch_size} steps"
        )
    return per_epoch


def sample_orders(dataset: Dataset, seeds: Sequence[int], steps: int | None, epochs: int, batch_size: int) -> Tensor:
    """(R, epochs * steps * batch_size): which sample each replica sees when."""
    per_epoch = steps_per_epoch(dataset, steps, batch_size)
    known = {seed: sample_order(len(dataset), seed, per_epoch * batch_size, epochs) for seed in set(seeds)}
    return torch.stack([known[seed] for seed in seeds])


def draw_for_validation(network: Network) -> None:
    """The reference's validation loader takes one number of the stream; it matters for rules that draw units."""
    for generator in network.generators:
        torch.empty((), dtype=torch.int64).random_(generator=generator)


def block_ends(total: int, events: Collection[int]) -> list[int]:
    """Ends of blocks: after each event, and often enough for progress.

    Example:
        >>> block_ends(230, {0, 149})
        [1, 100, 150, 200, 230]
    """
    return sorted({step + 1 for step in events} | set(range(BLOCK, total, BLOCK)) | {total})


def dendrites(network: Network) -> list[str]:
    """Names of the forward dendritic states that a network has."""
    architecture = network.architecture
    return [f"forward_dendritic_state:{p.index}" for p in architecture.populations if architecture.dendritic(p.index)]


def dendritic_units(network: Network) -> Tensor:
    """How many units have a dendrite in each replica, (R,)."""
    architecture = network.architecture
    units = [network.units(p.index) for p in architecture.populations if architecture.dendritic(p.index)]
    return torch.tensor(units, dtype=torch.int64).reshape(-1, network.R).sum(dim=0)


def dendritic_loss(states: Sequence[Tensor], units: Tensor) -> Tensor:
    """Mean absolute state over all units with a dendrite, (R,); zeros where there is none.

    Args:
        states: per population with dendrites, (R, batch, units).
        units: how many there are in each replica, (R,).
    """
    if not states:
        return torch.zeros(len(units))
    total = torch.stack([state.abs().mean(dim=1).sum(dim=1).cpu() for state in states]).sum(dim=0)
    return total / units
