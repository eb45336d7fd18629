"""Compile an architecture to programs: one that evaluates, one that trains on a sample."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from eiann.constraints import CloneWeight, Constraint, NoAutapses, NormalizeWeight, ReceptiveFieldMask
from eiann.network.architecture import Architecture, Projection
from eiann.program import ops
from eiann.program.builder import NumberSource, ProgramBuilder, ValueInfo
from eiann.program.forward import emit_forward
from eiann.program.gradient import emit_gradients, merged
from eiann.program.kernel import BiasKernel, ConstraintKernel, RuleKernel
from eiann.program.nudging import emit_nudging
from eiann.program.ops import Op, Value
from eiann.program.sample import Sample, begin_sample
from eiann.rules.base import DENDRITIC_GRADIENT, GRADIENT, BackwardPhase
from eiann.rules.gradient import BackpropDendriticLoss


@dataclass(frozen=True)
class Program:
    """A flat, ordered list of operations with the tables that give its values and numbers a meaning.

    Attributes:
        architecture: structure that it was compiled from; the numbers of a replica may differ from it.
        operations: in order of execution, for one sample.
        values: what each value is.
        numbers: where each number is read from.
        inputs, target: values that are set before the operations run (target only in training).
        output: value of the output population.
        names: values that recorders may ask for, e.g. ``forward_dendritic_state:3``.
    """

    architecture: Architecture
    operations: tuple[Op, ...]
    values: tuple[ValueInfo, ...]
    numbers: tuple[NumberSource, ...]
    inputs: Value
    target: Value | None
    output: Value
    names: Mapping[str, Value]

    @property
    def states(self) -> dict[str, Value]:
        """Values that persist between samples, by name (``bias:2``)."""
        return {info.state: value for value, info in enumerate(self.values) if info.state is not None}


@dataclass(frozen=True, eq=False)
class _Structure:
    """An architecture as a key: equal to those that differ in numbers and sizes only, which share programs."""

    architecture: Architecture

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Structure) and self.architecture.structure == other.architecture.structure

    def __hash__(self) -> int:
        return hash(self.architecture.structure)


def compile_evaluation(architecture: Architecture) -> Program:
    """Forward phase only; made once for all architectures of a structure."""
    return _evaluation(_Structure(architecture))


def compile_training(architecture: Architecture) -> Program:
    """One training sample: forward phase, loss, backward phases, rules, constraints, traces.

    Made once for all architectures of a structure.
    """
    return _training(_Structure(architecture))


@lru_cache(maxsize=64)
def _evaluation(structure: _Structure) -> Program:
    architecture = structure.architecture
    builder = ProgramBuilder(architecture)
    inputs = builder.new(0)
    phase = emit_forward(builder, inputs)
    return _finish(builder, inputs, None, phase.final(architecture.output.index))


@lru_cache(maxsize=64)
def _training(structure: _Structure) -> Program:
    architecture = structure.architecture
    builder = ProgramBuilder(architecture)
    inputs = builder.new(0)
    target = builder.new(architecture.output.index)
    phase = emit_forward(builder, inputs)
    output = phase.final(architecture.output.index)
    builder.emit(ops.Loss(output, target))
    sample = begin_sample(phase, target)
    for backward in _backward_phases(architecture):
        _emit_backward(sample, backward)
    _name_backward_values(sample)
    _emit_steps(sample)
    emit_constraints(builder)
    for j in _traversal(architecture):
        if j.rule is not None:
            j.rule.update(RuleKernel(sample, j))
    return _finish(builder, inputs, target, output)


def compile_constraints(architecture: Architecture) -> Program:
    """One pass of bounds and constraints alone, as construction applies it."""
    builder = ProgramBuilder(architecture)
    inputs = builder.new(0)
    emit_constraints(builder)
    return _finish(builder, inputs, None, inputs)


def _finish(builder: ProgramBuilder, inputs: Value, target: Value | None, output: Value) -> Program:
    return Program(
        architecture=builder.architecture,
        operations=tuple(builder.operations),
        values=tuple(builder.values),
        numbers=tuple(builder.numbers),
        inputs=inputs,
        target=target,
        output=output,
        names=dict(builder.names),
    )


def _traversal(architecture: Architecture) -> Iterator[Projection]:
    """Projections by layer, population and incoming order."""
    for p in architecture.populations:
        yield from architecture.incoming[p.index]


# ------------------------------------------------------------------------------------------------------ backward phases


def _backward_phases(architecture: Architecture) -> list[BackwardPhase]:
    """Each group once, by first appearance: bias rules in order of populations, then rules in order of construction."""
    phases: dict[str, BackwardPhase] = {}
    bias_rules = [p.bias_rule.backward for p in architecture.populations if p.bias_rule is not None]
    rules = [j.rule.backward for j in architecture.projections if j.rule is not None]
    for phase in (*bias_rules, *rules):
        if phase is not None:
            phases.setdefault(phase.group, phase)
    return list(phases.values())


def _emit_backward(sample: Sample, phase: BackwardPhase) -> None:
    if phase == GRADIENT:
        _emit_backprop(sample)
    elif phase == DENDRITIC_GRADIENT:
        _emit_dendritic_gradients(sample)
    else:
        emit_nudging(sample, phase)


def _emit_backprop(sample: Sample) -> None:
    builder, architecture = sample.builder, sample.architecture
    weights = [j for j in architecture.projections if j.rule is not None and j.rule.backward == GRADIENT]
    biases = [p for p in architecture.populations if p.bias_rule is not None and p.bias_rule.backward == GRADIENT]
    output = architecture.output.index
    seed = builder.apply(ops.LossGradient, output, output=sample.forward.final(output), target=sample.target)
    place = (output, sample.forward.steps)
    found = emit_gradients(sample.forward, [(place, seed)], [j.index for j in weights], [p.index for p in biases])
    for p in biases:
        if found.biases.get(p.index):
            rate = builder.number("population", p.index, "bias_learning_rate")
            builder.emit(ops.GradientStepBias(builder.bias_state(p.index), rate, tuple(found.biases[p.index])))
    for j in weights:
        if found.weights.get(j.index):
            us, xs = merged(builder, found.weights[j.index])
            builder.emit(
                ops.GradientStepWeight(
                    j.index, builder.number("projection", j.index, "learning_rate"), us, xs, "network"
                )
            )


def _emit_dendritic_gradients(sample: Sample) -> None:
    """Each source's dendritic loss in turn, sources of the last layer first; each with plain gradient descent."""
    builder, architecture = sample.builder, sample.architecture
    sources: dict[str, list[Projection]] = {}
    for layer in reversed(architecture.layers[1:]):
        for p in layer:
            for j in architecture.incoming[p]:
                if isinstance(j.rule, BackpropDendriticLoss):
                    sources.setdefault(j.rule.source, []).append(j)
    for label, learned in sources.items():
        source = next(p.index for p in architecture.populations if p.label == label)
        seed = builder.apply(
            ops.LossGradient, source, output=sample.dendrite_forward[source], target=builder.zero(source)
        )
        indices = {j.index for j in learned}
        seeds = []
        own: dict[int, tuple[Value, Value]] = {}
        for j in architecture.dendritic(source):
            time = sample.forward.steps - (1 if j.recurrent else 0)
            seeds.append(((j.pre, time), builder.matvec_t(j.index, [seed])[0]))
            if j.index in indices:
                own[j.index] = (seed, sample.forward.transmitted(j))
        found = emit_gradients(sample.forward, seeds, indices, ())
        for j in learned:
            pairs = found.weights.get(j.index, []) + ([own[j.index]] if j.index in own else [])
            if pairs:
                us, xs = merged(builder, pairs)
                rate = builder.number("projection", j.index, "learning_rate")
                builder.emit(ops.GradientStepWeight(j.index, rate, us, xs, "plain"))


