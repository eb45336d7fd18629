"""Bounds and constraints, and changes by functions of users."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from eiann.executors.torch.forms import Step, form
from eiann.program import ops

if TYPE_CHECKING:
    from eiann.executors.torch.machine import TorchMachine


def _clamp_in_place(machine: TorchMachine, target: Tensor, low: Tensor, high: Tensor, keep_zero: Tensor | None) -> Step:
    """Clamp with scalars where all replicas share the bounds: the same numbers, less memory traffic."""
    shape = (-1, *(1 for _ in target.shape[1:]))
    lows, highs = low.reshape(shape), high.reshape(shape)
    ends: tuple[Tensor | float | None, Tensor | float | None] = (lows, highs)
    if not machine.static and bool((low == low.flatten()[0]).all() and (high == high.flatten()[0]).all()):
        low_value, high_value = float(low.flatten()[0]), float(high.flatten()[0])
        ends = (None if low_value == -float("inf") else low_value, None if high_value == float("inf") else high_value)

    def step() -> None:
        target.clamp_(*ends)  # type: ignore[arg-type]
        if keep_zero is not None:
            target.mul_(keep_zero)

    return step


@form(ops.ClampState)
def _clamp_state(machine: TorchMachine, op: ops.ClampState) -> Step:
    population = machine.network.architecture.populations[machine.program.values[op.state].population]
    low, high, mask = machine.number(op.low), machine.number(op.high), machine.network.size_mask(population)
    return _clamp_in_place(machine, machine.value(op.state), low, high, mask)


@form(ops.ClampWeight)
def _clamp_weight(machine: TorchMachine, op: ops.ClampWeight) -> Step:
    network = machine.network
    low, high = machine.number(op.low), machine.number(op.high)
    weight = network.weights[op.weight]
    excludes_zero = machine.static or bool((low > 0).any() or (high < 0).any())
    return _clamp_in_place(machine, weight, low, high, _entries(machine, op.weight) if excludes_zero else None)


def _entries(machine: TorchMachine, weight: int) -> Tensor | None:
    """1 at the entries that a replica has, 0 at padded ones; None where nothing is padded."""
    network = machine.network
    projection = network.architecture.projections[weight]
    post, pre = (network.size_mask(network.architecture.populations[i]) for i in (projection.post, projection.pre))
    if post is None and pre is None:
        return None
    ones = torch.ones(network.R, 1, 1, dtype=network.dtype, device=network.device)
    return (ones if post is None else post.transpose(1, 2)) * (ones if pre is None else pre)


@form(ops.ZeroDiagonal)
def _zero_diagonal(machine: TorchMachine, op: ops.ZeroDiagonal) -> Step:
    diagonal = machine.network.weights[op.weight].diagonal(dim1=1, dim2=2)
    return lambda: _discard(diagonal.zero_())


def _discard(_: Tensor) -> None:
    return None


@form(ops.Normalize)
def _normalize(machine: TorchMachine, op: ops.Normalize) -> Step:
    weight, scale = machine.network.weights[op.weight], machine.number(op.scale)

    def step() -> None:
        norm = weight.abs().sum(2, keepdim=True)
        weight.div_(torch.where(norm != 0, norm, torch.ones_like(norm))).mul_(scale)

    return step


@form(ops.Mask)
def _mask(machine: TorchMachine, op: ops.Mask) -> Step:
    weight, mask = machine.network.weights[op.weight], machine.network.masks[op.weight]
    return lambda: _discard(weight.mul_(mask))


@form(ops.Clone)
def _clone(machine: TorchMachine, op: ops.Clone) -> Step:
    weights, factor = machine.network.weights, machine.number(op.factor)
    target, source = weights[op.weight], weights[op.source]
    second = None if op.source2 is None else weights[op.source2]
    if source.ndim == 5:
        factor = factor.reshape(-1, 1, 1, 1, 1)

    def step() -> None:
        copy = source * factor
        if second is not None:
            copy = copy * second
        target.copy_(copy.transpose(1, 2) if op.transpose else copy)

    return step


@form(ops.ChangeWeight)
def _change_weight(machine: TorchMachine, op: ops.ChangeWeight) -> Step:
    weight, entries = machine.network.weights[op.weight], _entries(machine, op.weight)
    numbers = [machine.number(number) for number in op.numbers]

    def step() -> None:
        changed = op.function(weight, *(machine.value(x) for x in op.xs), *numbers)
        weight.copy_(changed if entries is None else changed * entries)

    return step
