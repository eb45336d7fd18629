"""All that a network knows besides its configuration, as tensors by name: what a saved network or a checkpoint holds.

Parameters have the names of the reference model (``module_dict.H1E_InputE.weight``), so other programs find them.
Besides them there are ``mask.<projection>``, ``state.<name>`` (thresholds, traces, what optimizers remember) and
``generators``, the state of each replica's random numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from eiann.errors import UserError

if TYPE_CHECKING:
    from eiann.network.network import Network

MASK, STATE, GENERATORS = "mask.", "state.", "generators"


def network_tensors(network: Network) -> dict[str, Tensor]:
    """Parameters, masks, states and generators; nothing is copied."""
    projections = network.architecture.projections
    return {
        **network.state_dict(),
        **{MASK + projections[index].name: mask for index, mask in network.masks.items()},
        **{STATE + name: value for name, value in network.states.items()},
        GENERATORS: torch.stack([generator.get_state() for generator in network.generators]),
    }


def restore_network(network: Network, tensors: Mapping[str, Tensor]) -> None:
    """Put a network into the state that ``network_tensors`` took; checked as a whole before anything is changed.

    Raises:
        UserError: tensors of another network.
    """
    projections = network.architecture.projections
    own = {**network.state_dict(), **{MASK + projections[i].name: mask for i, mask in network.masks.items()}}
    states = {name.removeprefix(STATE): value for name, value in tensors.items() if name.startswith(STATE)}
    found = {name: value for name, value in tensors.items() if name in own}
    for name, value in own.items():
        if name not in found:
            raise UserError(f"found no {name}; this network has one, of shape {tuple(value.shape)}")
        if found[name].shape != value.shape or found[name].dtype != value.dtype:
            raise UserError(
                f"found {name} as {found[name].dtype} of shape {tuple(found[name].shape)}; "
                f"this network has {value.dtype}, {tuple(value.shape)}"
            )
    foreign = [name for name in tensors if name not in own and not name.startswith(STATE) and name != GENERATORS]
    if foreign:
        raise UserError(f"found {foreign[0]}; this network has no such parameter")
    generators = tensors.get(GENERATORS)
    if generators is None or len(generators) != network.R:
        raise UserError(f"found random generators of {0 if generators is None else len(generators)} replicas; "
                        f"this network has {network.R}")  # fmt: skip
    for name, value in found.items():
        own[name].copy_(value)
    network.states = {name: value.to(network.device) for name, value in states.items()}
    for generator, state in zip(network.generators, generators, strict=True):
        generator.set_state(state.clone())  # not a view: torch reads from the beginning of the storage
