"""Train a stream of replicas on a bounded number of slots: who ends early makes room for the next.

A search need not wait for the slowest replica of a batch, nor train to the end what is lost already. Replicas that are
finished, stopped by the caller or diverged leave their slot at the end of a block of steps, and the next job of the
stream takes it while the neighbours go on. Jobs are taken one by one, when a slot is free: the stream may be a
generator that decides on the next job by the results so far.

A replica's course is its own: the ends of its blocks, its order of samples and its numbers do not depend on slot,
neighbours or what was in the slot before. So its result is the one of ``eiann.train`` alone, bit for bit, as far as it
went. On the native executor replicas of any size share slots; on executors that take all replicas in step, those of
one size do, and each size has slots of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import torch

from eiann.data import Dataset
from eiann.errors import UserError
from eiann.executors.choose import choose_executor
from eiann.network.architecture import sizes_of
from eiann.network.network import Network
from eiann.network.replicas import chosen_replicas
from eiann.network.resolve import resolve
from eiann.training.checks import check_length
from eiann.training.course import steps_per_epoch
from eiann.training.lane import Course, Lane, ReplicaJob, Running
from eiann.training.schedule import Interval, interval_steps

if TYPE_CHECKING:
    from eiann.training.history import History


class Ending(StrEnum):
    """Why a replica left its slot."""

    FINISHED = "finished"
    STOPPED = "stopped"
    DIVERGED = "diverged"
    REFUSED = "refused"


@dataclass(frozen=True)
class ReplicaReport:
    """Intermediate values of a replica right after a validation.

    Attributes:
        job: which replica.
        step: training step after which it was validated, from 0.
        val_steps: its validations so far; the last is ``step``.
        val_loss, val_accuracy: of each of these; accuracy in percent.
    """

    job: ReplicaJob
    step: int
    val_steps: tuple[int, ...]
    val_loss: tuple[float, ...]
    val_accuracy: tuple[float, ...]


@dataclass(frozen=True)
class ReplicaResult:
    """A replica that has left the stream.

    Attributes:
        job: which one.
        ending: why it left.
        steps: training steps that it took.
        network: trained, one replica; None if refused.
        history: of these steps (R = 1); of a replica that ended early shorter than the others'. None if refused.
        failure: of a refused job, what is wrong with it.
    """

    job: ReplicaJob
    ending: Ending
    steps: int = 0
    network: Network | None = None
    history: History | None = None
    failure: str | None = None


#: Given the replicas that were just validated, the keys of jobs to be stopped: these or any others that are running.
Decide = Callable[[Sequence[ReplicaReport]], Iterable[Hashable]]


def train_stream(
    jobs: Iterable[ReplicaJob],
    dataset: Dataset,
    *,
    slots: int,
    steps: int | None = None,
    epochs: int = 1,
    validation: Dataset | None = None,
    val_interval: Interval = (0, -1, 50),
    also_validate: Sequence[int] = (),
    decide: Decide | None = None,
    executor: str = "auto",
    dtype: torch.dtype = torch.float32,
    device: str | torch.device = "cpu",
    batch_size: int = 1,
    batch_reduction: str = "sum",
) -> Iterator[ReplicaResult]:
    """Train every job of a stream, at most ``slots`` at a time; results come as replicas end.

    Args:
        jobs: taken when a slot is free, never ahead.
        dataset, steps, epochs, validation, val_interval, batch_size, batch_reduction: as for ``eiann.train``.
        slots: replicas that are trained at a time.
        also_validate: further training steps, from 0, after which validation runs; they are in the histories too.
        decide: called after validations with a report per replica that was validated, in order of slots; returns the
            keys of jobs to stop. A replica that was not validated just now stops at the end of its block. The order
            of calls depends on the stream and ``slots`` only, not on timing or threads.
        executor: ``auto`` or the name of one; it is chosen for each structure of networks.
        dtype, device: of the networks.

    Yields:
        A result per job. A diverged replica, whose loss was NaN or infinite, ends with its block and is not validated
        any more. A job that no network can be built from is refused, with the reason; the others go on.

    Raises:
        UserError: settings that no job can be trained with; keys that are not unique.

    Example:
        >>> import eiann
        >>> data = eiann.data.load("spiral")
        >>> config = eiann.NetworkConfig.from_dict({
        ...     "layer_config": {"Input": {"E": {"size": 2}}, "Output": {"E": {"size": 4, "activation": "relu"}}},
        ...     "projection_config": {"Output": {"E": {"Input": {"E": {"learning_rule": "Backprop"}}}}},
        ... })
        >>> stream = (ReplicaJob(seed, config, seed, seed) for seed in range(5))
        >>> sorted(r.job.key for r in train_stream(stream, data.train, slots=2, steps=20))
        [0, 1, 2, 3, 4]
    """
    if slots < 1:
        raise UserError(f"slots: found {slots}; it is at least 1")
    check_length(steps, epochs)
    per_epoch = steps_per_epoch(dataset, steps, batch_size)
    total = per_epoch * epochs
    val_steps = interval_steps(val_interval, total) if validation is not None else ()
    if validation is not None:
        val_steps = tuple(sorted({*val_steps, *(step for step in also_validate if 0 <= step < total)}))
    course = Course(dataset, per_epoch, epochs, validation, val_steps, executor, batch_size, batch_reduction)
    return _Stream(iter(jobs), course, slots, decide, dtype, torch.device(device)).run()


class _Stream:
    """The loop: fill idle slots, train every lane to the next ends of blocks, let go who is through."""

    def __init__(
        self,
        jobs: Iterator[ReplicaJob],
        course: Course,
        slots: int,
        decide: Decide | None,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self._jobs = jobs
        self._course = course
        self._slots = slots
        self._decide = decide
        self._dtype = dtype
        self._device = device
        self._lanes: list[Lane] = []
        self._keys: set[Hashable] = set()
        self._stopped: set[Hashable] = set()

    def run(self) -> Iterator[ReplicaResult]:
        while True:
            # A refused job leaves its slot at once: ask again until the slots are full or the stream is dry.
            while new := self._next_jobs():
                yield from self._start(new)
            if not self._lanes:
                return
            for lane in self._lanes:
                lane.shrink()
            yield from self._advance()
            self._lanes = [lane for lane in self._lanes if lane.busy]

    def _next_jobs(self) -> list[ReplicaJob]:
        new: list[ReplicaJob] = []
        running = sum(len(lane.busy) for lane in self._lanes)
        while running + len(new) < self._slots:
            job = next(self._jobs, None)
            if job is None:
                break
            if job.key in self._keys:
                raise UserError(f"found two jobs with the key {job.key!r}; a key is unique in its stream")
            self._keys.add(job.key)
            new.append(job)
        return new

    # ------------------------------------------------------------------------------------------------------- beginning

    def _start(self, jobs: Sequence[ReplicaJob]) -> Iterator[ReplicaResult]:
        """Build the networks together where they share a structure; one by one where that fails, to find the fault."""
        for group in _by_structure(jobs):
            try:
                self._place(group)
            except UserError as error:
                if len(group) == 1:
                    yield ReplicaResult(group[0], Ending.REFUSED, failure=str(error))
                    continue
                for job in group:
                    yield from self._start([job])

    def _place(self, jobs: Sequence[ReplicaJob]) -> None:
        """Into slots of a lane that takes them, or into a lane of their own: one for each size if replicas go in step.

        Nothing has happened yet when it raises.
        """
        network = Network([job.config for job in jobs], [job.network_seed for job in jobs], self._dtype, self._device)
        self._course.check(network)
        executor, _ = choose_executor(self._course.executor, network, self._course.batch_size)
        parts: dict[tuple[int, ...], list[int]] = {}
        for row, architecture in enumerate(network.architectures):
            parts.setdefault(sizes_of(architecture) if executor.in_step else (), []).append(row)
        for rows in parts.values():
            part, own = chosen_replicas(network, rows), [jobs[row] for row in rows]
            lane = next((lane for lane in self._lanes if lane.takes(part.architecture)), None)
            if lane is None:
                self._lanes.append(Lane(part, own, self._course, executor))
            else:
                lane.fill(part, own)

    # ------------------------------------------------------------------------------------------------ going on, ending

    def _advance(self) -> Iterator[ReplicaResult]:
        ended: list[tuple[Lane, int]] = []
        reports: list[ReplicaReport] = []
        for lane in self._lanes:
            slots = lane.advance()
            due = [slot for slot in slots if self._validated(lane.running(slot))]
            if due:
                lane.validate(due)
                reports += [self._report(lane.running(slot)) for slot in due]
            ended += [(lane, slot) for slot in slots]
        if reports and self._decide is not None:
            self._stopped.update(self._running_keys() & set(self._decide(reports)))
        for lane, slot in ended:
            ending = self._ending(lane.running(slot))
            if ending is not None:
                running = lane.running(slot)
                network, history = lane.take_out(slot)
                self._stopped.discard(running.job.key)
                yield ReplicaResult(running.job, ending, running.done, network, history)

    def _running_keys(self) -> set[Hashable]:
        return {lane.running(slot).job.key for lane in self._lanes for slot in lane.busy}

    def _validated(self, running: Running) -> bool:
        return running.done - 1 in self._course.val_steps and not running.diverged

    def _ending(self, running: Running) -> Ending | None:
        if running.diverged:
            return Ending.DIVERGED
        if running.done == self._course.total:
            return Ending.FINISHED
        return Ending.STOPPED if running.job.key in self._stopped else None

    def _report(self, running: Running) -> ReplicaReport:
        return ReplicaReport(
            job=running.job,
            step=running.done - 1,
            val_steps=self._course.val_steps[: len(running.val_loss)],
            val_loss=tuple(float(value) for value in running.val_loss),
            val_accuracy=tuple(float(value) for value in running.val_accuracy),
        )


def _by_structure(jobs: Sequence[ReplicaJob]) -> list[list[ReplicaJob]]:
    """Jobs that may share a batch; one that cannot be resolved stands alone, and fails when it is built."""
    groups: dict[object, list[ReplicaJob]] = {}
    for job in jobs:
        try:
            key: object = resolve(job.config).structure
        except UserError:
            key = job.key
        groups.setdefault(key, []).append(job)
    return list(groups.values())
