"""What is known of one training sample while its program is being written: current values of every population."""

from __future__ import annotations

from dataclasses import dataclass, field

from eiann.network.architecture import Architecture, Projection
from eiann.program.builder import ProgramBuilder
from eiann.program.forward import ForwardPhase
from eiann.program.ops import Value


@dataclass
class Sample:
    """Values after the forward phase, and as the backward phases change them.

    Attributes:
        forward: the forward phase.
        target: the sample's target.
        current, previous: activity of each population now, and before its last change.
        soma: somatic state of each population now.
        dendrite_forward: dendritic state at the end of the forward phase, of populations with dendritic input.
        dendrite: dendritic state in the backward phase, clamped to [-1, 1].
        plateau, nudge: error that drives plasticity, and the current that nudges the soma.
    """

    forward: ForwardPhase
    target: Value
    current: dict[int, Value] = field(default_factory=dict)
    previous: dict[int, Value] = field(default_factory=dict)
    soma: dict[int, Value] = field(default_factory=dict)
    dendrite_forward: dict[int, Value] = field(default_factory=dict)
    dendrite: dict[int, Value] = field(default_factory=dict)
    plateau: dict[int, Value] = field(default_factory=dict)
    nudge: dict[int, Value] = field(default_factory=dict)

    @property
    def builder(self) -> ProgramBuilder:
        """Where operations go."""
        return self.forward.builder

    @property
    def architecture(self) -> Architecture:
        """The architecture that is trained."""
        return self.builder.architecture

    def transmitted(self, projection: Projection) -> Value:
        """What the projection transmits now."""
        return self.previous[projection.pre] if projection.recurrent else self.current[projection.pre]

    def dendritic_input(self, population: int) -> Value:
        """Weighted input to the dendrite as activities are now, not clamped."""
        terms = [
            self.builder.matvec(j.index, [self.transmitted(j)])[0] for j in self.architecture.dendritic(population)
        ]
        return self.builder.total(terms)


def begin_sample(forward: ForwardPhase, target: Value) -> Sample:
    """The sample right after its forward phase."""
    sample = Sample(forward, target)
    for p in sample.architecture.populations:
        sample.current[p.index] = forward.final(p.index)
        sample.previous[p.index] = forward.previous(p.index)
        if p.index in forward.soma:
            sample.soma[p.index] = forward.soma[p.index][-1]
    for p in sample.architecture.populations:
        if sample.architecture.dendritic(p.index):
            state = sample.dendritic_input(p.index)
            sample.dendrite_forward[p.index] = sample.builder.call(state, f"forward_dendritic_state:{p.index}")
    return sample
