"""What a training call has found so far: it becomes the history, and goes into checkpoints on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from eiann.training.evaluation import Evaluation
from eiann.training.history import History

_CURVES = ("losses", "val_loss", "val_accuracy", "dendritic")


@dataclass
class Curves:
    """Curves as they grow.

    Attributes:
        done: training steps done.
        losses: (R, steps of a block) per block.
        val_loss, val_accuracy, dendritic: (R,) per validation.
    """

    done: int = 0
    losses: list[Tensor] = field(default_factory=list)
    val_loss: list[Tensor] = field(default_factory=list)
    val_accuracy: list[Tensor] = field(default_factory=list)
    dendritic: list[Tensor] = field(default_factory=list)

    def add_validation(self, result: Evaluation, dendritic: Tensor) -> None:
        """Note one validation."""
        self.val_loss.append(result.loss)
        self.val_accuracy.append(result.accuracy)
        self.dendritic.append(dendritic)

    def tensors(self) -> dict[str, Tensor]:
        """The curves by name, (R, points); those without a point are left out."""
        self.losses = [torch.cat(self.losses, dim=1)] if self.losses else []
        found = {"losses": self.losses[0]} if self.losses else {}
        return found | {name: torch.stack(getattr(self, name), dim=1) for name in _CURVES[1:] if getattr(self, name)}

    @classmethod
    def from_tensors(cls, done: int, curves: Mapping[str, Tensor]) -> Curves:
        """What ``tensors`` gave, to go on from."""
        losses = [curves["losses"]] if "losses" in curves else []
        points = {name: list(curves[name].unbind(1)) if name in curves else [] for name in _CURVES[1:]}
        return cls(done, losses, **points)

    def history(
        self, order: Tensor, val_steps: tuple[int, ...], executor: str, batch_size: int, has_dendrites: bool
    ) -> History:
        """The history of a training call that has ended."""
        curves, empty = self.tensors(), torch.empty(len(order), 0)
        return History(
            loss=curves.get("losses", empty),
            sample_order=order,
            val_steps=torch.tensor(val_steps, dtype=torch.int64),
            val_loss=curves.get("val_loss", empty),
            val_accuracy=curves.get("val_accuracy", empty),
            forward_dendritic_loss=curves.get("dendritic") if has_dendrites else None,
            executor=executor,
            batch_size=batch_size,
        )
