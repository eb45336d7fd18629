"""Lowers a program to the interpreter's code: numbers in a row, and a place in the arena for every value.

Values that are dead give their place to later values of the same population, so an arena stays in the caches. Places
are given by population, so one code serves replicas of different sizes; only the offsets differ.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from eiann.executors.native.needed import where_needed
from eiann.executors.native.rewritten import Finish, FinishedBtsp, KernelStep, SourceProduct, UpdateRows, operands
from eiann.executors.native.simplify import Simplified
from eiann.program import ops
from eiann.program.builder import NumberSource
from eiann.program.compile import Program
from eiann.program.criteria import CrossEntropyLoss
from eiann.program.ops import Op, Value

if TYPE_CHECKING:
    from eiann.network.network import Network

#: Order as in kernel.cpp.
CODES = {
    name: number
    for number, name in enumerate(
        [
            "ZERO",
            "MATVEC",
            "MATVEC_T",
            "SUM",
            "LEAK",
            "ACTIVATE",
            "ACTIVATE_GRADIENT",
            "SCALE",
            "CLAMP",
            "SUBTRACT",
            "MULTIPLY",
            "ZERO_WHERE_ZERO",
            "ZERO_UP_TO",
            "SELECT",
            "LOSS",
            "LOSS_GRADIENT",
            "UPDATE_ROWS",
            "OJA",
            "BTSP",
            "GRADIENT_STEP_BIAS",
            "ADD_TO",
            "MOVE_THRESHOLD",
            "STORE",
            "CLAMP_STATE",
            "CLAMP_WEIGHT",
            "ZERO_DIAGONAL",
            "NORMALIZE",
            "MASK",
            "CLONE",
            "CONVOLVE",
            "CONVOLVE_T",
            "KERNEL_STEP",
            "PER_PIXEL",
            "MAX_POOL",
            "MAX_POOL_GRADIENT",
        ]
    )
}
ACTIVATIONS = {
    name: number
    for number, name in enumerate(
        ["linear", "relu", "polynomial", "srelu", "softmax", "sigmoid", "tanh", "softplus", "elu", "leaky_relu"]
    )
}
CRITERIA = {"MSELoss": 0, "BCELoss": 1, "CrossEntropyLoss": 2}
#: Products that one row update may add up; kernel.cpp has the same limit.
MOST_PRODUCTS = 32


@dataclass
class Lowered:
    """Code of a program with what is needed to lay out arenas.

    Attributes:
        code: operation, number of arguments, arguments, and so on.
        slots: place of each value, (population, number); states and watched values have their own.
        numbers: per number, its value in each replica.
    """

    program: Program
    simplified: Simplified
    code: list[int] = field(default_factory=list)
    slots: dict[Value, tuple[int, int]] = field(default_factory=dict)
    numbers: list[list[float]] = field(default_factory=list)


def lower(network: Network, program: Program, simplified: Simplified, keep: Sequence[str]) -> Lowered:
    """Write the code of a program for a batch of replicas."""
    lowered = Lowered(program, simplified)
    lowered.numbers = [network.number(source) for source in program.numbers]
    writer = _Writer(network, lowered, keep)
    for op in simplified.operations:
        name, arguments = FORMS[type(op)](writer, op)
        lowered.code += [CODES[name], len(arguments), *arguments]
    _place_values(lowered, keep)
    return lowered


def _place_values(lowered: Lowered, keep: Sequence[str]) -> None:
    program = lowered.program
    lasting = {program.inputs, program.output, *(program.names[name] for name in keep), *program.states.values()}
    if program.target is not None:
        lasting.add(program.target)
    last = {value: i for i, op in enumerate(lowered.simplified.operations) for value in operands(op)}
    free: dict[int, list[int]] = {}
    used: dict[int, int] = {}

    def take(value: Value) -> None:
        population = program.values[value].population
        spare = free.get(population)
        if spare and value not in lasting:
            number = spare.pop()
        else:
            number = used[population] = used.get(population, -1) + 1
        lowered.slots[value] = (population, number)

    for value in sorted(lasting):
        take(value)
    for position, op in enumerate(lowered.simplified.operations):
        touched = dict.fromkeys(operands(op))
        for value in touched:
            if value not in lowered.slots:
                take(value)
        for value in touched:
            if last[value] == position and value not in lasting:
                population, number = lowered.slots[value]
                free.setdefault(population, []).append(number)


class _Writer:
    """Turns operations into arguments of the interpreter."""

    def __init__(self, network: Network, lowered: Lowered, keep: Sequence[str]) -> None:
        self.network = network
        self.lowered = lowered
        self._needed = where_needed(network.architecture, lowered.simplified.operations)
        for name in keep:
            self._needed.pop(lowered.program.names[name], None)

    def needed(self, value: Value) -> int:
        """A value that is 0 wherever this one is not needed; -1 where it is needed everywhere."""
        return self._needed.get(value, -1)

    def constant(self, values: list[float]) -> int:
        """A further number of each replica."""
        self.lowered.numbers.append(values)
        return len(self.lowered.numbers) - 1

    def activation(self, population: int) -> list[int]:
        """Kind and two parameters."""
        activation = self.network.architecture.populations[population].activation
        numbers = [
            self.constant(self.network.number(NumberSource("population", population, f"activation_parameters.{k}")))
            for k in range(len(activation.parameters))
        ]
        return [ACTIVATIONS[activation.name], *[*numbers, -1, -1][:2]]

    def finish(self, finish: Finish) -> list[int]:
        """Bounds and mask."""
        return [
            -1 if finish.low is None else finish.low,
            -1 if finish.high is None else finish.high,
            int(finish.masked),
        ]

    def criterion(self) -> list[int]:
        """Kind, whether averaged, label smoothing."""
        criterion = self.network.architecture.criterion
        smooth = -1
        if isinstance(criterion, CrossEntropyLoss) and criterion.label_smoothing:
            smooth = self.constant([criterion.label_smoothing] * self.network.R)
        return [CRITERIA[criterion.name], int(criterion.reduction == "mean"), smooth]

    def geometry(self, weight: int) -> list[int]:
        """Shapes and settings of a convolution."""
        j = self.network.architecture.projections[weight]
        conv = j.convolution
        assert conv is not None
        pre, post = (self.network.architecture.populations[i].shape for i in (j.pre, j.post))
        return [*pre, *post, conv.kernel_size, conv.stride, conv.padding, conv.dilation, conv.groups]

    def pixels(self, population: int) -> int:
        """Pixels of a channel; 1 where there is no image."""
        p = self.network.architecture.populations[population]
        return p.units // p.size

    def shared_by(self, state: Value) -> int:
        """Units of an image that share an entry of a bias."""
        return self.pixels(self.lowered.program.values[state].population)

    def window(self, population: int) -> list[int]:
        """Shape of the image that a pooling population reads, and the edge of its windows."""
        p = self.network.architecture.populations[population]
        assert p.source is not None
        return [*self.network.architecture.populations[p.source].shape, p.kernel_size or 2]


Form = Callable[[_Writer, Any], tuple[str, list[int]]]


def _whole(bound: float | None) -> list[int]:
    return [0, 0] if bound is None else [1, int(bound)]


def _select(writer: _Writer, op: ops.Select) -> tuple[str, list[int]]:
    fractions = writer.lowered.numbers[op.fraction]
    counts = [float(math.ceil(f * n)) for f, n in zip(fractions, writer.network.units(op.population), strict=True)]
    return "SELECT", [op.dst, op.error, op.masked, writer.constant(counts)]


def _btsp(writer: _Writer, op: FinishedBtsp) -> tuple[str, list[int]]:
    b = op.btsp
    values = [b.x, b.past_x, b.plus, b.past_plus, b.minus]
    numbers = [b.saturation, b.discount, b.ratio, b.threshold, b.beta, b.sigmoid_at_zero, b.sigmoid_range]
    return "BTSP", [b.weight, b.rate, *values, *numbers, *writer.finish(op.finish)]


FORMS: dict[type[Op], Form] = {
    ops.Zero: lambda w, o: ("ZERO", [o.dst]),
    ops.Matvec: lambda w, o: ("MATVEC", [o.weight, len(o.xs), *o.dsts, *o.xs]),
    ops.MatvecT: lambda w, o: ("MATVEC_T", [o.weight, -1, len(o.xs), *o.dsts, *o.xs, *map(w.needed, o.dsts)]),
    SourceProduct: lambda w, o: (
        "MATVEC_T", [o.weight, o.factor, len(o.xs), *o.dsts, *o.xs, *map(w.needed, o.dsts)]),
    ops.Sum: lambda w, o: ("SUM", [o.dst, len(o.terms), *o.terms]),
    ops.Leak: lambda w, o: ("LEAK", [o.dst, o.state, o.tau, len(o.terms), *o.terms]),
    ops.Activate: lambda w, o: (
        "ACTIVATE", [o.dst, o.state, -1 if o.nudge is None else o.nudge, *w.activation(o.population)]),
    ops.ActivateGradient: lambda w, o: (
        "ACTIVATE_GRADIENT", [o.dst, o.gradient, o.state, o.activity, *w.activation(o.population)]),
    ops.Scale: lambda w, o: ("SCALE", [o.dst, o.x, o.number]),
    ops.Clamp: lambda w, o: ("CLAMP", [o.dst, o.x, *_whole(o.low), *_whole(o.high)]),
    ops.Subtract: lambda w, o: ("SUBTRACT", [o.dst, o.a, o.b]),
    ops.Multiply: lambda w, o: ("MULTIPLY", [o.dst, o.a, o.b]),
    ops.ZeroWhereZero: lambda w, o: ("ZERO_WHERE_ZERO", [o.dst, o.x, o.reference]),
    ops.ZeroUpTo: lambda w, o: ("ZERO_UP_TO", [o.dst, o.x, o.reference, o.number]),
    ops.Select: _select,
    ops.Loss: lambda w, o: ("LOSS", [o.output, o.target, *w.criterion()]),
    ops.LossGradient: lambda w, o: ("LOSS_GRADIENT", [o.dst, o.output, o.target, *w.criterion()]),
    UpdateRows: lambda w, o: (
        "UPDATE_ROWS", [o.weight, o.rate, *w.finish(o.finish), len(o.us), *o.signs, *o.us, *o.xs]),
    ops.Oja: lambda w, o: ("OJA", [o.weight, o.rate, o.v, o.x]),
    FinishedBtsp: _btsp,
    ops.GradientStepBias: lambda w, o: (
        "GRADIENT_STEP_BIAS", [o.state, o.rate, w.shared_by(o.state), len(o.us), *o.us]),
    ops.AddTo: lambda w, o: ("ADD_TO", [o.state, o.rate, o.x]),
    ops.MoveThreshold: lambda w, o: ("MOVE_THRESHOLD", [o.state, o.activity, o.k, o.tau]),
    ops.Store: lambda w, o: ("STORE", [o.state, o.x]),
    ops.ClampState: lambda w, o: ("CLAMP_STATE", [o.state, o.low, o.high]),
    ops.ClampWeight: lambda w, o: ("CLAMP_WEIGHT", [o.weight, o.low, o.high, 0]),
    ops.Mask: lambda w, o: ("MASK", [o.weight, -1, -1, 1]),
    ops.ZeroDiagonal: lambda w, o: ("ZERO_DIAGONAL", [o.weight]),
    ops.Normalize: lambda w, o: ("NORMALIZE", [o.weight, o.scale]),
    ops.Clone: lambda w, o: (
        "CLONE", [o.weight, o.source, -1 if o.source2 is None else o.source2, o.factor, int(o.transpose)]),
    ops.Convolve: lambda w, o: ("CONVOLVE", [o.dst, o.weight, o.x, *w.geometry(o.weight)]),
    ops.ConvolveT: lambda w, o: ("CONVOLVE_T", [o.dst, o.weight, o.u, *w.geometry(o.weight)]),
    KernelStep: lambda w, o: (
        "KERNEL_STEP", [o.weight, o.rate, *w.geometry(o.weight), len(o.us), *o.us, *o.xs]),
    ops.PerPixel: lambda w, o: ("PER_PIXEL", [o.dst, o.state, w.pixels(o.population)]),
    ops.MaxPool: lambda w, o: ("MAX_POOL", [o.dst, o.x, *w.window(o.population)]),
    ops.MaxPoolGradient: lambda w, o: ("MAX_POOL_GRADIENT", [o.dst, o.gradient, o.x, *w.window(o.population)]),
}  # fmt: skip