def _name_backward_values(sample: Sample) -> None:
    for p in sample.architecture.populations:
        sample.builder.call(sample.current[p.index], f"backward_activity:{p.index}")
        for kind, values in (("plateau", sample.plateau), ("backward_dendritic_state", sample.dendrite)):
            if p.index in values:
                sample.builder.call(values[p.index], f"{kind}:{p.index}")


# ------------------------------------------------------------------------------------------------ steps and constraints


def _emit_steps(sample: Sample) -> None:
    architecture = sample.architecture
    for p in architecture.populations:
        if p.bias_rule is not None and p.has_bias:
            p.bias_rule.step(BiasKernel(sample, p.index))
        for j in architecture.incoming[p.index]:
            if j.rule is not None:
                j.rule.step(RuleKernel(sample, j))


def emit_constraints(builder: ProgramBuilder) -> None:
    """Bounds, then the constraint of each projection; all clones afterwards, in the same order."""
    architecture = builder.architecture
    for p in architecture.populations:
        if p.has_bias and (p.bias_low > float("-inf") or p.bias_high < float("inf")):
            low, high = (builder.number("population", p.index, name) for name in ("bias_low", "bias_high"))
            builder.emit(ops.ClampState(builder.bias_state(p.index), low, high))
        for j in architecture.incoming[p.index]:
            emit_bounds(builder, j)
            if j.constraint is not None and not isinstance(j.constraint, CloneWeight):
                emit_constraint(builder, j, j.constraint)
    for j in _traversal(architecture):
        if isinstance(j.constraint, CloneWeight):
            emit_constraint(builder, j, j.constraint)


