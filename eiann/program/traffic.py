"""How many bytes a program moves: what bounds a step where memory is the limit.

Each operation is taken to read what it needs from memory once and to write what it makes once. Hardware that keeps
something on chip between operations moves less; an executor that materializes intermediate results moves more.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eiann.program import ops
from eiann.program.idle import UPDATES, changed_weights
from eiann.program.liveness import values_of
from eiann.program.ops import Op, Weight

if TYPE_CHECKING:
    from eiann.network.network import Network
    from eiann.program.compile import Program

#: Reads and writes of its weight by each operation that touches one, in weights.
_TOUCHES: dict[type[Op], int] = {
    ops.Matvec: 1,
    ops.MatvecT: 1,
    ops.Outer: 2,
    ops.Oja: 2,
    ops.Btsp: 2,
    ops.GradientStepWeight: 2,
    ops.ClampWeight: 2,
    ops.Normalize: 3,  # sums of rows first, then the quotient
    ops.Mask: 3,  # the mask too
    ops.Clone: 2,
}
_CHANGED_STATES = (ops.GradientStepBias, ops.AddTo, ops.MoveThreshold, ops.ClampState)


@dataclass(frozen=True)
class Traffic:
    """Bytes per replica and training step.

    Attributes:
        weights: of weights and of what an optimizer keeps for each of them, over all operations.
        values: of everything with a number per unit.
        least: what no executor can do without that has no room for the weights on chip: each weight that is used read
            once, each that changes written once.
    """

    weights: int
    values: int
    least: int

    @property
    def total(self) -> int:
        """Weights and values."""
        return self.weights + self.values


def step_traffic(program: Program, network: Network) -> Traffic:
    """Bytes that one run of the program moves, averaged over the replicas where their sizes differ.

    Example:
        >>> from eiann import Network, NetworkConfig
        >>> from eiann.program.compile import compile_evaluation
        >>> config = NetworkConfig.from_dict({
        ...     "layer_config": {"Input": {"E": {"size": 2}}, "Output": {"E": {"size": 3, "activation": "relu"}}},
        ...     "projection_config": {"Output": {"E": {"Input": {"E": {"learning_rule": None}}}}},
        ... })
        >>> network = Network(config, seeds=[1])
        >>> step_traffic(compile_evaluation(network.architecture), network).weights  # 2 * 3 numbers of 4 bytes
        24
    """
    size = network.dtype.itemsize
    entries = {index: _mean(_entries(network, index)) for index in network.weights}
    units = [_mean(network.units(value.population)) for value in program.values]
    kept = _numbers_kept(network)
    weights = values = 0.0
    for op in program.operations:
        weight = getattr(op, "weight", None)
        if weight is not None and type(op) in _TOUCHES:
            memory = 2 * kept if isinstance(op, ops.GradientStepWeight) and op.optimizer == "network" else 0
            weights += (_TOUCHES[type(op)] + memory) * entries[weight]
        values += sum(units[value] for value in values_of(op))
        if isinstance(op, _CHANGED_STATES):
            values += units[op.state]
    used = {op.weight for op in program.operations if isinstance(op, (ops.Matvec, ops.MatvecT, *UPDATES))}
    least = sum(entries[w] for w in used) + sum(entries[w] for w in changed_weights(program.operations))
    return Traffic(round(weights * size), round(values * size), round(least * size))


def _entries(network: Network, index: Weight) -> list[int]:
    j = network.architecture.projections[index]
    if j.convolution is not None:
        return [network.weights[index][0].numel()]
    return [post * pre for post, pre in zip(network.units(j.post), network.units(j.pre), strict=True)]


def _numbers_kept(network: Network) -> int:
    """Numbers that the optimizer keeps for each entry of a weight that it changes."""
    settings = network.architecture.optimizer
    return 0 if settings is None or settings.plain else len(settings.state_names())


def _mean(counts: Iterable[int]) -> float:
    counts = list(counts)
    return sum(counts) / len(counts)
