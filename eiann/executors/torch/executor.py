"""Training runs and evaluation on the torch executor."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from eiann.executors.base import TrainingData
from eiann.executors.torch.machine import TorchMachine
from eiann.program.compile import compile_evaluation, compile_training

if TYPE_CHECKING:
    from eiann.network.network import Network

#: Samples per chunk of an evaluation. It does not depend on the number of replicas, so that their numbers do not
#: either.
EVALUATION_CHUNK = 200


class TorchSession:
    """A training run, sample after sample, all replicas at once."""

    def __init__(self, network: Network, data: TrainingData, watch: Sequence[str]) -> None:
        scale = 1.0 / data.batch_size if data.batch_mean else 1.0
        program = compile_training(network.architecture)
        self._bind: Callable[[], TorchMachine] = partial(TorchMachine, network, program, watch, batch_scale=scale)
        self._machine = self._bind()
        self._inputs = data.inputs.flatten(1).to(network.device, network.dtype)
        self._targets = data.targets.to(network.device, network.dtype)
        self._batch = data.batch_size
        self._replicas = network.R

    def run(self, order: Tensor, slots: Sequence[int] | None = None) -> Tensor:
        """Train on the next samples; see ``Session``."""
        machine, batch = self._machine, self._batch
        if slots is not None:
            order = torch.zeros(self._replicas, order.shape[1], dtype=order.dtype).index_copy(
                0, torch.tensor(slots), order
            )
        order = order.to(self._inputs.device)
        losses = []
        for step in range(order.shape[1] // batch):
            rows = order[:, step * batch : (step + 1) * batch]
            machine.execute(self._inputs[rows], self._targets[rows])
            losses.append(machine.loss.clone())
        found = torch.stack(losses, dim=1).cpu()
        return found if slots is None else found[list(slots)]

    def named(self, name: str) -> Tensor:
        """A watched value of the last sample."""
        return self._machine.named(name)

    def store(self, slots: Sequence[int] | None = None) -> None:
        """Nothing to do: the network's own tensors are trained."""

    def load(self, slots: Sequence[int]) -> None:
        """Bind the program anew: what binding reads of the replicas' numbers has changed."""
        del slots
        self._machine = self._bind()
        self._replicas = self._machine.network.R

    def facts(self) -> dict[str, bool]:
        """None: an operation does the same whatever the parameters are."""
        return {}


class TorchExecutor:
    """Any device, any dtype, every rule."""

    name = "torch"
    in_step = True

    def refusal(self, network: Network, batch_size: int = 1) -> str | None:
        """It refuses nothing."""
        del network, batch_size
        return None

    def begin(self, network: Network, data: TrainingData, watch: Sequence[str]) -> TorchSession:
        """Prepare a training run."""
        return TorchSession(network, data, watch)

    def evaluate(
        self, network: Network, inputs: Tensor, names: Sequence[str]
    ) -> Iterator[tuple[slice, dict[str, Tensor]]]:
        """Forward phases of all samples, in chunks."""
        machine = TorchMachine(network, compile_evaluation(network.architecture), names)
        flat = inputs.flatten(1).to(network.device, network.dtype)
        for start in range(0, len(flat), EVALUATION_CHUNK):
            rows = slice(start, min(start + EVALUATION_CHUNK, len(flat)))
            machine.execute(flat[rows].unsqueeze(0).expand(network.R, -1, -1))
            batch = rows.stop - rows.start
            yield rows, {name: machine.named(name).expand(-1, batch, -1) for name in names}
