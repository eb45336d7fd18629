"""Recording during training: a callback says what it watches and when, and is handed the values of that moment.

Recording never changes a result: watched values are kept, not recomputed, and nothing is written back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor

if TYPE_CHECKING:
    from eiann.network.network import Network


@dataclass(frozen=True)
class Moment:
    """The state right after a training step.

    Attributes:
        step: number of the training step, from 0.
        network: with the parameters after the step.
        named: a watched value of the step's sample, (R, batch, units).
        samples: (R, batch) which samples the step used.
    """

    step: int
    network: Network
    named: Callable[[str], Tensor]
    samples: Tensor


class Callback:
    """Base of recorders; each method may be left as it is."""

    def watch(self, network: Network) -> Sequence[str]:
        """Names of values to keep, e.g. ``activity:3``, ``plateau:3``, ``forward_dendritic_state:3``."""
        del network
        return ()

    def steps(self, total: int) -> Sequence[int]:
        """Training steps after which ``record`` is called."""
        del total
        return ()

    def begin(self, network: Network, total: int, state: Mapping[str, Tensor] | None = None) -> None:
        """Called before the first step; ``state`` is what ``state()`` gave if training goes on from a checkpoint."""

    def record(self, moment: Moment) -> None:
        """Called after each of ``steps``."""

    def end(self) -> None:
        """Called after the last step, and when training is cut short by an error."""

    def facts(self) -> Mapping[str, Any]:
        """What it was asked for, as plain data: a checkpoint is gone on from with the same only."""
        return {}

    def state(self) -> Mapping[str, Tensor]:
        """What it keeps in memory, for a checkpoint."""
        return {}
