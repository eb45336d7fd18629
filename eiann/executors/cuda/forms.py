"""Forms of operations for many replicas on a device: one kernel where the torch executor has several.

What bounds a step there is memory traffic and the number of kernels. So a weight is read once for all inputs that it
multiplies, and read and written once when it changes; products and sums of a weight's size are never materialized. The
rest is as in the torch executor, which gives the meaning; numbers differ by rounding.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor

from eiann.executors.cuda.fusing import Integrate
from eiann.executors.torch.changes import optimizer_step
from eiann.executors.torch.forms import FORMS, Form, Step
from eiann.program import ops

if TYPE_CHECKING:
    from eiann.executors.torch.machine import TorchMachine


def _rows(values: Sequence[Any]) -> Tensor:
    """Values (R, rows, units) below each other."""
    return values[0] if len(values) == 1 else torch.cat(list(values), dim=1)


def _product(machine: TorchMachine, op: ops.Matvec | ops.MatvecT, *, transposed: bool) -> Step:
    v, weight = machine.values, machine.network.weights[op.weight]
    matrix = weight if transposed else weight.transpose(1, 2)
    dsts, xs = op.dsts, op.xs

    def step() -> None:
        inputs: list[Any] = [v[x] for x in xs]
        product = torch.bmm(_rows(inputs), matrix)
        for dst, part in zip(dsts, torch.split(product, [x.shape[1] for x in inputs], dim=1), strict=True):
            v[dst] = part

    return step


def _matvec(machine: TorchMachine, op: ops.Matvec) -> Step:
    return _product(machine, op, transposed=False)


def _matvec_t(machine: TorchMachine, op: ops.MatvecT) -> Step:
    return _product(machine, op, transposed=True)


def _pairs(u: Any, x: Any) -> tuple[Tensor, Tensor]:
    """Both with as many rows as the batch has; a value that does not depend on the sample has one."""
    rows = max(u.shape[1], x.shape[1])
    return u.expand(-1, rows, -1), x.expand(-1, rows, -1)


def _outer(machine: TorchMachine, op: ops.Outer) -> Step:
    v, weight = machine.values, machine.network.weights[op.weight]
    rate = machine.constant(lambda: machine.number(op.rate) * (op.sign * machine.batch_scale))

    def step() -> None:
        u, x = _pairs(v[op.u] * rate, v[op.x])  # type: ignore[operator]
        weight.baddbmm_(u.transpose(1, 2), x)

    return step


def _oja(machine: TorchMachine, op: ops.Oja) -> Step:
    v, weight = machine.values, machine.network.weights[op.weight]
    rate = machine.constant(lambda: machine.number(op.rate) * machine.batch_scale)

    def step() -> None:
        post, x = _pairs(v[op.v], v[op.x])
        decay = rate * (post * post).sum(1, keepdim=True)
        weight.mul_((1 - decay).transpose(1, 2)).baddbmm_((rate * post).transpose(1, 2), x)

    return step


def _gradient_step_weight(machine: TorchMachine, op: ops.GradientStepWeight) -> Step:
    network, v = machine.network, machine.values
    weight, rate = network.weights[op.weight], machine.number(op.rate)
    settings = network.architecture.optimizer

    def factors() -> tuple[Tensor, Tensor]:
        pairs = [_pairs(v[u], v[x]) for u, x in zip(op.us, op.xs, strict=True)]
        return _rows([u for u, _ in pairs]), _rows([x for _, x in pairs])

    if op.optimizer == "plain" or settings is None or settings.plain:

        def plain_step() -> None:
            u, x = factors()
            weight.baddbmm_((rate * u).transpose(1, 2), x, alpha=-1)

        return plain_step

    def gradient() -> Tensor:
        u, x = factors()
        return torch.bmm(u.transpose(1, 2), x)

    return optimizer_step(machine, network.architecture.projections[op.weight].parameter_name, weight, rate, gradient)


def _integrate(machine: TorchMachine, op: Integrate) -> Step:
    v = machine.values
    products = [(machine.network.weights[w].transpose(1, 2), x) for w, x in zip(op.weights, op.xs, strict=True)]
    tau = op.tau
    share = None if tau is None else machine.constant(lambda: 1 / machine.number(tau))

    def step() -> None:
        total: Any = None
        for term in op.terms:
            total = v[term] if total is None else total + v[term]
        for matrix, x in products:
            if total is None:
                total = torch.bmm(v[x], matrix)  # type: ignore[arg-type]
            else:
                total, rows = _pairs(total, v[x])
                total = torch.baddbmm(total, rows, matrix)
        v[op.dst] = total if share is None else torch.lerp(v[op.state], total, share)  # type: ignore[arg-type,index]

    return step


def _normalize(machine: TorchMachine, op: ops.Normalize) -> Step:
    weight, scale = machine.network.weights[op.weight], machine.number(op.scale)

    def step() -> None:
        norm = weight.abs().sum(2, keepdim=True)
        weight.mul_(torch.where(norm != 0, scale / norm, scale))

    return step


def _clone(machine: TorchMachine, op: ops.Clone) -> Step:
    weights, factor = machine.network.weights, machine.number(op.factor)
    target, source = weights[op.weight], weights[op.source]
    source = source.transpose(1, 2) if op.transpose else source
    second = None if op.source2 is None else weights[op.source2]
    if second is not None and op.transpose:
        second = second.transpose(1, 2)

    def step() -> None:
        torch.mul(source, factor, out=target)
        if second is not None:
            target.mul_(second)

    return step


_OWN: Final[dict[type[ops.Op], Form]] = {
    ops.Matvec: _matvec,
    ops.MatvecT: _matvec_t,
    ops.Outer: _outer,
    ops.Oja: _oja,
    ops.GradientStepWeight: _gradient_step_weight,
    Integrate: _integrate,
    ops.Normalize: _normalize,
    ops.Clone: _clone,
}
#: Every operation's form on a device; what is not here is as in the torch executor.
STATIC_FORMS: Final[Mapping[type[ops.Op], Form]] = ChainMap(_OWN, FORMS)
