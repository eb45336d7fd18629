"""Take replicas out of a batch, and put others in their place: how slots of a training stream are filled again.

A replica is its configuration, seed, stream of random numbers, parameters, masks and everything that rules and
optimizers remember. All of it moves, bit for bit; nothing of a predecessor stays in the slot.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor

from eiann.network.network import Network


def chosen_replicas(network: Network, rows: Sequence[int]) -> Network:
    """Some replicas as a batch of their own, padded no further than they need; tensors are copies.

    Example:
        >>> from eiann.config import NetworkConfig
        >>> config = NetworkConfig.from_dict({
        ...     "layer_config": {"Input": {"E": {"size": 2}}, "Output": {"E": {"size": 3, "activation": "relu"}}},
        ...     "projection_config": {"Output": {"E": {"Input": {"E": {"learning_rule": None}}}}},
        ... })
        >>> chosen_replicas(Network(config, seeds=[1, 2, 3]), [2, 0]).seeds
        (3, 1)
    """
    chosen = copy.copy(network)
    chosen.seeds = tuple(network.seeds[row] for row in rows)
    chosen.configs = tuple(network.configs[row] for row in rows)
    chosen.architectures = tuple(network.architectures[row] for row in rows)
    chosen.generators = [network.generators[row] for row in rows]
    index = torch.tensor(rows, dtype=torch.int64, device=network.device)
    widths = {p.index: chosen.width(p.index) for p in chosen.architecture.populations}

    def matrices(kind: dict[int, Tensor]) -> dict[int, Tensor]:
        projections = network.architecture.projections
        shapes = {i: (widths[projections[i].post], widths[projections[i].pre]) for i in kind}
        return {i: _cut(tensor[index], shapes[i] if tensor.ndim == 3 else ()) for i, tensor in kind.items()}

    chosen.weights, chosen.masks = matrices(network.weights), matrices(network.masks)
    images = {p.index for p in network.architecture.populations if p.is_image}
    chosen.biases = {i: _cut(b[index], () if i in images else (widths[i],)) for i, b in network.biases.items()}
    chosen.states = {}
    for name, state in network.states.items():
        kind, _, owner = name.partition(":")
        if kind.startswith("optimizer."):
            shape = tuple(chosen.state_dict()[parameter_of(name)].shape[1:]) if state.ndim > 1 else ()
        else:
            shape = (widths[int(owner)],)
        chosen.states[name] = _cut(state[index], shape)
    return chosen


def parameter_of(state: str) -> str:
    """Name of the parameter that an optimizer's state belongs to: ``optimizer.mean.NAME`` -> ``NAME``.

    Example:
        >>> parameter_of("optimizer.steps.module_dict.H1E_InputE.weight")
        'module_dict.H1E_InputE.weight'
    """
    return state.split(".", 2)[2]


def replace_replica(network: Network, slot: int, source: Network, row: int = 0) -> None:
    """Put a replica of another network of the same structure into a slot.

    Tensors are changed in place, so whoever holds them sees the new replica; where the newcomer is larger than every
    replica before it, they are replaced by wider ones.

    Args:
        network: whose slot is filled.
        slot: which of its replicas goes.
        source: where the new replica comes from; it keeps its own tensors.
        row: which of its replicas.

    Raises:
        ValueError: the structures differ.
    """
    architecture = source.architectures[row]
    if architecture.structure != network.architecture.structure:
        raise ValueError("a slot takes replicas of the structure that the others have")
    for name, field in (("configs", source.configs[row]), ("seeds", source.seeds[row])):
        held = getattr(network, name)
        setattr(network, name, (*held[:slot], field, *held[slot + 1 :]))
    network.architectures = (*network.architectures[:slot], architecture, *network.architectures[slot + 1 :])
    network.generators[slot] = source.generators[row]
    for held, given in (
        (network.weights, source.weights),
        (network.biases, source.biases),
        (network.masks, source.masks),
    ):
        for index, tensor in given.items():
            held[index] = _written(held[index], slot, tensor[row])
    for name, state in network.states.items():
        if name in source.states or not name.startswith("optimizer."):
            own = source.states[name] if name in source.states else source.state(name)
            network.states[name] = _written(state, slot, own[row])
        else:
            network.states[name] = _written(state, slot, _no_steps_yet(source, name, row))


def add_slots(network: Network, count: int) -> None:
    """Make room for further replicas: until they are put there, the slots hold copies of the first replica.

    Tensors are replaced by longer ones.
    """
    for name in ("configs", "seeds", "architectures"):
        held = getattr(network, name)
        setattr(network, name, (*held, *held[:1] * count))
    network.generators += network.generators[:1] * count
    for kind in (network.weights, network.biases, network.masks):
        kind.update({index: _longer(tensor, count) for index, tensor in kind.items()})
    network.states.update({name: _longer(state, count) for name, state in network.states.items()})


def _longer(tensor: Tensor, count: int) -> Tensor:
    return torch.cat([tensor, tensor[:1].expand(count, *tensor.shape[1:])])


def _no_steps_yet(source: Network, name: str, row: int) -> Tensor:
    """An optimizer's state before its first step."""
    if name.startswith("optimizer.steps."):
        return torch.zeros((), dtype=torch.int64)
    return torch.zeros_like(source.state_dict()[parameter_of(name)][row])


def _cut(tensor: Tensor, shape: Sequence[int]) -> Tensor:
    """The first entries along the axes after the replica's."""
    return tensor[(slice(None), *(slice(0, n) for n in shape))].contiguous()


def _written(held: Tensor, slot: int, value: Tensor) -> Tensor:
    """The tensor with a replica's values in a slot, zeros around them; a wider copy where they do not fit."""
    wanted = [max(a, b) for a, b in zip(held.shape[1:], value.shape, strict=True)]
    if list(held.shape[1:]) != wanted:
        wider = held.new_zeros(held.shape[0], *wanted)
        wider[(slice(None), *(slice(0, n) for n in held.shape[1:]))] = held
        held = wider
    row = held[slot]
    row.zero_()
    row[tuple(slice(0, n) for n in value.shape)] = value.to(held.device)
    return held
