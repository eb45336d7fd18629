"""The forward phase: T time steps of leaky integration from the bias to the output.

Populations that project to each other (strongly connected) step together; the groups follow each other, so a whole
time course of one group is known before the next begins, and a projection between groups is applied to all time steps
at once. What each projection sees at each step is fixed by direction and order alone (MODEL: forward sees this step's
value of an earlier population, recurrent the value before the step), so the order of groups changes no number but for
rounding.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from eiann.network.architecture import Architecture, Population, Projection
from eiann.program import ops
from eiann.program.builder import ProgramBuilder
from eiann.program.ops import Value


@dataclass
class ForwardPhase:
    """Values of the forward phase: ``activity[p][t]`` and ``soma[p][t]`` for t = 0 (reset) .. T."""

    builder: ProgramBuilder
    steps: int
    activity: dict[int, list[Value]] = field(default_factory=dict)
    soma: dict[int, list[Value]] = field(default_factory=dict)

    @property
    def architecture(self) -> Architecture:
        """The architecture that is stepped."""
        return self.builder.architecture

    def final(self, population: int) -> Value:
        """Activity after the last step."""
        return self.activity[population][self.steps]

    def previous(self, population: int) -> Value:
        """Activity before the last step."""
        return self.activity[population][self.steps - 1]

    def transmitted(self, projection: Projection) -> Value:
        """What the projection transmits at the end of the phase."""
        return self.previous(projection.pre) if projection.recurrent else self.final(projection.pre)

    def index_seen(self, projection: Projection, step: int) -> int:
        """Index into ``activity`` of what the projection sees in time step ``step``."""
        earlier = projection.pre < projection.post
        return step + 1 if earlier and not projection.recurrent else step


def groups(architecture: Architecture) -> list[list[Population]]:
    """Strongly connected populations, in an order in which each group follows all that feed it.

    Populations of the first layer are left out: they do not change over time.
    """
    moving = [p for p in architecture.populations if p.layer_index > 0]
    feeds: dict[int, set[int]] = {p.index: set() for p in moving}
    for p in moving:
        sources = {j.pre for j in architecture.somatic(p.index, forward_only=True)} | (
            {p.source} if p.copies else set()
        )
        feeds[p.index] = {q for q in sources if q in feeds}
    reach = {p: _reachable(p, feeds) for p in feeds}
    found: list[list[Population]] = []
    placed: set[int] = set()
    while len(placed) < len(moving):
        for p in moving:
            group = {q for q in feeds if q == p.index or (q in reach[p.index] and p.index in reach[q])}
            outside = set().union(*(feeds[q] for q in group)) - group
            if p.index not in placed and outside <= placed:
                found.append([architecture.populations[q] for q in sorted(group)])
                placed |= group
                break
    return found


def _reachable(start: int, feeds: dict[int, set[int]]) -> set[int]:
    seen: set[int] = set()
    stack = list(feeds[start])
    while stack:
        p = stack.pop()
        if p not in seen:
            seen.add(p)
            stack.extend(feeds[p])
    return seen


def emit_forward(builder: ProgramBuilder, inputs: Value) -> ForwardPhase:
    """Emit the forward phase of one sample, from the reset of all states to the output."""
    architecture = builder.architecture
    steps = architecture.forward_steps
    phase = ForwardPhase(builder, steps)
    for p in architecture.populations:
        if p.index == 0:
            phase.activity[0] = [inputs] * (steps + 1)
        elif p.copies:
            phase.activity[p.index] = [builder.zero(p.index)]
        else:
            reset = builder.bias(p.index)
            phase.soma[p.index] = [reset]
            phase.activity[p.index] = [activate(builder, p, reset)] * (steps + 1 if p.layer_index == 0 else 1)
    for group in groups(architecture):
        _emit_group(phase, group)
    for p in architecture.populations:
        builder.call(phase.final(p.index), f"activity:{p.index}")
        for t in range(1, steps + 1):
            builder.call(phase.activity[p.index][t], f"activity:{p.index}@{t}")
    return phase


def activate(builder: ProgramBuilder, population: Population, state: Value, nudge: Value | None = None) -> Value:
    """phi(state), or phi(state + nudge)."""
    if population.activation.name == "linear" and nudge is None:
        if builder.values[state].state is None:
            return state
        # A bias is changed in place later; the activity of this sample must not follow it.
        return builder.apply(ops.Subtract, population.index, a=state, b=builder.zero(population.index))
    return builder.apply(ops.Activate, population.index, state=state, nudge=nudge, population=population.index)


def leak(builder: ProgramBuilder, population: Population, state: Value, terms: list[Value]) -> Value:
    """One time step of the soma."""
    if population.tau == 1.0:
        # s + (-s + sum) = sum; the searched networks of tau 1 (plain backpropagation) have one step of it.
        return builder.total(terms)
    tau = builder.number("population", population.index, "tau")
    return builder.apply(ops.Leak, population.index, state=state, terms=tuple(terms), tau=tau)


def _emit_group(phase: ForwardPhase, group: list[Population]) -> None:
    builder, steps = phase.builder, phase.steps
    members = {p.index for p in group}
    outside: dict[int, list[Value]] = {}
    for p in group:
        for j in phase.architecture.somatic(p.index, forward_only=True):
            if j.pre not in members:
                seen = [phase.activity[j.pre][phase.index_seen(j, t)] for t in range(steps)]
                outside[j.index] = builder.matvec(j.index, seen)
    for t in range(steps):
        for p in group:
            if p.copies:
                phase.activity[p.index].append(_copied(phase, p, t))
                continue
            terms = [builder.bias(p.index)]
            moving: list[Value] = []
            for j in phase.architecture.somatic(p.index, forward_only=True):
                if j.index in outside:
                    constant = len(set(outside[j.index])) == 1
                    (terms if constant else moving).append(outside[j.index][t])
                else:
                    seen_now = phase.activity[j.pre][phase.index_seen(j, t)]
                    moving.extend(builder.matvec(j.index, [seen_now]))
            # What does not change over the time steps is added up once.
            constant_part = [builder.total(terms)] if moving and steps > 1 else terms
            state = leak(builder, p, phase.soma[p.index][t], constant_part + moving)
            phase.soma[p.index].append(state)
            phase.activity[p.index].append(activate(builder, p, state))


def _copied(phase: ForwardPhase, p: Population, step: int) -> Value:
    assert p.source is not None
    source = phase.activity[p.source][step + 1]
    if p.kind == "flatten":
        return phase.builder.total([source])
    return phase.builder.apply(ops.MaxPool, p.index, x=source, population=p.index)
