"""The order in which a training run sees its samples.

The order is the one that a shuffling ``torch.utils.data.DataLoader`` with its own generator gives, because published
results were trained with it. The loader is not used: it costs more than a training step of a small network, and the
order of all steps is wanted before the first.
"""

from __future__ import annotations

import torch
from torch import Tensor

from eiann.errors import UserError


def sample_order(n: int, data_seed: int, steps_per_epoch: int | None = None, epochs: int = 1) -> Tensor:
    """Sample of each training step, ``(steps,)`` int64, where steps = epochs * min(steps_per_epoch, n).

    Every pass over the data draws from one generator seeded with ``data_seed``: a number that a loader would hand to
    its worker processes, then the permutation of the samples, then, only in a pass that runs out of samples, another
    permutation that is thrown away. So the order of a second pass depends on whether the first was cut short.

    Args:
        n: number of samples in the training set.
        data_seed: seed of the order.
        steps_per_epoch: samples used of each pass; None for all. A pass never has more than ``n``.
        epochs: number of passes.

    Raises:
        UserError: if a count is not positive.

    Example:
        >>> sample_order(5600, data_seed=257)[:6].tolist()
        [4214, 4053, 4509, 5022, 2851, 1596]
    """
    used = n if steps_per_epoch is None else steps_per_epoch
    for what, count in (("samples", n), ("steps per epoch", used), ("epochs", epochs)):
        if count < 1:
            raise UserError(f"sample order: found {count} {what}; at least 1 is needed")
    generator = torch.Generator().manual_seed(data_seed)
    passes: list[Tensor] = []
    for _ in range(epochs):
        torch.empty((), dtype=torch.int64).random_(generator=generator)
        passes.append(torch.randperm(n, generator=generator)[:used])
        if used >= n:
            torch.randperm(n, generator=generator)
    return torch.cat(passes)
