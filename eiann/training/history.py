"""What training leaves behind: plain data."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class History:
    """Course of one training call, for each of R replicas.

    Attributes:
        loss: (R, steps) loss of each training sample before its update.
        sample_order: (R, steps) index of the sample of each step.
        val_steps: (V,) training steps after which validation ran.
        val_loss, val_accuracy: (R, V) on the validation set; accuracy in percent.
        forward_dendritic_loss: (R, V) mean absolute forward dendritic state over all units that have one, of the
            training sample of each validation step; None for networks without dendrites.
        executor: which executor ran.
        batch_size: samples per step.
        executor_reason: why that one, in one line; says what kept faster ones from running.
    """

    loss: Tensor
    sample_order: Tensor
    val_steps: Tensor
    val_loss: Tensor
    val_accuracy: Tensor
    forward_dendritic_loss: Tensor | None
    executor: str
    batch_size: int = 1
    executor_reason: str = ""

    @property
    def fell_back(self) -> bool:
        """Whether a faster executor was passed over because it does not cover the network, or is not there."""
        return "; not " in self.executor_reason

    @property
    def failed(self) -> Tensor:
        """(R,) whether the loss of any step is NaN or infinite."""
        return ~torch.isfinite(self.loss).all(dim=1)
