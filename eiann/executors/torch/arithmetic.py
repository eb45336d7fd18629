"""Elementwise operations, activations, selection and loss."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from eiann.executors.torch.forms import Step, elementwise, form
from eiann.program import ops

if TYPE_CHECKING:
    from eiann.executors.torch.machine import TorchMachine


@form(ops.Zero)
def _zero(machine: TorchMachine, op: ops.Zero) -> Step:
    network = machine.network
    width = network.width(machine.program.values[op.dst].population)
    zeros = torch.zeros(network.R, 1, width, dtype=network.dtype, device=network.device)
    v = machine.values

    def step() -> None:
        v[op.dst] = zeros

    return step


@form(ops.Sum)
def _sum(machine: TorchMachine, op: ops.Sum) -> Step:
    v, (first, *rest), dst = machine.values, op.terms, op.dst

    def step() -> None:
        total: Any = v[first]
        for term in rest:
            total = total + v[term]
        v[dst] = total

    return step


@form(ops.Leak)
def _leak(machine: TorchMachine, op: ops.Leak) -> Step:
    v, tau, dst, terms, state = machine.values, machine.number(op.tau), op.dst, op.terms, op.state

    def step() -> None:
        s: Any = v[state]
        change: Any = v[terms[0]] - s
        for term in terms[1:]:
            change = change + v[term]
        v[dst] = s + change / tau

    return step


@form(ops.Activate)
def _activate(machine: TorchMachine, op: ops.Activate) -> Step:
    function, parameters, mask = _activation(machine, op.population)
    v, dst, state, nudge = machine.values, op.dst, op.state, op.nudge
    apart = machine.apart and not function.rounds_alike

    def step() -> None:
        z: Any = v[state] if nudge is None else v[state] + v[nudge]  # type: ignore[operator]
        a = _replica_by_replica(function.function, z, parameters) if apart else function.function(z, *parameters)
        v[dst] = a if mask is None else a * mask

    return step


def _replica_by_replica(function: Callable[..., Tensor], z: Tensor, parameters: list[Tensor]) -> Tensor:
    """Functions such as exp round differently in vector registers and at a row's end: each replica starts a row."""
    return torch.cat([function(z[r : r + 1].clone(), *(p[r : r + 1] for p in parameters)) for r in range(z.shape[0])])


def _activation(machine: TorchMachine, population: int) -> tuple[Any, list[Tensor], Tensor | None]:
    """Activation, its parameters (R, 1, 1), and a mask where padded units would be active."""
    network = machine.network
    shared = network.architecture.populations[population]

    def parameter(position: int) -> Tensor:
        return machine.column(
            [a.populations[population].activation_parameters[position] for a in network.architectures]
        )

    parameters = [machine.constant(partial(parameter, k)) for k in range(len(shared.activation_parameters))]
    mask = None if shared.activation.silent_at_zero else network.size_mask(shared)
    return shared.activation, parameters, mask


@form(ops.ActivateGradient)
def _activate_gradient(machine: TorchMachine, op: ops.ActivateGradient) -> Step:
    activation, parameters, mask = _activation(machine, op.population)

    apart = machine.apart and not activation.rounds_alike

    def compute(g: Tensor, z: Tensor, a: Tensor) -> Tensor:
        z, a = z.expand_as(g), a.expand_as(g)
        if apart:
            rows = range(g.shape[0])
            operands = [[t[r : r + 1].clone() for t in (g, z, a)] + [p[r : r + 1] for p in parameters] for r in rows]
            result = torch.cat([activation.backward(*each) for each in operands])
        else:
            result = activation.backward(g, z, a, *parameters)
        return result if mask is None else result * mask

    return elementwise(machine, op.dst, compute, op.gradient, op.state, op.activity)


@form(ops.Scale)
def _scale(machine: TorchMachine, op: ops.Scale) -> Step:
    number = machine.number(op.number)
    return elementwise(machine, op.dst, lambda x: x * number, op.x)


@form(ops.Clamp)
def _clamp(machine: TorchMachine, op: ops.Clamp) -> Step:
    return elementwise(machine, op.dst, lambda x: x.clamp(op.low, op.high), op.x)


@form(ops.Subtract)
def _subtract(machine: TorchMachine, op: ops.Subtract) -> Step:
    return elementwise(machine, op.dst, torch.sub, op.a, op.b)


@form(ops.Multiply)
def _multiply(machine: TorchMachine, op: ops.Multiply) -> Step:
    return elementwise(machine, op.dst, torch.mul, op.a, op.b)


@form(ops.ZeroWhereZero)
def _zero_where_zero(machine: TorchMachine, op: ops.ZeroWhereZero) -> Step:
    return elementwise(machine, op.dst, lambda x, reference: x.masked_fill(reference == 0, 0), op.x, op.reference)


@form(ops.ZeroUpTo)
def _zero_up_to(machine: TorchMachine, op: ops.ZeroUpTo) -> Step:
    number = machine.number(op.number)
    return elementwise(machine, op.dst, lambda x, reference: x.masked_fill(reference <= number, 0), op.x, op.reference)


@form(ops.Select)
def _select(machine: TorchMachine, op: ops.Select) -> Step:
    from eiann.executors.torch.selection import select_largest, select_randomly, selected_counts

    network = machine.network
    fraction = machine.program.numbers[op.fraction]
    counts = machine.constant(
        lambda: torch.tensor(selected_counts(network, fraction, op.population), device=network.device).reshape(-1, 1, 1)
    )
    if op.stochastic:
        return elementwise(
            machine,
            op.dst,
            lambda e, masked: select_randomly(e, masked, counts, network.generators),
            op.error,
            op.masked,
        )
    return elementwise(machine, op.dst, lambda e, masked: select_largest(e, masked, counts), op.error, op.masked)


@form(ops.Loss)
def _loss(machine: TorchMachine, op: ops.Loss) -> Step:
    v, criterion, loss = machine.values, machine.program.architecture.criterion, machine.loss

    def step() -> None:
        loss.copy_(criterion.value(v[op.output], v[op.target]))  # type: ignore[arg-type]

    return step


@form(ops.LossGradient)
def _loss_gradient(machine: TorchMachine, op: ops.LossGradient) -> Step:
    criterion = machine.program.architecture.criterion
    units = machine.network.units(machine.program.values[op.dst].population)
    # A padded replica's mean is over its own units.
    padding = torch.tensor([max(units) / n for n in units], dtype=machine.network.dtype, device=machine.network.device)
    scale = padding.reshape(-1, 1, 1) if len(set(units)) > 1 and criterion.reduction == "mean" else None

    def compute(output: Tensor, target: Tensor) -> Tensor:
        gradient = criterion.gradient(output, target)
        return gradient if scale is None else gradient * scale

    return elementwise(machine, op.dst, compute, op.output, op.target)
