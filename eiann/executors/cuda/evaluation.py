"""Evaluation as a recording of its own: validations during a training run repeat it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from eiann.executors.cuda.forms import STATIC_FORMS
from eiann.executors.cuda.fusing import fused
from eiann.executors.cuda.recording import Recorder, Replay
from eiann.executors.torch.machine import TorchMachine
from eiann.program.compile import compile_evaluation
from eiann.program.liveness import pruned

if TYPE_CHECKING:
    from eiann.network.network import Network


class RecordedEvaluation:
    """The forward phase of a number of samples that all replicas see.

    Args:
        network: whose parameters are read where they are. It is not kept alive.
        names: values that are wanted.
        rows: samples at a time.
        recorder: what makes recordings.
    """

    def __init__(self, network: Network, names: Sequence[str], rows: int, recorder: Recorder) -> None:
        self._mirror = copy.copy(network)
        self._held = _parameters(network)
        self._recorder = recorder
        program = compile_evaluation(network.architecture)
        program = fused(pruned(program, names), [program.names[name] for name in names])
        self._machine = TorchMachine(self._mirror, program, names, forms=STATIC_FORMS, static=True)

        def buffer(*shape: int) -> Tensor:
            return torch.zeros(*shape, dtype=network.dtype, device=network.device)

        self._samples = buffer(rows, network.architecture.input.units)
        widths = {name: network.width(program.values[program.names[name]].population) for name in names}
        self._found = {name: buffer(network.R, rows, n) for name, n in widths.items()}
        self._replay: Replay | None = None
        self._used = False

    def serves(self, network: Network) -> bool:
        """Whether it reads the tensors that this network has now; its numbers are taken over where they changed."""
        held = _parameters(network)
        if len(held) != len(self._held) or any(a is not b for a, b in zip(held, self._held, strict=True)):
            return False
        if network.architectures is not self._mirror.architectures:
            self._mirror.architectures = network.architectures
            self._machine.refresh()
        return True

    def run(self) -> None:
        """The forward phase on the samples that are in place: this is what is recorded."""
        self._machine.execute(self._samples.unsqueeze(0).expand(self._mirror.R, -1, -1))
        for name, buffer in self._found.items():
            buffer.copy_(self._machine.named(name))

    def evaluate(self, samples: Tensor) -> dict[str, Tensor]:
        """Named values, (R, rows, units) each. Recorded at its second use: many networks are evaluated once."""
        self._samples.copy_(samples)
        if self._replay is None and self._used:
            self._replay = self._recorder.record(self.run, list(self._found.values()))
        (self._replay or self.run)()
        self._used = True
        return {name: buffer.clone() for name, buffer in self._found.items()}


def _parameters(network: Network) -> list[Tensor]:
    return [*network.weights.values(), *network.biases.values()]
