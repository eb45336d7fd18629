"""Whether a network's parameters satisfy its constraints now: then what nothing changes need not be constrained again.

They do after construction and after every training step. Parameters that were overwritten by hand may not, until a step
of training has applied all constraints; then a session runs the program as it is written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from eiann.program import ops

if TYPE_CHECKING:
    from collections.abc import Iterator

    from eiann.network.network import Network
    from eiann.program.compile import Program

#: Normalization leaves sums that differ from what was asked for by rounding.
_OF_A_SUM = 1e-3


def clones_hold(network: Network, program: Program) -> bool:
    """Whether every clone equals its source. Clones of clones lag by a step and do not count, nor do products of two.

    Example:
        >>> from eiann import Network, NetworkConfig
        >>> from eiann.program.compile import compile_training
        >>> config = NetworkConfig.from_dict({
        ...     "layer_config": {"Input": {"E": {"size": 2}}, "Output": {"E": {"size": 3, "activation": "relu"}}},
        ...     "projection_config": {"Output": {"E": {"Input": {"E": {"learning_rule": None}}}}},
        ... })
        >>> network = Network(config, seeds=[1])
        >>> clones_hold(network, compile_training(network.architecture))  # there is none
        True
    """
    clones = [op for op in program.operations if isinstance(op, ops.Clone)]
    copied = {clone.weight for clone in clones}
    for clone in clones:
        if clone.source2 is not None or clone.source in copied:
            continue
        copy = network.weights[clone.source] * _numbers(network, program, clone.factor)
        if not torch.equal(network.weights[clone.weight], copy.transpose(1, 2) if clone.transpose else copy):
            return False
    return True


def constraints_hold(network: Network, program: Program) -> bool:
    """Whether bounds, masks, diagonals and sums are as the program's constraints leave them."""
    last = {getattr(op, "weight", None): op for op in program.operations if isinstance(op, ops.Clone)}
    for op in program.operations:
        weight = getattr(op, "weight", None)
        if weight is None or weight in last:
            continue  # What is copied afterwards need not satisfy anything.
        match op:
            case ops.ClampWeight(low=low, high=high, again=False):
                bounds = zip(network.number(program.numbers[low]), network.number(program.numbers[high]), strict=True)
                holds = all(
                    not part.numel() or (lower <= part.min() and part.max() <= upper)
                    for part, (lower, upper) in zip(_parts(network, weight), bounds, strict=True)
                )
            case ops.Mask():
                holds = not bool((network.weights[weight] * (1 - network.masks[weight])).any())
            case ops.ZeroDiagonal():
                holds = not any(bool(part.diagonal().any()) for part in _parts(network, weight))
            case ops.Normalize(scale=scale):
                wanted = _numbers(network, program, scale).abs().squeeze(2)
                sums = network.weights[weight].abs().sum(dim=2)
                holds = bool(((sums == 0) | ((sums - wanted).abs() <= _OF_A_SUM * wanted)).all())
            case _:
                holds = True
        if not holds:
            return False
    return True


def _numbers(network: Network, program: Program, number: int) -> Tensor:
    values = torch.tensor(network.number(program.numbers[number]), dtype=network.dtype, device=network.device)
    return values.reshape(-1, 1, 1)


def _parts(network: Network, weight: int) -> Iterator[Tensor]:
    """The weight of each replica without padding."""
    j = network.architecture.projections[weight]
    if not network.is_ragged:
        yield from network.weights[weight]
        return
    for own, post, pre in zip(network.weights[weight], network.units(j.post), network.units(j.pre), strict=True):
        yield own[:post, :pre]
