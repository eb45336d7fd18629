"""What each operation does to tensors. ``FORMS`` maps an operation to a function that binds it to a machine.

Binding happens once; the bound step is called for every sample, so it looks nothing up that could be looked up before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F

from eiann.program import ops

if TYPE_CHECKING:
    from eiann.executors.torch_executor import TorchMachine

Step = Callable[[], None]
Form = Callable[["TorchMachine", Any], Step]
FORMS: dict[type[ops.Op], Form] = {}


def form(operation: type[ops.Op]) -> Callable[[Form], Form]:
    """Register how an operation is bound."""

    def add(function: Form) -> Form:
        FORMS[operation] = function
        return function

    return add


# --------------------------------------------------------------------------------------------------------------- products


def _product(x: Tensor, matrix: Tensor, inner: int, on_cpu: bool) -> Tensor:
    """(R, B, n) times (R, m, n) over axis ``inner`` of the matrix, without mixing replicas."""
    if x.shape[1] == 1:
        # One column: a product and a sum are faster than a matrix product, and the same for any number of replicas.
        if inner == 2:
            return (matrix * x).sum(2).unsqueeze(1)
        return (matrix * x.transpose(1, 2)).sum(1).unsqueeze(1)
    matrix = matrix.transpose(1, 2) if inner == 2 else matrix
    if not on_cpu:
        return torch.bmm(x, matrix)
    # A batched product may choose its kernel by the number of replicas, and any product by the alignment of its operands: so one
    # product after another, each on fresh copies.
    return torch.stack([torch.mm(rows.clone(), columns.clone()) for rows, columns in zip(x, matrix, strict=True)])


def _bind_product(machine: TorchMachine, op: ops.Matvec | ops.MatvecT, inner: int) -> Step:
    v, weight, on_cpu = machine.values, machine.network.weights[op.weight], machine.on_cpu
    pairs = tuple(zip(op.dsts, op.xs, strict=True))

    def step() -> None:
        for dst, x in pairs:
            v[dst] = _product(v[x], weight, inner, on_cpu)  # type: ignore[arg-type]

    return step


@form(ops.Matvec)
def _matvec(machine: TorchMachine, op: ops.Matvec) -> Step:
    return _bind_product(machine, op, 2)


@form(ops.MatvecT)
def _matvec_t(machine: TorchMachine, op: ops.MatvecT) -> Step:
    return _bind_product(machine, op, 1)


# ------------------------------------------------------------------------------------------------------------ elementwise


def _elementwise(machine: TorchMachine, dst: int, compute: Callable[..., Tensor], *operands: int) -> Step:
    v = machine.values

    def step() -> None:
        v[dst] = compute(*(v[operand] for operand in operands))

    return step


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
    apart = machine.on_cpu and not function.rounds_alike

    def step() -> None:
        z: Any = v[state] if nudge is None else v[state] + v[nudge]  # type: ignore[operator]
        a = _replica_by_replica(function.function, z, parameters) if apart else function.function(z, *parameters)
        v[dst] = a if mask is None else a * mask

    return step


def _replica_by_replica(function: Callable[..., Tensor], z: Tensor, parameters: list[Tensor]) -> Tensor:
    """Functions such as exp round differently in a vector register and in the rest of a row: so each replica starts a row."""
    return torch.cat([function(z[r : r + 1].clone(), *(p[r : r + 1] for p in parameters)) for r in range(z.shape[0])])


def _activation(machine: TorchMachine, population: int) -> tuple[Any, list[Tensor], Tensor | None]:
    """Activation, its parameters (R, 1, 1), and a mask where padded units would be active."""
    network = machine.network
    shared = network.architecture.populations[population]
    per_replica = [a.populations[population].activation_parameters for a in network.architectures]
    parameters = [
        torch.tensor(values, dtype=network.dtype, device=network.device).reshape(-1, 1, 1) for values in zip(*per_replica, strict=True)
    ]
    mask = None if shared.activation.silent_at_zero else network.size_mask(shared)
    return shared.activation, parameters, mask


@form(ops.ActivateGradient)
def _activate_gradient(machine: TorchMachine, op: ops.ActivateGradient) -> Step:
    activation, parameters, mask = _activation(machine, op.population)

    apart = machine.on_cpu and not activation.rounds_alike

    def compute(g: Tensor, z: Tensor, a: Tensor) -> Tensor:
        z, a = z.expand_as(g), a.expand_as(g)
        if apart:
            rows = range(g.shape[0])
            operands = [[t[r : r + 1].clone() for t in (g, z, a)] + [p[r : r + 1] for p in parameters] for r in rows]
            result = torch.cat([activation.backward(*each) for each in operands])
        else:
            result = activation.backward(g, z, a, *parameters)
        return result if mask is None else result * mask

    return _elementwise(machine, op.dst, compute, op.gradient, op.state, op.activity)


@form(ops.Scale)
def _scale(machine: TorchMachine, op: ops.Scale) -> Step:
    number = machine.number(op.number)
    return _elementwise(machine, op.dst, lambda x: x * number, op.x)


@form(ops.Clamp)
def _clamp(machine: TorchMachine, op: ops.Clamp) -> Step:
    return _elementwise(machine, op.dst, lambda x: x.clamp(op.low, op.high), op.x)


@form(ops.Subtract)
def _subtract(machine: TorchMachine, op: ops.Subtract) -> Step:
    return _elementwise(machine, op.dst, torch.sub, op.a, op.b)


@form(ops.Multiply)
def _multiply(machine: TorchMachine, op: ops.Multiply) -> Step:
    return _elementwise(machine, op.dst, torch.mul, op.a, op.b)


@form(ops.ZeroWhereZero)
def _zero_where_zero(machine: TorchMachine, op: ops.ZeroWhereZero) -> Step:
    return _elementwise(machine, op.dst, lambda x, reference: x.masked_fill(reference == 0, 0), op.x, op.reference)


@form(ops.ZeroUpTo)
def _zero_up_to(machine: TorchMachine, op: ops.ZeroUpTo) -> Step:
    number = machine.number(op.number)
    return _elementwise(machine, op.dst, lambda x, reference: x.masked_fill(reference <= number, 0), op.x, op.reference)


@form(ops.Select)
def _select(machine: TorchMachine, op: ops.Select) -> Step:
    from eiann.executors.selection import select_largest, select_randomly, selected_counts

    network = machine.network
    counts = torch.tensor(selected_counts(network, machine.program.numbers[op.fraction], op.population), device=network.device)
    counts = counts.reshape(-1, 1, 1)
    if op.stochastic:
        return _elementwise(
            machine, op.dst, lambda e, masked: select_randomly(e, masked, counts, network.generators), op.error, op.masked
        )
    return _elementwise(machine, op.dst, lambda e, masked: select_largest(e, masked, counts), op.error, op.masked)


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

    return _elementwise(machine, op.dst, compute, op.output, op.target)


# -------------------------------------------------------------------------------------------- changes of weights and states


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
    """The change of weight of ``eiann.rules.btsp.BTSP19``: weight (R, post, pre), x over pre and plateaus over post (R, 1, units)."""

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
        from eiann.executors.images import kernel_gradient

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
    network, v = machine.network, machine.values
    population = network.architecture.populations[machine.program.values[op.state].population]
    bias, rate = network.biases[population.index], machine.number(op.rate).squeeze(2)
    pixels = population.shape[1:] if population.is_image else None
    settings = network.architecture.optimizer

    def gradient() -> Tensor:
        total: Any = sum(v[u].sum(1) for u in op.us)  # type: ignore[union-attr]
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
    count = states.setdefault(f"optimizer.steps.{name}", torch.zeros(machine.network.R, dtype=torch.int64, device=parameter.device))

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


# ----------------------------------------------------------------------------------------------------------- constraints


def _clamp_in_place(target: Tensor, low: Tensor, high: Tensor, keep_zero: Tensor | None) -> Step:
    """Clamp with scalars where all replicas share the bounds: the same numbers, less memory traffic."""
    shape = (-1, *(1 for _ in target.shape[1:]))
    lows, highs = low.reshape(shape), high.reshape(shape)
    shared = bool((low == low.flatten()[0]).all() and (high == high.flatten()[0]).all())
    low_value, high_value = float(low.flatten()[0]), float(high.flatten()[0])

    def step() -> None:
        if shared:
            target.clamp_(None if low_value == -float("inf") else low_value, None if high_value == float("inf") else high_value)
        else:
            target.clamp_(lows, highs)
        if keep_zero is not None:
            target.mul_(keep_zero)

    return step


@form(ops.ClampState)
def _clamp_state(machine: TorchMachine, op: ops.ClampState) -> Step:
    population = machine.network.architecture.populations[machine.program.values[op.state].population]
    return _clamp_in_place(
        machine.value(op.state), machine.number(op.low), machine.number(op.high), machine.network.size_mask(population)
    )


@form(ops.ClampWeight)
def _clamp_weight(machine: TorchMachine, op: ops.ClampWeight) -> Step:
    network = machine.network
    low, high = machine.number(op.low), machine.number(op.high)
    excludes_zero = bool((low > 0).any() or (high < 0).any())
    return _clamp_in_place(network.weights[op.weight], low, high, _entries(machine, op.weight) if excludes_zero else None)


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


# ------------------------------------------------------------------------------------------------------------------ images


@form(ops.Convolve)
def _convolve(machine: TorchMachine, op: ops.Convolve) -> Step:
    from eiann.executors.images import convolve

    projection = machine.network.architecture.projections[op.weight]
    return _elementwise(machine, op.dst, lambda x: convolve(machine, projection, x), op.x)


@form(ops.ConvolveT)
def _convolve_t(machine: TorchMachine, op: ops.ConvolveT) -> Step:
    from eiann.executors.images import input_gradient

    projection = machine.network.architecture.projections[op.weight]
    return _elementwise(machine, op.dst, lambda u: input_gradient(machine, projection, u), op.u)


@form(ops.PerPixel)
def _per_pixel(machine: TorchMachine, op: ops.PerPixel) -> Step:
    population = machine.network.architecture.populations[op.population]
    pixels = population.units // population.size
    return _elementwise(machine, op.dst, lambda b: b.repeat_interleave(pixels, dim=2), op.state)


@form(ops.MaxPool)
def _max_pool(machine: TorchMachine, op: ops.MaxPool) -> Step:
    from eiann.executors.images import as_image

    population = machine.network.architecture.populations[op.population]
    assert population.source is not None
    source, edge = machine.network.architecture.populations[population.source], population.kernel_size or 2

    def compute(x: Tensor) -> Tensor:
        pooled = F.max_pool2d(as_image(x, source), edge)
        return pooled.reshape(x.shape[0], x.shape[1], -1)

    return _elementwise(machine, op.dst, compute, op.x)


@form(ops.MaxPoolGradient)
def _max_pool_gradient(machine: TorchMachine, op: ops.MaxPoolGradient) -> Step:
    from eiann.executors.images import pool_gradient

    population = machine.network.architecture.populations[op.population]
    return _elementwise(machine, op.dst, lambda g, x: pool_gradient(machine, population, g, x), op.gradient, op.x)
