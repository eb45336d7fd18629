"""The training call: order of samples, validation at its steps, history."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from eiann.data import Dataset
from eiann.errors import UserError
from eiann.executors.base import TrainingData
from eiann.executors.choose import choose_executor
from eiann.training.callbacks import Callback, Moment
from eiann.training.checks import check_batches, check_fit
from eiann.training.course import (
    block_ends,
    dendrites,
    dendritic_loss,
    dendritic_units,
    draw_for_validation,
    sample_orders,
)
from eiann.training.evaluation import evaluate
from eiann.training.history import History
from eiann.training.schedule import Interval, interval_steps

if TYPE_CHECKING:
    from eiann.network.network import Network

Progress = Callable[[int, int], None]


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

    Returns:
        The history. A replica that diverged has NaN in it; the others are not touched.

    Raises:
        UserError: seeds that do not match the replicas, data that do not fit the network, an interval outside of
            training.
    """
    if len(data_seeds) != network.R:
        raise UserError(f"found {len(data_seeds)} data seeds for {network.R} replicas; give one per replica")
    check_fit(network, dataset)
    check_batches(network, batch_size, batch_reduction)
    order = sample_orders(dataset, data_seeds, steps, epochs, batch_size)
    total = order.shape[1] // batch_size
    chosen, _ = choose_executor(executor, network, batch_size)
    val_steps = interval_steps(val_interval, total) if validation is not None else ()
    if validation is not None:
        check_fit(network, validation)
        draw_for_validation(network)
    watched = dendrites(network)
    watch = [*watched, *(name for callback in callbacks for name in callback.watch(network))]
    network.reset_traces()
    data = TrainingData(dataset.inputs, dataset.targets, batch_size, batch_reduction == "mean")
    session = chosen.begin(network, data, tuple(dict.fromkeys(watch)))

    losses: list[Tensor] = []
    val_loss, val_accuracy, dendritic = [], [], []
    events = [set(callback.steps(total)) for callback in callbacks]
    for callback in callbacks:
        callback.begin(network, total)
    done = 0
    for stop in block_ends(total, set(val_steps).union(*events)):
        losses.append(session.run(order[:, done * batch_size : stop * batch_size]))
        done = stop
        step = stop - 1
        if step in val_steps and validation is not None:
            session.store()
            result = evaluate(network, validation, executor)
            val_loss.append(result.loss)
            val_accuracy.append(result.accuracy)
            dendritic.append(dendritic_loss([session.named(name) for name in watched], dendritic_units(network)))
        due = [callback for callback, when in zip(callbacks, events, strict=True) if step in when]
        if due:
            session.store()
            moment = Moment(step, network, session.named, order[:, step * batch_size : stop * batch_size])
            for callback in due:
                callback.record(moment)
        if progress is not None:
            progress(done, total)
    session.store()
    empty = torch.empty(network.R, 0)
    return History(
        loss=torch.cat(losses, dim=1),
        sample_order=order,
        val_steps=torch.tensor(val_steps, dtype=torch.int64),
        val_loss=torch.stack(val_loss, dim=1) if val_loss else empty,
        val_accuracy=torch.stack(val_accuracy, dim=1) if val_accuracy else empty,
        forward_dendritic_loss=torch.stack(dendritic, dim=1) if dendritic and watched else None,
        executor=chosen.name,
        batch_size=batch_size,
    )
