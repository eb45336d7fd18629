"""Changes of weights and states by rules and optimizers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from eiann.executors.torch.forms import Step, form
from eiann.program import ops

if TYPE_CHECKING:
    from eiann.executors.torch.machine import TorchMachine


def _outer(u: Tensor, x: Tensor) -> Tensor:
    """Sum over the batch of u x^T: (R, B, post), (R, B, pre) -> (R, post, pre)."""
    if u.shape[1] == 1:
        return u.transpose(1, 2) * x
    return torch.stack([torch.mm(a.T, b) for a, b in zip(u, x.expand(-1, u.shape[1], -1), strict=True)])


@form(ops.Outer)
def _outer_step(machine: TorchMachine, op: ops.Outer) -> Step:
    v, weight = machine.values, machine.network.weights[op.weight]
    rate = machine.number(op.rate) * (op.sign * machine.batch_scale)

    def step() -> None:
        weight.add_(_outer(v[op.u] * rate, v[op.x]))  # type: ignore[operator,arg-type]

    return step


@form(ops.Oja)
def _oja(machine: TorchMachine, op: ops.Oja) -> Step:
    v, weight = machine.values, machine.network.weights[op.weight]
    rate = machine.number(op.rate) * machine.batch_scale

    def step() -> None:
        post: Any = v[op.v]
        decay = (post * post).sum(1, keepdim=True).transpose(1, 2)
        weight.add_(rate * (_outer(post, v[op.x]) - decay * weight))  # type: ignore[arg-type]

    return step


@form(ops.Btsp)
def _btsp(machine: TorchMachine, op: ops.Btsp) -> Step:
    v, weights = machine.values, machine.network.weights[op.weight]
    names = ("rate", "saturation", "discount", "ratio", "threshold", "beta", "sigmoid_at_zero", "sigmoid_range")
    numbers = [machine.number(getattr(op, name)) for name in names]
    # As with activations, exp is taken replica by replica on a CPU.
    rows = [slice(r, r + 1) for r in range(machine.network.R)] if machine.on_cpu else [slice(None)]

    def step() -> None:
        for r in rows:
            signals = (v[i][r] for i in (op.x, op.past_x, op.plus, op.past_plus, op.minus))  # type: ignore[index]
            weights[r].add_(btsp_change(weights[r], *signals, *(number[r] for number in numbers)))

    return step


def btsp_change(
    weight: Tensor, x: Tensor, past_x: Tensor, plus: Tensor, past_plus: Tensor, minus: Tensor, rate: Tensor,
    saturation: Tensor, discount: Tensor, ratio: Tensor, threshold: Tensor, beta: Tensor, at_zero: Tensor, span: Tensor,
) -> Tensor:  # fmt: skip
    """The change of weight of ``eiann.rules.btsp.BTSP19``: weight (R, post, pre), signals (R, 1, units)."""

    def depression(z: Tensor) -> Tensor:
        return (1 / (1 + torch.exp(-beta * (z.clamp(0, 1) - threshold))) - at_zero) / span

    def change(eligibility: Tensor, signal: Tensor | float) -> Tensor:
        return ((saturation - weight) * eligibility) * signal - (weight * ratio) * depression(eligibility * signal)

    plus, past_plus, minus = (signal.transpose(1, 2) for signal in (plus, past_plus, minus))
    past = past_x * discount
    return rate * (plus * change(x, 1.0) + plus * change(past, 1.0) + past_plus * change(x, discount) + minus * x)


@form(ops.GradientStepWeight)
def _gradient_step_weight(machine: TorchMachine, op: ops.GradientStepWeight) -> Step:
    network, v = machine.network, machine.values
    weight, rate = network.weights[op.weight], machine.number(op.rate)
    settings = network.architecture.optimizer
    projection = network.architecture.projections[op.weight]
    pairs = tuple(zip(op.us, op.xs, strict=True))
    if projection.convolution is not None:
        from eiann.executors.torch.convolution import kernel_gradient

        rate = rate.reshape(-1, 1, 1, 1, 1)

        def gradient() -> Tensor:
            return sum(kernel_gradient(machine, projection, v[u], v[x]) for u, x in pairs)  # type: ignore[return-value,arg-type,misc]
    else:

        def gradient() -> Tensor:
            return sum(_outer(v[u], v[x]) for u, x in pairs)  # type: ignore[return-value,arg-type,misc]

    if op.optimizer == "plain" or settings is None or settings.plain:

        def plain_step() -> None:
            weight.sub_(rate * gradient())

        return plain_step
    return _optimizer_step(machine, projection.parameter_name, weight, rate, gradient)


@form(ops.GradientStepBias)
def _gradient_step_bias(machine: TorchMachine, op: ops.GradientStepBias) -> Step:
    network = machine.network
    population = network.architecture.populations[machine.program.values[op.state].population]
    bias, rate = network.biases[population.index], machine.number(op.rate).squeeze(2)
    pixels = population.shape[1:] if population.is_image else None
    settings = network.architecture.optimizer

    def gradient() -> Tensor:
        # One after the other: the order in which torch sums over a stack depends on the number of replicas.
        total = machine.value(op.us[0]).sum(1)
        for u in op.us[1:]:
            total = total + machine.value(u).sum(1)
        return total if pixels is None else total.reshape(total.shape[0], population.size, -1).sum(2)

    if settings is None or settings.plain:

        def plain_step() -> None:
            bias.sub_(rate * gradient())

        return plain_step
    return _optimizer_step(machine, population.parameter_name, bias, rate, gradient)


def _optimizer_step(
    machine: TorchMachine, name: str, parameter: Tensor, rate: Tensor, gradient: Callable[[], Tensor]
) -> Step:
    settings, states = machine.network.architecture.optimizer, machine.network.states
    assert settings is not None
    kept = {}
    for kind in settings.state_names():
        kept[kind] = states.setdefault(f"optimizer.{kind}.{name}", torch.zeros_like(parameter))
    count = states.setdefault(
        f"optimizer.steps.{name}", torch.zeros(machine.network.R, dtype=torch.int64, device=parameter.device)
    )

    def step() -> None:
        settings.step(parameter, gradient(), rate, kept, count)
        count.add_(1)

    return step


@form(ops.AddTo)
def _add_to(machine: TorchMachine, op: ops.AddTo) -> Step:
    v, state, rate = machine.values, machine.value(op.state), machine.number(op.rate) * machine.batch_scale

    def step() -> None:
        state.add_((rate * v[op.x]).sum(1, keepdim=True))  # type: ignore[operator]

    return step


@form(ops.MoveThreshold)
def _move_threshold(machine: TorchMachine, op: ops.MoveThreshold) -> Step:
    v, state, k, tau = machine.values, machine.value(op.state), machine.number(op.k), machine.number(op.tau)

    def step() -> None:
        a: Any = v[op.activity]
        state.add_((-state + a * a / k) / tau)

    return step


@form(ops.Store)
def _store(machine: TorchMachine, op: ops.Store) -> Step:
    v, state = machine.values, machine.value(op.state)

    def step() -> None:
        state.copy_(v[op.x])  # type: ignore[arg-type]

    return step
