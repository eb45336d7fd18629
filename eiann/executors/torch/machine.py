"""The torch executor: runs a program operation by operation on tensors with replica and batch axes.

It gives the operations their meaning; other executors are held to its numbers. Values have the shape (replicas,
batch, units). On a CPU no operation mixes replicas or lets their number choose a kernel, so a replica's numbers are
the same alone and in a batch, bit for bit (replicas of different sizes: up to rounding, since padding changes the
length of sums).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from eiann.executors.torch import arithmetic, changes, images, limits, products
from eiann.executors.torch.forms import FORMS, Form, Step
from eiann.program.liveness import values_of
from eiann.program.ops import Op

if TYPE_CHECKING:
    from eiann.network.network import Network
    from eiann.program.compile import Program


class TorchMachine:
    """A program bound to the parameters of a network.

    Args:
        network: whose weights, biases and states are read and changed in place.
        program: what to run.
        keep: names of values that are read afterwards; others are freed after their last use.
        batch_scale: factor on the changes of local rules, 1 / batch for the mean over a mini-batch.
        forms: how operations are bound.
        static: whether the bound steps may be recorded and repeated by a device: nothing is decided by the value of a
            number, nothing goes replica by replica, and ``refresh`` brings other numbers into the same tensors.
    """

    def __init__(
        self,
        network: Network,
        program: Program,
        keep: Iterable[str] = (),
        batch_scale: float = 1.0,
        forms: Mapping[type[Op], Form] = FORMS,
        *,
        static: bool = False,
    ) -> None:
        self.network = network
        self.program = program
        self.batch_scale = batch_scale
        self.loss = torch.zeros(network.R, dtype=network.dtype, device=network.device)
        self.values: list[Tensor | None] = [None] * len(program.values)
        self.static = static
        self.apart = network.device.type == "cpu" and not static
        self._forms = forms
        self._constants: list[tuple[Tensor, Callable[[], Tensor]]] = []
        self._numbers: dict[int, Tensor] = {}
        for name, value in program.states.items():
            self.values[value] = network.state(name).unsqueeze(1)
        self._kept = {program.output, *(program.names[name] for name in keep)}
        self._steps = self._bind()

    def number(self, index: int) -> Tensor:
        """A number of every replica, (replicas, 1, 1)."""
        if index not in self._numbers:
            self._numbers[index] = self.constant(lambda: self.column(self.network.number(self.program.numbers[index])))
        return self._numbers[index]

    def column(self, values: Sequence[float]) -> Tensor:
        """One number per replica as (replicas, 1, 1)."""
        return torch.tensor(values, dtype=self.network.dtype, device=self.network.device).reshape(-1, 1, 1)

    def constant(self, compute: Callable[[], Tensor]) -> Tensor:
        """What depends on the replicas' numbers only; computed now and at each ``refresh``."""
        tensor = compute()
        self._constants.append((tensor, compute))
        return tensor

    def refresh(self) -> None:
        """Take over the numbers of replicas that were put into the network, into the same tensors."""
        for tensor, compute in self._constants:
            tensor.copy_(compute())

    def value(self, index: int) -> Tensor:
        """A value that has been computed."""
        tensor = self.values[index]
        assert tensor is not None, f"value {index} was freed or not computed yet"
        return tensor

    def named(self, name: str) -> Tensor:
        """A kept value by name, (replicas, batch, units)."""
        return self.value(self.program.names[name])

    def _bind(self) -> list[Step]:
        last_use = _last_uses(self.program.operations)
        lasting = self._kept | set(self.program.states.values())
        steps: list[Step] = []
        for position, operation in enumerate(self.program.operations):
            steps.append(self._forms[type(operation)](self, operation))
            dead = [v for v, last in last_use.items() if last == position and v not in lasting]
            if dead:
                steps.append(self._freeing(dead))
        return steps

    def _freeing(self, dead: Sequence[int]) -> Step:
        values = self.values

        def free() -> None:
            for index in dead:
                values[index] = None

        return free

    def execute(self, inputs: Tensor | None = None, target: Tensor | None = None) -> None:
        """Run the program once; inputs (replicas, batch, units), targets (replicas, batch, outputs)."""
        if inputs is not None:
            self.values[self.program.inputs] = inputs
        if target is not None and self.program.target is not None:
            self.values[self.program.target] = target
        with torch.no_grad():
            for step in self._steps:
                step()


def _last_uses(operations: Sequence[Op]) -> dict[int, int]:
    """Position of the last operation that reads or writes each value."""
    last: dict[int, int] = {}
    for position, operation in enumerate(operations):
        for value in values_of(operation):
            last[value] = position
    return last


#: Each of these rooms registers the forms of its operations in FORMS.
_ROOMS = (arithmetic, changes, images, limits, products)
