"""How operations are bound to a machine: ``FORMS`` maps an operation to a function that returns its step.

Binding happens once; the bound step is called for every sample, so it looks nothing up that could be looked up before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from torch import Tensor

from eiann.program import ops

if TYPE_CHECKING:
    from eiann.executors.torch.machine import TorchMachine

Step = Callable[[], None]
Form = Callable[["TorchMachine", Any], Step]
FORMS: dict[type[ops.Op], Form] = {}


def form(operation: type[ops.Op]) -> Callable[[Form], Form]:
    """Register how an operation is bound."""

    def add(function: Form) -> Form:
        FORMS[operation] = function
        return function

    return add


def elementwise(machine: TorchMachine, dst: int, compute: Callable[..., Tensor], *operands: int) -> Step:
    """A step that computes one value from others."""
    v = machine.values

    def step() -> None:
        v[dst] = compute(*(v[operand] for operand in operands))

    return step
