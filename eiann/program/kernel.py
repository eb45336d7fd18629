"""The vocabulary in which a learning rule describes its step: activities in, changes of one weight or bias out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from eiann.errors import ConfigError
from eiann.program import ops

if TYPE_CHECKING:
    from torch import Tensor

    from eiann.network.architecture import Projection
    from eiann.program.builder import ProgramBuilder
    from eiann.program.ops import Value
    from eiann.program.sample import Sample


class BiasKernel:
    """One population's bias, as its rule sees it."""

    def __init__(self, sample: Sample, population: int) -> None:
        self._sample = sample
        self._population = population

    @property
    def plateau(self) -> Value:
        """The selected dendritic error of the population, (units,)."""
        return _plateau(self._sample, self._population)

    def add(self, x: Value) -> None:
        """B += learning rate * x."""
        builder = self._sample.builder
        rate = builder.number("population", self._population, "bias_learning_rate")
        builder.emit(ops.AddTo(builder.bias_state(self._population), rate, x))


class ConstraintKernel:
    """One projection, as a user's constraint sees it.

    Args:
        builder: where operations go.
        projection: whose weight is constrained.
        prefix: where the constraint stands in the projection.
    """

    def __init__(self, builder: ProgramBuilder, projection: Projection, prefix: str) -> None:
        self._builder = builder
        self._projection = projection
        self._prefix = prefix

    def change(self, function: Callable[..., Tensor], numbers: Sequence[str] = ()) -> None:
        """W := function(W, *numbers), W (R, post, pre), each number (R, 1, 1); only the torch executor runs it.

        Args:
            function: on tensors.
            numbers: names of parameters of the constraint; each replica has its own value.
        """
        builder, j = self._builder, self._projection
        known = tuple(builder.number("projection", j.index, f"{self._prefix}.{name}") for name in numbers)
        builder.emit(ops.ChangeWeight(j.index, function, (), known))


