"""Reverse-mode differentiation of the last B steps of the forward phase, as operations of the program.

The state that enters step T-B is a constant. Groups are walked backwards, each through its time steps; what a
projection between groups passes back is computed for all time steps at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from eiann.network.architecture import Population
from eiann.program import ops
from eiann.program.builder import ProgramBuilder
from eiann.program.forward import ForwardPhase, groups
from eiann.program.ops import Value

Place = tuple[int, int]  # population, index into its time course


@dataclass
class Gradients:
    """Gradient of a loss: of a weight as pairs (u, x) with dL/dW = sum u x^T, of a bias as terms to add up."""

    weights: dict[int, list[tuple[Value, Value]]] = field(default_factory=lambda: defaultdict(list))
    biases: dict[int, list[Value]] = field(default_factory=lambda: defaultdict(list))


@dataclass
class _Walk:
    """State of one reverse walk: what flows into each activity and each somatic state."""

    phase: ForwardPhase
    weights: frozenset[int]
    biases: frozenset[int]
    first: int
    needed: set[Place]
    into_activity: dict[Place, list[Value]] = field(default_factory=lambda: defaultdict(list))
    into_soma: dict[Place, list[Value]] = field(default_factory=lambda: defaultdict(list))
    found: Gradients = field(default_factory=Gradients)

    @property
    def builder(self) -> ProgramBuilder:
        return self.phase.builder


def emit_gradients(
    phase: ForwardPhase, seeds: Iterable[tuple[Place, Value]], weights: Iterable[int], biases: Iterable[int]
) -> Gradients:
    """Gradients of a loss with respect to weights and biases.

    Args:
        phase: the forward phase that led to the loss.
        seeds: where the loss touches activities, with its derivative there.
        weights: projections whose weights learn from this loss.
        biases: populations whose biases do.
    """
    steps = phase.steps
    first = max(steps - phase.architecture.backward_steps, 0)
    walk = _Walk(phase, frozenset(weights), frozenset(biases), first, set())
    _mark_needed(walk, phase.architecture.backward_steps >= steps)
    for place, gradient in seeds:
        if place in walk.needed:
            walk.into_activity[place].append(gradient)
    for group in reversed(groups(phase.architecture)):
        _walk_group(walk, group)
    return walk.found


def _mark_needed(walk: _Walk, from_reset: bool) -> None:
    """Which activities depend on a learned parameter within the steps that carry gradients."""
    phase, needed = walk.phase, walk.needed
    if from_reset:
        needed.update((p, 0) for p in walk.biases)
    for t in range(walk.first, phase.steps):
        for p in phase.architecture.populations:
            if p.layer_index == 0:
                continue
            if p.copies:
                depends = (p.source, t + 1) in needed
            else:
                depends = p.index in walk.biases or (p.tau != 1.0 and (p.index, t) in needed)
                for j in phase.architecture.somatic(p.index, forward_only=True):
                    depends |= j.index in walk.weights or (j.pre, phase.index_seen(j, t)) in needed
            if depends:
                needed.add((p.index, t + 1))


def _walk_group(walk: _Walk, group: list[Population]) -> None:
    members = {p.index for p in group}
    passed: dict[int, list[tuple[Place, Value]]] = defaultdict(list)
    for t in range(walk.phase.steps - 1, walk.first - 1, -1):
        for p in reversed(group):
            if p.copies:
                _walk_copy(walk, p, t)
                continue
            into_current = _through_activation(walk, p, t)
            if into_current is None:
                continue
            for j in walk.phase.architecture.somatic(p.index, forward_only=True):
                source = (j.pre, walk.phase.index_seen(j, t))
                if j.index in walk.weights:
                    walk.found.weights[j.index].append((into_current, walk.phase.activity[source[0]][source[1]]))
                if source in walk.needed and j.pre in members:
                    walk.into_activity[source].extend(walk.builder.matvec_t(j.index, [into_current]))
                elif source in walk.needed:
                    passed[j.index].append((source, into_current))
    for p in group:
        _through_reset(walk, p)
    for weight, pairs in passed.items():
        results = walk.builder.matvec_t(weight, [u for _, u in pairs])
        for (place, _), gradient in zip(pairs, results, strict=True):
            walk.into_activity[place].append(gradient)


def _gradient_of_soma(walk: _Walk, p: Population, place: Place) -> Value | None:
    """dL/ds at a place, from the activity and from the next somatic state."""
    terms = list(walk.into_soma[place])
    if walk.into_activity[place]:
        gradient = walk.builder.total(walk.into_activity[place])
        if p.activation.name != "linear":
            gradient = walk.builder.apply(
                ops.ActivateGradient,
                p.index,
                gradient=gradient,
                state=walk.phase.soma[p.index][place[1]],
                activity=walk.phase.activity[p.index][place[1]],
                population=p.index,
            )
        terms.append(gradient)
    return walk.builder.total(terms) if terms else None


def _through_activation(walk: _Walk, p: Population, t: int) -> Value | None:
    """dL/d(current) of one time step; what leaks back to the state before is noted on the way."""
    soma = _gradient_of_soma(walk, p, (p.index, t + 1))
    if soma is None:
        return None
    current = soma
    if p.tau != 1.0:
        current = walk.builder.apply(
            ops.Scale, p.index, x=soma, number=walk.builder.number("population", p.index, "inverse_tau")
        )
        if (p.index, t) in walk.needed:
            decay = walk.builder.number("population", p.index, "decay")
            walk.into_soma[(p.index, t)].append(walk.builder.apply(ops.Scale, p.index, x=soma, number=decay))
    if p.index in walk.biases:
        walk.found.biases[p.index].append(current)
    return current


def _through_reset(walk: _Walk, p: Population) -> None:
    """The reset s = b carries gradient to the bias where the walk reaches it."""
    if p.index in walk.biases and (p.index, 0) in walk.needed:
        reset = _gradient_of_soma(walk, p, (p.index, 0))
        if reset is not None:
            walk.found.biases[p.index].append(reset)


def _walk_copy(walk: _Walk, p: Population, t: int) -> None:
    assert p.source is not None
    terms = walk.into_activity[(p.index, t + 1)]
    place = (p.source, t + 1)
    if not terms or place not in walk.needed:
        return
    gradient = walk.builder.total(terms)
    if p.kind == "pool":
        x = walk.phase.activity[p.source][t + 1]
        gradient = walk.builder.apply(ops.MaxPoolGradient, p.source, gradient=gradient, x=x, population=p.index)
    walk.into_activity[place].append(gradient)


def merged(builder: ProgramBuilder, pairs: list[tuple[Value, Value]]) -> tuple[tuple[Value, ...], tuple[Value, ...]]:
    """Pairs (u, x) with the same x added up: fewer outer products."""
    by_input: dict[Value, list[Value]] = defaultdict(list)
    for u, x in pairs:
        by_input[x].append(u)
    return tuple(builder.total(us) for us in by_input.values()), tuple(by_input)
