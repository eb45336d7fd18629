"""Backward phases of local rules: errors at dendrites select units, which are nudged, from the top layer down.

All rules of one group share a phase. Each layer is visited once per time step, the last layer first: dendrites sum
their input, at the first visit units are selected by their dendritic error, then somata take up the nudge.
"""

from __future__ import annotations

from eiann.network.architecture import Population
from eiann.program import ops
from eiann.program.forward import activate, leak
from eiann.program.ops import Value
from eiann.program.sample import Sample
from eiann.rules.base import BackwardPhase, LearningRule, Nudging


def emit_nudging(sample: Sample, phase: BackwardPhase) -> None:
    """Emit the backward phase of one group of rules."""
    members = _members(sample, phase)
    architecture = sample.architecture
    layers = architecture.layers[-1:] if phase.output_layer_only else architecture.layers[1:]
    for index in (index for layer in layers for index in layer):
        if index in members:
            sample.plateau[index] = sample.nudge[index] = sample.builder.zero(index)
    for step in range(architecture.forward_steps if phase.equilibrate else 1):
        for layer in reversed(layers):
            populations = [architecture.populations[p] for p in layer]
            if not phase.output_layer_only:
                _update_dendrites(sample, populations)
            if step == 0:
                for p in populations:
                    if p.index in members:
                        _select(sample, p, members[p.index])
            if phase.equilibrate:
                _equilibrate(sample, populations)
            else:
                _nudge_once(sample, populations)


def _members(sample: Sample, phase: BackwardPhase) -> dict[int, LearningRule]:
    """Populations with an incoming projection of the group, each with the rule of the first one."""
    members: dict[int, LearningRule] = {}
    for p in sample.architecture.populations:
        for j in sample.architecture.incoming[p.index]:
            if j.rule is not None and j.rule.backward is not None and j.rule.backward.group == phase.group:
                members.setdefault(p.index, j.rule)
    return members


def _takes_part(sample: Sample, p: Population) -> bool:
    return sample.architecture.takes_part_in_backward(p.index) or p.index == sample.architecture.output.index


def _update_dendrites(sample: Sample, populations: list[Population]) -> None:
    for p in populations:
        if sample.architecture.takes_part_in_backward(p.index) and sample.architecture.dendritic(p.index):
            sample.dendrite[p.index] = sample.builder.clamp(sample.dendritic_input(p.index), -1.0, 1.0)


def _select(sample: Sample, p: Population, rule: LearningRule) -> None:
    builder = sample.builder
    forward_activity = sample.forward.final(p.index)
    if p.index == sample.architecture.output.index:
        difference = builder.apply(ops.Subtract, p.index, a=sample.target, b=sample.current[p.index])
        error = sample.dendrite[p.index] = builder.clamp(difference, -1.0, 1.0)
        selected = _gated(sample, p, error, forward_activity, rule)
    elif isinstance(rule, Nudging):
        error = _gated(sample, p, sample.dendrite[p.index], forward_activity, rule)
        selected = _largest(sample, p, error, forward_activity, rule)
    else:
        return  # a rule of the output layer leaves the other populations there without error
    sample.plateau[p.index] = sample.nudge[p.index] = selected


def _gated(sample: Sample, p: Population, error: Value, forward_activity: Value, rule: LearningRule) -> Value:
    if not getattr(rule, "relu_gate", False):
        return error
    return sample.builder.apply(ops.ZeroWhereZero, p.index, x=error, reference=forward_activity)


def _largest(sample: Sample, p: Population, error: Value, forward_activity: Value, rule: Nudging) -> Value:
    builder = sample.builder
    first = next(j for j in sample.architecture.incoming[p.index] if j.rule is rule)
    masked = error
    if rule.negative_rate_threshold is not None:
        threshold = builder.number("projection", first.index, "rule.negative_rate_threshold")
        masked = builder.apply(ops.ZeroUpTo, p.index, x=error, reference=forward_activity, number=threshold)
    if rule.max_pop_fraction == 1.0 and not rule.stochastic:
        return masked  # every unit with an error is selected
    fraction = builder.number("projection", first.index, "rule.max_pop_fraction")
    return builder.apply(
        ops.Select,
        p.index,
        error=error,
        masked=masked,
        fraction=fraction,
        stochastic=rule.stochastic,
        population=p.index,
    )


def _equilibrate(sample: Sample, populations: list[Population]) -> None:
    for p in populations:
        sample.previous[p.index] = sample.current[p.index]
    for p in populations:
        if _takes_part(sample, p):
            terms = [sample.builder.bias(p.index)]
            for j in sample.architecture.somatic(p.index, forward_only=False):
                terms.extend(sample.builder.matvec(j.index, [sample.transmitted(j)]))
            state = leak(sample.builder, p, sample.soma[p.index], terms)
            sample.soma[p.index] = state
            sample.current[p.index] = activate(sample.builder, p, state, sample.nudge.get(p.index))


def _nudge_once(sample: Sample, populations: list[Population]) -> None:
    for p in populations:
        if _takes_part(sample, p) and p.index in sample.nudge:
            sample.previous[p.index] = sample.current[p.index]
            sample.current[p.index] = activate(sample.builder, p, sample.soma[p.index], sample.nudge[p.index])
