"""A lane: some slots whose replicas share a structure and a session, each at its own step of its own course."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from eiann.config import NetworkConfig
from eiann.data import Dataset, sample_order
from eiann.executors.base import Executor, Session, TrainingData
from eiann.network.architecture import Architecture, sizes_of
from eiann.network.replicas import add_slots, chosen_replicas, replace_replica
from eiann.training.checks import check_batches, check_fit
from eiann.training.course import block_ends, dendrites, dendritic_loss, draw_for_validation
from eiann.training.evaluation import evaluate
from eiann.training.history import History

if TYPE_CHECKING:
    from eiann.network.network import Network


@dataclass(frozen=True)
class ReplicaJob:
    """One replica to be trained.

    Attributes:
        key: what the caller knows it by, unique in the stream.
        config: its network.
        network_seed, data_seed: of initial parameters and of the order of samples.
    """

    key: Hashable
    config: NetworkConfig
    network_seed: int
    data_seed: int


@dataclass(frozen=True)
class Course:
    """What all replicas of a stream have in common.

    Attributes:
        data: training samples.
        per_epoch, epochs: training steps of a pass, and passes.
        validation: evaluated after the steps ``val_steps``.
        executor: name, or ``auto``.
    """

    data: Dataset
    per_epoch: int
    epochs: int
    validation: Dataset | None
    val_steps: tuple[int, ...]
    executor: str
    batch_size: int
    batch_reduction: str

    @property
    def total(self) -> int:
        """Training steps."""
        return self.per_epoch * self.epochs

    def order(self, seed: int) -> Tensor:
        """Samples in the order of a data seed."""
        return sample_order(len(self.data), seed, self.per_epoch * self.batch_size, self.epochs)

    def check(self, network: Network) -> None:
        """Raise a UserError if any of the replicas cannot be trained on the data."""
        sizes = [sizes_of(architecture) for architecture in network.architectures]
        for row in {size: row for row, size in enumerate(sizes)}.values():
            alone = chosen_replicas(network, [row])
            check_fit(alone, self.data)
            if self.validation is not None:
                check_fit(alone, self.validation)
        check_batches(network, self.batch_size, self.batch_reduction)


@dataclass
class Running:
    """A replica in a slot: its order of samples, and what its training has left so far."""

    job: ReplicaJob
    order: Tensor
    ends: list[int]
    done: int = 0
    diverged: bool = False
    loss: list[Tensor] = field(default_factory=list)
    val_loss: list[Tensor] = field(default_factory=list)
    val_accuracy: list[Tensor] = field(default_factory=list)
    dendritic: list[Tensor] = field(default_factory=list)

    @property
    def end(self) -> int:
        """Where its block ends. Its own course alone says so, never a neighbour."""
        return next(end for end in self.ends if end > self.done)

    @property
    def at_boundary(self) -> bool:
        """Whether a block has just ended."""
        return self.done in self.ends


class Lane:
    """Slots of one session.

    Args:
        network: one replica per job, just built.
        jobs: what they are.
        course: what is trained and when it is validated.
        executor: who trains.
    """

    def __init__(self, network: Network, jobs: Sequence[ReplicaJob], course: Course, executor: Executor) -> None:
        self.network = network
        self.course = course
        self.executor = executor
        self._watch = dendrites(network)
        self._ends = block_ends(course.total, set(course.val_steps))
        self.slots: list[Running | None] = [self._running(job) for job in jobs]
        self._draw(network)
        self._session = self._begin()

    @property
    def idle(self) -> list[int]:
        """Slots without a replica."""
        return [slot for slot, running in enumerate(self.slots) if running is None]

    @property
    def busy(self) -> list[int]:
        """Slots with one."""
        return [slot for slot, running in enumerate(self.slots) if running is not None]

    def running(self, slot: int) -> Running:
        """What is in a slot that is not idle."""
        running = self.slots[slot]
        assert running is not None
        return running

    def takes(self, architecture: Architecture) -> bool:
        """Whether such a replica may be in a slot: of the same structure, and of the same sizes if all go in step."""
        own = self.network.architecture
        if own.structure != architecture.structure:
            return False
        return not self.executor.in_step or sizes_of(own) == sizes_of(architecture)

    def fill(self, network: Network, jobs: Sequence[ReplicaJob]) -> None:
        """Put new replicas into idle slots, and into further ones where those do not suffice."""
        self._draw(network)
        missing = len(jobs) - len(self.idle)
        if missing > 0:
            add_slots(self.network, missing)
            self.slots += [None] * missing
        slots = self.idle[: len(jobs)]
        for row, (slot, job) in enumerate(zip(slots, jobs, strict=True)):
            replace_replica(self.network, slot, network, row)
            self.slots[slot] = self._running(job)
        self._session.load(slots)

    def shrink(self) -> None:
        """Let go of idle slots that cost as much as busy ones, once they are the larger part."""
        busy = self.busy
        if self.executor.in_step and 0 < 2 * len(busy) <= len(self.slots):
            self._session.store(busy)
            self.network = chosen_replicas(self.network, busy)
            self.slots = [self.slots[slot] for slot in busy]
            self._session = self._begin()

    def advance(self) -> list[int]:
        """Train every replica up to the end of its block, or as far as those go that are trained in step with it.

        Returns:
            Slots in which a block has ended, in order.
        """
        busy = self.busy
        distance = {slot: self.running(slot).end - self.running(slot).done for slot in busy}
        if self.executor.in_step:
            distance = dict.fromkeys(busy, min(distance.values()))
        for steps in sorted(set(distance.values())):
            self._train([slot for slot in busy if distance[slot] == steps], steps)
        return [slot for slot in busy if self.running(slot).at_boundary]

    def validate(self, slots: Sequence[int]) -> None:
        """Evaluate the replicas in these slots and keep the values."""
        assert self.course.validation is not None
        self._session.store(slots)
        # All of them at once where most are due: a device repeats that as it was recorded.
        whole = self.executor.in_step and 2 * len(slots) > len(self.slots)
        chosen = self.network if whole else chosen_replicas(self.network, slots)
        found = evaluate(chosen, self.course.validation, self.course.executor)
        states = {name: self._session.named(name) for name in self._watch}
        for row, slot in zip(slots if whole else range(len(slots)), slots, strict=True):
            running = self.running(slot)
            running.val_loss.append(found.loss[row])
            running.val_accuracy.append(found.accuracy[row])
            running.dendritic.append(self._dendritic_loss(slot, states))

    def take_out(self, slot: int) -> tuple[Network, History]:
        """Empty a slot: the replica as a network of its own, and its history."""
        running, course = self.running(slot), self.course
        self._session.store([slot])
        self.slots[slot] = None
        empty = torch.empty(1, 0)
        history = History(
            loss=torch.cat(running.loss).unsqueeze(0),
            sample_order=running.order[: running.done * course.batch_size].unsqueeze(0),
            val_steps=torch.tensor(course.val_steps[: len(running.val_loss)], dtype=torch.int64),
            val_loss=torch.stack(running.val_loss).unsqueeze(0) if running.val_loss else empty,
            val_accuracy=torch.stack(running.val_accuracy).unsqueeze(0) if running.val_loss else empty,
            forward_dendritic_loss=(
                torch.stack(running.dendritic).unsqueeze(0) if running.dendritic and self._watch else None
            ),
            executor=self.executor.name,
            batch_size=course.batch_size,
        )
        return chosen_replicas(self.network, [slot]), history

    def _begin(self) -> Session:
        course = self.course
        data = TrainingData(
            course.data.inputs, course.data.targets, course.batch_size, course.batch_reduction == "mean"
        )
        return self.executor.begin(self.network, data, tuple(self._watch))

    def _draw(self, network: Network) -> None:
        if self.course.validation is not None:
            draw_for_validation(network)

    def _running(self, job: ReplicaJob) -> Running:
        return Running(job, self.course.order(job.data_seed), self._ends)

    def _train(self, slots: Sequence[int], steps: int) -> None:
        batch = self.course.batch_size
        rows = [self.running(slot) for slot in slots]
        order = torch.stack([r.order[r.done * batch : (r.done + steps) * batch] for r in rows])
        losses = self._session.run(order, None if len(slots) == len(self.slots) else slots)
        finite = torch.isfinite(losses).all(dim=1).tolist()
        for running, loss, fine in zip(rows, losses, finite, strict=True):
            running.loss.append(loss)
            running.done += steps
            running.diverged = running.diverged or not fine

    def _dendritic_loss(self, slot: int, states: dict[str, Tensor]) -> Tensor:
        """At the replica's own size: padding would change how the sum is rounded."""
        units = [self.network.units(int(name.rpartition(":")[2]))[slot] for name in states]
        own = [state[slot : slot + 1, :, :n] for state, n in zip(states.values(), units, strict=True)]
        return dendritic_loss(own, torch.tensor([sum(units)]))[0]