def emit_bounds(builder: ProgramBuilder, j: Projection) -> None:
    """Clamp to the bounds where there are any."""
    if j.bounds != (None, None):
        low, high = (builder.number("projection", j.index, name) for name in ("low", "high"))
        builder.emit(ops.ClampWeight(j.index, low, high, again=j.rescaled_beyond_bounds))


def emit_constraint(builder: ProgramBuilder, j: Projection, constraint: Constraint, prefix: str = "constraint") -> None:
    """One constraint; ``prefix`` is where its numbers stand in the projection."""
    if isinstance(constraint, CloneWeight):
        emit_clone(builder, j, constraint, prefix)
    elif isinstance(constraint, NoAutapses):
        _emit_no_autapses(builder, j)
    elif isinstance(constraint, NormalizeWeight):
        _emit_normalize(builder, j, constraint.autapses, prefix)
    elif isinstance(constraint, ReceptiveFieldMask):
        builder.emit(ops.Mask(j.index))
        if constraint.apply_weight_norm:
            _emit_normalize(builder, j, constraint.autapses, prefix)
    else:
        constraint.apply(ConstraintKernel(builder, j, prefix))


def _emit_no_autapses(builder: ProgramBuilder, j: Projection) -> None:
    if j.pre == j.post:
        builder.emit(ops.ZeroDiagonal(j.index))


def _emit_normalize(builder: ProgramBuilder, j: Projection, autapses: bool, prefix: str) -> None:
    if not autapses:
        _emit_no_autapses(builder, j)
    builder.emit(ops.Normalize(j.index, builder.number("projection", j.index, f"{prefix}.scale")))


def emit_clone(builder: ProgramBuilder, j: Projection, clone: CloneWeight, prefix: str = "constraint") -> None:
    """Copy from the source projections."""
    source = builder.architecture.projection(clone.source)
    source2 = builder.architecture.projection(clone.source2) if clone.source2 is not None else None
    assert source is not None
    factor = builder.number("projection", j.index, f"{prefix}.factor")
    builder.emit(ops.Clone(j.index, source.index, None if source2 is None else source2.index, factor, clone.transpose))