class RuleKernel:
    """One projection, as its rule sees it: pre and post activity, before and after the backward phase.

    Values are vectors over units of the pre- or the postsynaptic population. Nothing here computes: it writes
    operations.
    """

    def __init__(self, sample: Sample, projection: Projection) -> None:
        self._sample = sample
        self._projection = projection

    @property
    def _builder(self) -> ProgramBuilder:
        return self._sample.builder

    def _number(self, attribute: str) -> int:
        return self._builder.number("projection", self._projection.index, attribute)

    # -------------------------------------------------------------------------------------------------------------
    # values

    @property
    def pre(self) -> Value:
        """x: what the projection transmits now, (pre,)."""
        return self._sample.transmitted(self._projection)

    @property
    def pre_forward(self) -> Value:
        """x_f: what it transmitted at the end of the forward phase, (pre,)."""
        return self._sample.forward.transmitted(self._projection)

    @property
    def post(self) -> Value:
        """a: postsynaptic activity now, (post,)."""
        return self._sample.current[self._projection.post]

    @property
    def post_forward(self) -> Value:
        """a_f: postsynaptic activity at the end of the forward phase, (post,)."""
        return self._sample.forward.final(self._projection.post)

    def activities(self, forward: bool) -> tuple[Value, Value]:
        """(post, pre) now, or at the end of the forward phase."""
        return (self.post_forward, self.pre_forward) if forward else (self.post, self.pre)

    @property
    def plateau(self) -> Value:
        """pi: the selected dendritic error of the postsynaptic population, (post,)."""
        return _plateau(self._sample, self._projection.post)

    @property
    def dendrite_forward(self) -> Value:
        """d_f: dendritic state at the end of the forward phase, not clamped, (post,)."""
        return self._sample.dendrite_forward[self._projection.post]

    def threshold(self) -> Value:
        """theta: the sliding threshold of the postsynaptic population, kept between samples, (post,)."""
        return self._builder.state("theta", self._projection.post)

    # ---------------------------------------------------------------------------------------------------------
    # arithmetic

    def unit_interval(self, x: Value) -> Value:
        """X clamped to [0, 1]."""
        return self._builder.clamp(x, 0.0, 1.0)

    def signed_interval(self, x: Value) -> Value:
        """X clamped to [-1, 1]."""
        return self._builder.clamp(x, -1.0, 1.0)

    def subtract(self, a: Value, b: Value) -> Value:
        """A - b."""
        return self._builder.apply(ops.Subtract, self._builder.population_of(a), a=a, b=b)

    def multiply(self, a: Value, b: Value) -> Value:
        """A * b, elementwise."""
        return self._builder.apply(ops.Multiply, self._builder.population_of(a), a=a, b=b)

    def zero_where_zero(self, x: Value, reference: Value) -> Value:
        """x, and 0 where the reference is exactly 0."""
        return self._builder.apply(ops.ZeroWhereZero, self._builder.population_of(x), x=x, reference=reference)

    # ------------------------------------------------------------------------------------------------------------
    # changes

    def outer(self, u: Value, x: Value, *, subtract: bool = False, rate: str = "learning_rate") -> None:
        """W += rate * u x^T, or -=; u over post, x over pre."""
        self._builder.emit(ops.Outer(self._projection.index, self._number(rate), -1.0 if subtract else 1.0, u, x))

    def oja(self, v: Value, x: Value) -> None:
        """W += rate * (v x^T - (v^2 1^T) * W)."""
        self._builder.emit(ops.Oja(self._projection.index, self._number("learning_rate"), v, x))

    def change(self, function: Callable[..., Tensor], *values: Value, numbers: Sequence[str] = ()) -> None:
        """W := function(W, *values, *numbers), for what the other methods cannot say; only the torch executor runs it.

        Args:
            function: on tensors; W is (R, post, pre), values are (R, batch, units), numbers (R, 1, 1).
            values: of this kernel, such as ``kernel.post``.
            numbers: names of parameters of the rule; ``learning_rate`` is the network's where the rule has none.
        """
        known = tuple(self._number(name if name == "learning_rate" else f"rule.{name}") for name in numbers)
        self._builder.emit(ops.ChangeWeight(self._projection.index, function, values, known))

    def btsp(self) -> None:
        """The change of weight of ``BTSP19``."""
        builder, j = self._builder, self._projection
        past_plateau = builder.state("past_plateau", j.post)
        numbers = ("saturation", "rule.temporal_discount", "rule.dep_ratio", "rule.dep_th", "rule.beta",
                   "rule.sigmoid_at_zero", "rule.sigmoid_range")  # fmt: skip
        builder.emit(
            ops.Btsp(
                j.index,
                self._number("learning_rate"),
                self.unit_interval(self.pre),
                self.unit_interval(builder.state("past_activity", j.pre)),
                builder.clamp(self.plateau, 0.0, None),
                builder.clamp(past_plateau, 0.0, None),
                builder.clamp(self.plateau, None, 0.0),
                *(self._number(name) for name in numbers),
            )
        )

    def keep_traces(self) -> None:
        """Keep now-activity of pre and plateau of post for the next sample, once per population and sample."""
        self._once("past_activity", self._projection.pre, self.pre)
        self._once("past_plateau", self._projection.post, self.plateau)

    def _once(self, kind: str, population: int, value: Value) -> None:
        state = self._builder.state(kind, population)
        if not any(isinstance(op, ops.Store) and op.state == state for op in self._builder.operations):
            self._builder.emit(ops.Store(state, value))

    def move_threshold(self) -> None:
        """Theta += (a^2 / k - theta) / theta_tau, once per population and sample."""
        state = self.threshold()
        if not any(isinstance(op, ops.MoveThreshold) and op.state == state for op in self._builder.operations):
            self._builder.emit(
                ops.MoveThreshold(state, self.post, self._number("rule.k"), self._number("rule.theta_tau"))
            )


def _plateau(sample: Sample, population: int) -> Value:
    if population not in sample.plateau:
        label = sample.architecture.populations[population].label
        raise ConfigError(f"a rule needs the plateau of {label}, but no rule of a projection onto it defines one")
    return sample.plateau[population]
