"""A training run whose steps are recorded: data, order of samples, position in it and losses live on the device.

The host copies a block's order to the device, starts recordings of many steps each, and copies the losses back; in
between nothing waits for it. Which sample a replica sees is looked up on the device, at a position that every step
moves on by itself, so one recording serves all steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from eiann.executors.base import TrainingData
from eiann.executors.cuda.forms import STATIC_FORMS
from eiann.executors.cuda.fusing import fused
from eiann.executors.cuda.recording import Recorder, Replay
from eiann.executors.holding import clones_hold, constraints_hold
from eiann.executors.torch.machine import TorchMachine
from eiann.program.compile import compile_training
from eiann.program.liveness import pruned

if TYPE_CHECKING:
    from eiann.network.network import Network

#: Steps in the long recording. It is started once for all of them; a recording of a single step takes the rest.
STEPS_PER_RECORDING = 10
#: Steps whose order and losses are on the device at a time.
MOST_STEPS = 1000


class RecordedSession:
    """A training run of all replicas in step.

    Args:
        network: on the device; its tensors are trained where they are.
        data: copied to the device.
        watch: names of values to keep.
        recorder: what makes recordings.
    """

    def __init__(self, network: Network, data: TrainingData, watch: Sequence[str], recorder: Recorder) -> None:
        self._network = network
        self._recorder = recorder
        program = compile_training(network.architecture)
        self._watch = tuple(watch)
        known = data.facts.get("constraints_hold")
        hold = clones_hold(network, program) and constraints_hold(network, program) if known is None else known
        self._holds = hold
        kept = [program.names[name] for name in self._watch]
        self._program = fused(pruned(program, self._watch), kept, holds=self._holds)
        self._batch = data.batch_size
        self._scale = 1.0 / data.batch_size if data.batch_mean else 1.0
        self._inputs = data.inputs.flatten(1).to(network.device, network.dtype).contiguous()
        self._targets = data.targets.to(network.device, network.dtype).contiguous()
        self._bind()

    def _bind(self) -> None:
        """Tensors that stay where they are, and nothing recorded yet."""
        network, batch = self._network, self._batch
        self._replicas = network.R
        self._machine = TorchMachine(network, self._program, self._watch, self._scale, STATIC_FORMS, static=True)
        self._held = self._tensors()
        self._order = torch.zeros(network.R, MOST_STEPS * batch, dtype=torch.int64, device=network.device)
        self._first_columns = torch.arange(batch, device=network.device)
        self._columns = self._first_columns.clone()
        self._step = torch.zeros(1, dtype=torch.int64, device=network.device)
        self._losses = torch.zeros(network.R, MOST_STEPS, dtype=network.dtype, device=network.device)
        self._watched = {name: self._buffer(name) for name in self._watch}
        self._recordings: dict[int, Replay] = {}

    def _tensors(self) -> list[Tensor]:
        """What training changes of the network."""
        network = self._network
        return [*network.weights.values(), *network.biases.values(), *network.states.values()]

    def _buffer(self, name: str) -> Tensor:
        network = self._network
        width = network.width(self._program.values[self._program.names[name]].population)
        return torch.zeros(network.R, self._batch, width, dtype=network.dtype, device=network.device)

    # ------------------------------------------------------------------------------------------------ what is recorded

    def steps(self, count: int) -> None:
        """Take training steps from the present position on, and keep the watched values of the last.

        This is what is recorded: no tensor's shape depends on data, and nothing waits for the device.
        """
        for _ in range(count):
            rows = self._order.index_select(1, self._columns)
            self._machine.execute(self._sample(self._inputs, rows), self._sample(self._targets, rows))
            self._losses.index_copy_(1, self._step, self._machine.loss.unsqueeze(1))
            self._columns.add_(self._batch)
            self._step.add_(1)
        for name, buffer in self._watched.items():
            buffer.copy_(self._machine.named(name))

    def _sample(self, data: Tensor, rows: Tensor) -> Tensor:
        return data.index_select(0, rows.flatten()).view(*rows.shape, data.shape[1])

    def _replay(self, count: int) -> None:
        if count not in self._recordings:
            changed = [*self._held, self._losses, self._columns, self._step]
            self._recordings[count] = self._recorder.record(lambda: self.steps(count), changed)
        self._recordings[count]()

    # -------------------------------------------------------------------------------------------------------- session

    def run(self, order: Tensor, slots: Sequence[int] | None = None) -> Tensor:
        """Train on the next samples; see ``Session``."""
        if order.numel() and not 0 <= int(order.min()) <= int(order.max()) < len(self._inputs):
            raise IndexError(f"sample order outside of 0..{len(self._inputs) - 1}")
        if slots is not None:
            everyone = torch.zeros(self._replicas, order.shape[1], dtype=order.dtype)
            order = everyone.index_copy(0, torch.tensor(slots), order)
        total = order.shape[1] // self._batch
        found = [self._block(order, start, min(MOST_STEPS, total - start)) for start in range(0, total, MOST_STEPS)]
        losses = torch.cat(found, dim=1) if found else self._losses[:, :0].cpu()
        return losses if slots is None else losses[list(slots)]

    def _block(self, order: Tensor, start: int, count: int) -> Tensor:
        first, samples = start * self._batch, count * self._batch
        self._order[:, :samples].copy_(order[:, first : first + samples])
        self._columns.copy_(self._first_columns)
        self._step.zero_()
        for _ in range(count // STEPS_PER_RECORDING):
            self._replay(STEPS_PER_RECORDING)
        for _ in range(count % STEPS_PER_RECORDING):
            self._replay(1)
        # The only wait of the block. A copy, since on a CPU this would be the buffer itself.
        return self._losses[:, :count].clone().cpu()

    def named(self, name: str) -> Tensor:
        """A watched value of the last sample."""
        return self._watched[name]

    def store(self, slots: Sequence[int] | None = None) -> None:
        """Nothing to do: the network's own tensors are trained."""

    def facts(self) -> dict[str, bool]:
        """Whether all constraints held: then those of weights that do not change are left out."""
        return {"constraints_hold": self._holds}

    def load(self, slots: Sequence[int]) -> None:
        """New replicas need only their numbers, unless slots were added: then all is recorded anew."""
        del slots
        held = self._tensors()
        if len(held) == len(self._held) and all(a is b for a, b in zip(held, self._held, strict=True)):
            self._machine.refresh()
        else:
            self._bind()
