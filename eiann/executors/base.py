"""What every executor offers: to run training samples in blocks, and to evaluate a batch of samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from torch import Tensor

if TYPE_CHECKING:
    from eiann.network.network import Network


@dataclass(frozen=True)
class TrainingData:
    """What a session trains on.

    Attributes:
        inputs: (n, ...) samples in the network's dtype, shared by all replicas.
        targets: (n, outputs).
        batch_size: samples per training step.
        batch_mean: local rules take the mean of the changes of a mini-batch instead of their sum.
        facts: what ``Session.facts`` gave when a checkpoint was written; empty for a run that begins.
    """

    inputs: Tensor
    targets: Tensor
    batch_size: int = 1
    batch_mean: bool = False
    facts: Mapping[str, bool] = field(default_factory=dict)


class Session(Protocol):
    """A training run in progress. Results do not depend on how it is cut into blocks, nor on other replicas."""

    def run(self, order: Tensor, slots: Sequence[int] | None = None) -> Tensor:
        """Train on the next samples.

        Args:
            order: (S, steps * batch_size) int64, index of the sample of each of the slots and step.
            slots: which S replicas train, in ascending order; None for all. What becomes of the others is undefined:
                they are trained too, or not, and are not used again before ``load``.

        Returns:
            (S, steps): loss of each step before its update.
        """
        ...

    def named(self, name: str) -> Tensor:
        """A watched value of the last sample, (R, batch, units)."""
        ...

    def store(self, slots: Sequence[int] | None = None) -> None:
        """Write parameters and states back to the network, where an executor keeps its own copy; None for all."""
        ...

    def load(self, slots: Sequence[int]) -> None:
        """Take over replicas that were put into slots of the network, old or added ones.

        See ``replace_replica`` and ``add_slots`` of ``eiann.network.replicas``.
        """
        ...

    def facts(self) -> dict[str, bool]:
        """What was decided from the parameters at the beginning, and a run that goes on has to decide alike."""
        ...


class Executor(Protocol):
    """Runs programs. The torch executor gives the meaning; all executors pass the same conformance suite.

    Attributes:
        name: what users ask for.
        in_step: whether all replicas take each step together, so that leaving one out saves no work, and replicas of
            different sizes are padded.
    """

    name: str
    in_step: bool

    def refusal(self, network: Network, batch_size: int = 1) -> str | None:
        """Why this executor cannot train this network here, in one line; None if it can."""
        ...

    def begin(self, network: Network, data: TrainingData, watch: Sequence[str]) -> Session:
        """Prepare a training run that keeps the watched values of each block's last sample."""
        ...

    def evaluate(
        self, network: Network, inputs: Tensor, names: Sequence[str]
    ) -> Iterator[tuple[slice, dict[str, Tensor]]]:
        """Named values of the forward phase, chunk of samples by chunk: (rows, name -> (R, rows, units))."""
        ...
