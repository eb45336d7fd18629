"""The training call: order of samples, validation at its steps, history."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from torch import Tensor

from eiann.data import Dataset
from eiann.errors import UserError
from eiann.executors.base import Session, TrainingData
from eiann.executors.choose import choose_executor
from eiann.network.network import checked_seeds
from eiann.training.callbacks import Callback, Moment
from eiann.training.checkpoint import Checkpoint, Point, Run, resume, write_checkpoint
from eiann.training.checks import check_batches, check_fit, check_length
from eiann.training.course import (
    block_ends,
    dendrites,
    dendritic_loss,
    dendritic_units,
    draw_for_validation,
    sample_orders,
)
from eiann.training.curves import Curves
from eiann.training.evaluation import evaluate
from eiann.training.history import History
from eiann.training.schedule import Interval, interval_steps

if TYPE_CHECKING:
    from eiann.network.network import Network

Progress = Callable[[int, int], None]
logger = logging.getLogger(__name__)


def train(
    network: Network,
    dataset: Dataset,
    data_seeds: Sequence[int],
    steps: int | None = None,
    epochs: int = 1,
    validation: Dataset | None = None,
    val_interval: Interval = (0, -1, 50),
    executor: str = "auto",
    progress: Progress | None = None,
    callbacks: Sequence[Callback] = (),
    batch_size: int = 1,
    batch_reduction: str = "sum",
    checkpoint: Checkpoint | None = None,
) -> History:
    """Train all replicas, each on its own order of the samples; the network is changed in place.

    A replica's result does not depend on the others in the batch, nor on recording or progress.

    Args:
        network: R replicas.
        dataset: training samples; every replica sees the same set in its own order.
        data_seeds: one seed per replica, of the order of its samples.
        steps: training steps per epoch; None for one pass over the data. An epoch is never longer than the data.
        epochs: passes over the data.
        validation: evaluated after the training steps of ``val_interval``; None for no validation.
        val_interval: (start, stop, every) in training steps, negative values counted from the end.
        executor: ``auto``, ``native`` or ``torch``.
        progress: called with (steps done, steps in all) after each block of steps.
        callbacks: recorders; see ``eiann.training.callbacks``.
        batch_size: samples per training step. Local rules take the sum or the mean of their changes over a batch.
        batch_reduction: ``sum`` or ``mean``, for local rules; gradient rules average as the criterion says.
        checkpoint: where to write checkpoints. If the file is there, training goes on from it, to the same bits.

    Returns:
        The history. A replica that diverged has NaN in it; the others are not touched.

    Raises:
        UserError: seeds that do not match the replicas, data that do not fit the network, an interval outside of
            training, a checkpoint of another run.
    """
    data_seeds = checked_seeds(data_seeds, "data_seeds")
    if len(data_seeds) != network.R:
        raise UserError(f"found {len(data_seeds)} data seeds for {network.R} replicas; give one per replica")
    check_length(steps, epochs)
    check_fit(network, dataset)
    check_batches(network, batch_size, batch_reduction)
    order = sample_orders(dataset, data_seeds, steps, epochs, batch_size)
    total = order.shape[1] // batch_size
    chosen, reason = choose_executor(executor, network, batch_size)
    logger.info("executor %s", reason)
    val_steps = interval_steps(val_interval, total) if validation is not None else ()
    if validation is not None:
        check_fit(network, validation)
    point = Point(Curves(), {}, [None] * len(callbacks))
    run = None
    if checkpoint is not None:
        batch = (batch_size, batch_reduction)
        run = Run.of(network, dataset, validation, order, val_steps, chosen.name, batch, callbacks)
        point = resume(checkpoint, run, network, callbacks) or point
    curves = point.curves
    for callback, recorded in zip(callbacks, point.recorded, strict=True):
        callback.begin(network, total, recorded)
    if curves.done == 0:
        if validation is not None:
            draw_for_validation(network)
        network.reset_traces()
    watched = dendrites(network)
    watch = [*watched, *(name for callback in callbacks for name in callback.watch(network))]
    data = TrainingData(dataset.inputs, dataset.targets, batch_size, batch_reduction == "mean", point.facts)
    session = chosen.begin(network, data, tuple(dict.fromkeys(watch)))
    loop = _Loop(network, session, curves, order, batch_size)
    loop.at(val_steps, lambda step: loop.validate(validation, executor, watched))
    for callback in callbacks:
        loop.at(callback.steps(total), partial(loop.record, callback))
    if checkpoint is not None and run is not None:
        write = partial(write_checkpoint, checkpoint, run, network, session, curves, callbacks)
        loop.at(checkpoint.steps(total), lambda step: write())
    try:
        loop.run(total, progress)
    finally:
        # Interrupted too, the network has what it has learned.
        session.store()
        for callback in callbacks:
            callback.end()
    history = curves.history(order, val_steps, chosen.name, batch_size, bool(watched))
    return replace(history, executor_reason=reason)


@dataclass
class _Loop:
    """Blocks of training steps, and what happens between them."""

    network: Network
    session: Session
    curves: Curves
    order: Tensor
    batch_size: int
    events: list[tuple[frozenset[int], Callable[[int], None]]] = field(default_factory=list)

    def at(self, steps: Iterable[int], event: Callable[[int], None]) -> None:
        """Have something happen after these training steps, after what was asked for before."""
        self.events.append((frozenset(steps), event))

    def run(self, total: int, progress: Progress | None) -> None:
        """Train what is left."""
        curves, batch = self.curves, self.batch_size
        for stop in block_ends(total, {step for steps, _ in self.events for step in steps}):
            if stop <= curves.done:
                continue
            curves.losses.append(self.session.run(self.order[:, curves.done * batch : stop * batch]))
            curves.done = stop
            due = [event for steps, event in self.events if stop - 1 in steps]
            if due:
                self.session.store()
            for event in due:
                event(stop - 1)
            if progress is not None:
                progress(stop, total)

    def validate(self, validation: Dataset | None, executor: str, watched: Sequence[str]) -> None:
        """Evaluate, and note the dendritic loss of the last sample."""
        if validation is not None:
            result = evaluate(self.network, validation, executor)
            states = [self.session.named(name) for name in watched]
            self.curves.add_validation(result, dendritic_loss(states, dendritic_units(self.network)))

    def record(self, callback: Callback, step: int) -> None:
        """Hand a recorder the moment."""
        samples = self.order[:, step * self.batch_size : (step + 1) * self.batch_size]
        callback.record(Moment(step, self.network, self.session.named, samples))
