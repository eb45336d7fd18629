"""Emits operations in order and never twice: what was computed already is found again (value numbering).

That is how projections from inputs that do not change over time steps are computed once without any special case: the
same weight applied to the same value is the same value. A weight or state that changes gets a new version.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from eiann.network.architecture import Architecture
from eiann.program import ops
from eiann.program.ops import Number, Op, Value, Weight


@dataclass(frozen=True)
class NumberSource:
    """Where a number comes from: an attribute of a population, projection or rule in each replica's architecture.

    ``owner`` is ``population`` or ``projection``; ``attribute`` is a dotted path, list positions included.
    """

    owner: str
    index: int
    attribute: str

    def read(self, architecture: Architecture) -> float:
        """The value for one replica."""
        target: object = getattr(architecture, f"{self.owner}s")[self.index]
        for part in self.attribute.split("."):
            target = target[int(part)] if isinstance(target, tuple) else getattr(target, part)
        return float(target)  # type: ignore[arg-type]


@dataclass(frozen=True)
class ValueInfo:
    """A value: how long it is (population and whether per channel only), and its name if it is a state.

    ``per_channel`` marks biases of image populations, which have one entry per channel.
    """

    population: int
    state: str | None = None
    per_channel: bool = False


class ProgramBuilder:
    """Collects operations, values and numbers of one program."""

    def __init__(self, architecture: Architecture) -> None:
        self.architecture = architecture
        self.operations: list[Op] = []
        self.values: list[ValueInfo] = []
        self.numbers: list[NumberSource] = []
        self.names: dict[str, Value] = {}
        self._known: dict[object, Value] = {}
        self._states: dict[str, Value] = {}
        self._weight_versions: dict[Weight, int] = {}
        self._state_versions: dict[Value, int] = {}

    # ------------------------------------------------------------------------------------------------ values and
    # numbers

    def new(self, population: int) -> Value:
        """A fresh value of the population's length."""
        self.values.append(ValueInfo(population))
        return len(self.values) - 1

    def state(self, kind: str, population: int, *, per_channel: bool = False) -> Value:
        """The persistent vector of that kind (``bias``, ``theta``, ...) of a population."""
        name = f"{kind}:{population}"
        if name not in self._states:
            self.values.append(ValueInfo(population, name, per_channel))
            self._states[name] = len(self.values) - 1
        return self._states[name]

    def number(self, owner: str, index: int, attribute: str) -> Number:
        """A scalar per replica."""
        source = NumberSource(owner, index, attribute)
        if source not in self.numbers:
            self.numbers.append(source)
        return self.numbers.index(source)

    def call(self, value: Value, name: str) -> Value:
        """Give a value a name under which recorders find it."""
        self.names[name] = value
        return value

    def population_of(self, value: Value) -> int:
        """Index of the population whose units a value describes."""
        return self.values[value].population

    # --------------------------------------------------------------------------------------------------------
    # operations

    def _version(self, value: Value | None) -> object:
        return (value, self._state_versions.get(value, 0)) if value is not None else None

    def emit(self, operation: Op) -> None:
        """Append an operation that changes a weight or a state."""
        self.operations.append(operation)
        weight = getattr(operation, "weight", None)
        if weight is not None:
            self._weight_versions[weight] = self._weight_versions.get(weight, 0) + 1
        state = getattr(operation, "state", None)
        if state is not None:
            self._state_versions[state] = self._state_versions.get(state, 0) + 1

    def _once(self, key: object, population: int, make: Callable[[Value], Op]) -> Value:
        if key not in self._known:
            dst = self.new(population)
            self.operations.append(make(dst))
            self._known[key] = dst
        return self._known[key]

    def _linear(
        self, op: type[ops.Matvec] | type[ops.MatvecT], weight: Weight, xs: Sequence[Value], population: int
    ) -> list[Value]:
        version = self._weight_versions.get(weight, 0)
        keys = {x: (op, weight, version, self._version(x)) for x in xs}
        missing = [x for x, key in keys.items() if key not in self._known]
        if missing:
            dsts = tuple(self.new(population) for _ in missing)
            self.operations.append(op(dsts, weight, tuple(missing)))
            self._known.update({keys[x]: dst for x, dst in zip(missing, dsts, strict=True)})
        return [self._known[keys[x]] for x in xs]

    def matvec(self, weight: Weight, xs: Sequence[Value]) -> list[Value]:
        """W x for each x; of a convolution, its output."""
        projection = self.architecture.projections[weight]
        if projection.convolution is None:
            return self._linear(ops.Matvec, weight, xs, projection.post)
        version = self._weight_versions.get(weight, 0)
        return [
            self._once(("conv", weight, version, x), projection.post, partial(ops.Convolve, weight=weight, x=x))
            for x in xs
        ]

    def matvec_t(self, weight: Weight, us: Sequence[Value]) -> list[Value]:
        """W^T u for each u; of a convolution, the gradient with respect to its input."""
        projection = self.architecture.projections[weight]
        if projection.convolution is None:
            return self._linear(ops.MatvecT, weight, us, projection.pre)
        version = self._weight_versions.get(weight, 0)
        return [
            self._once(("convT", weight, version, u), projection.pre, partial(ops.ConvolveT, weight=weight, u=u))
            for u in us
        ]

    def apply(self, op: type[Op], owner: int, /, **fields: object) -> Value:
        """A value computed by an elementwise operation, or the one that was computed so before."""
        versioned = tuple((name, self._versions(name, value)) for name, value in fields.items())
        return self._once((op, owner, versioned), owner, lambda dst: op(dst=dst, **fields))  # type: ignore[call-arg]

    def _versions(self, name: str, value: object) -> object:
        if name in _VALUE_FIELDS and isinstance(value, int):
            return self._version(value)
        if name == "terms" and isinstance(value, tuple):
            return tuple(self._version(term) for term in value)
        return value

    def zero(self, population: int) -> Value:
        """Zeros."""
        return self.apply(ops.Zero, population)

    def total(self, terms: Sequence[Value]) -> Value:
        """Sum of values of one population."""
        if len(terms) == 1:
            return terms[0]
        return self.apply(ops.Sum, self.population_of(terms[0]), terms=tuple(terms))

    def clamp(self, x: Value, low: float | None, high: float | None) -> Value:
        """X clamped to [low, high]."""
        return self.apply(ops.Clamp, self.population_of(x), x=x, low=low, high=high)

    def bias(self, population: int) -> Value:
        """The bias as it enters the soma: per unit, or per pixel of an image population."""
        info = self.architecture.populations[population]
        if not info.is_image:
            return self.state("bias", population)
        state = self.state("bias", population, per_channel=True)
        return self.apply(ops.PerPixel, population, state=state, population=population)

    def bias_state(self, population: int) -> Value:
        """The bias as it is learned."""
        return self.state("bias", population, per_channel=self.architecture.populations[population].is_image)


_VALUE_FIELDS = {
    field.name
    for cls in (
        ops.Leak,
        ops.Activate,
        ops.ActivateGradient,
        ops.Scale,
        ops.Clamp,
        ops.Multiply,
        ops.Subtract,
        ops.ZeroUpTo,
        ops.Select,
        ops.PerPixel,
        ops.LossGradient,
    )
    for field in dataclasses.fields(cls)
} - {"dst", "population", "number", "tau", "fraction", "low", "high", "stochastic", "terms"}
