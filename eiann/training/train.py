"""The training call: order of samples, validation at its steps, history."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from eiann.data import Dataset, sample_order
from eiann.errors import UserError
from eiann.executors.base import TrainingData
from eiann.executors.choose import choose_executor
from eiann.training.callbacks import Callback, Moment
from eiann.training.checks import check_batches, check_fit
from eiann.training.evaluation import evaluate
from eiann.training.history import History
from eiann.training.schedule import Interval, interval_steps

if TYPE_CHECKING:
    from eiann.network.network import Network

Progress = Callable[[int, int], None]
#: Training steps between two reports of progress: short enough for a Ctrl-C, long enough to cost nothing.
BLOCK = 100


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
    order = _order(dataset, data_seeds, steps, epochs, batch_size)
    total = order.shape[1] // batch_size
    chosen, reason = choose_executor(executor, network, batch_size)
    val_steps = interval_steps(val_interval, total) if validation is not None else ()
    if validation is not None:
        check_fit(network, validation)
        _draw_for_validation(network)
    dendrites = _dendrites(network)
    watch = [*dendrites, *(name for callback in callbacks for name in callback.watch(network))]
    network.reset_traces()
    data = TrainingData(dataset.inputs, dataset.targets, batch_size, batch_reduction == "mean")
    session = chosen.begin(network, data, tuple(dict.fromkeys(watch)))

    losses: list[Tensor] = []
    val_loss, val_accuracy, dendritic = [], [], []
    events = [set(callback.steps(total)) for callback in callbacks]
    for callback in callbacks:
        callback.begin(network, total)
    done = 0
    for stop in _stops(total, set(val_steps).union(*events)):
        losses.append(session.run(order[:, done * batch_size : stop * batch_size]))
        done = stop
        step = stop - 1
        if step in val_steps and validation is not None:
            session.store()
            result = evaluate(network, validation, executor)
            val_loss.append(result.loss)
            val_accuracy.append(result.accuracy)
            dendritic.append(_dendritic_loss(network, [session.named(name) for name in dendrites]))
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
        forward_dendritic_loss=torch.stack(dendritic, dim=1) if dendritic and dendrites else None,
        executor=chosen.name,
        batch_size=batch_size,
        executor_reason=reason,
    )


def _order(dataset: Dataset, seeds: Sequence[int], steps: int | None, epochs: int, batch_size: int) -> Tensor:
    """(R, epochs * steps * batch_size): which sample each replica sees when; whole batches only."""
    n = len(dataset)
    per_epoch = n // batch_size if steps is None else steps
    if per_epoch < 1 or per_epoch * batch_size > n:
        raise UserError(
            f"steps: found {per_epoch} steps of {batch_size} sample(s); "
            f"an epoch has {n} samples, use at most {n // batch_size} steps"
        )
    known = {seed: sample_order(n, seed, per_epoch * batch_size, epochs) for seed in set(seeds)}
    return torch.stack([known[seed] for seed in seeds])


def _draw_for_validation(network: Network) -> None:
    """The reference's validation loader takes one number of the stream; it matters for rules that draw units."""
    for generator in network.generators:
        torch.empty((), dtype=torch.int64).random_(generator=generator)


def _stops(total: int, events: set[int]) -> list[int]:
    """Ends of blocks: after each event, and often enough for progress."""
    return sorted({step + 1 for step in events} | set(range(BLOCK, total, BLOCK)) | {total})


def _dendrites(network: Network) -> list[str]:
    architecture = network.architecture
    return [f"forward_dendritic_state:{p.index}" for p in architecture.populations if architecture.dendritic(p.index)]


def _dendritic_loss(network: Network, states: Sequence[Tensor]) -> Tensor:
    """Mean absolute state over all units with a dendrite, (R,)."""
    if not states:
        return torch.zeros(network.R)
    architecture = network.architecture
    units = [network.units(p.index) for p in architecture.populations if architecture.dendritic(p.index)]
    count = torch.tensor(units).sum(dim=0)
    total = torch.stack([state.abs().mean(dim=1).sum(dim=1).cpu() for state in states]).sum(dim=0)
    return total / count
