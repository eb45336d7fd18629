"""Initial weights, biases and masks of one network from its seed, in the order of draws of the reference model.

One stream of random numbers per network: (1) the default weights of every projection in order of construction,
overwritten later or not; (2) population by population its incoming weights, then its bias; (3) receptive-field masks
in the order of their first application. With the same seed, size and dtype the numbers are the same, alone or in a
batch.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Generator, Tensor

from eiann.constraints import ReceptiveFieldMask
from eiann.errors import ConfigError, UserError
from eiann.initializers import INITIALIZERS, default_weights, initialize_bias
from eiann.network.architecture import Architecture, Projection
from eiann.network.checks import place


@dataclass(frozen=True)
class Draws:
    """What was drawn for one network: weights by projection, biases by population, masks by projection."""

    weights: dict[int, Tensor] = field(default_factory=dict)
    biases: dict[int, Tensor] = field(default_factory=dict)
    masks: dict[int, Tensor] = field(default_factory=dict)


def weight_shape(architecture: Architecture, j: Projection) -> tuple[int, ...]:
    """(post, pre), or (post channels, pre channels per group, kernel, kernel)."""
    post, pre = architecture.populations[j.post].size, architecture.populations[j.pre].size
    if j.convolution is None:
        return (post, pre)
    return (post, pre // j.convolution.groups, j.convolution.kernel_size, j.convolution.kernel_size)


def bias_length(architecture: Architecture, population: int) -> int:
    """One bias per unit, per channel of an image population."""
    return architecture.populations[population].shape[0]


def check_memory(architectures: Sequence[Architecture], dtype: torch.dtype) -> None:
    """Refuse replicas whose parameters would not fit into this machine's memory.

    Raises:
        UserError: with what they need and what there is.
    """
    numbers = 0
    for a in architectures:
        numbers += sum(math.prod(weight_shape(a, j)) for j in a.projections) + sum(p.units for p in a.populations)
    needed = numbers * torch.empty(0, dtype=dtype).element_size()
    present = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > present:
        raise UserError(
            f"found {len(architectures)} replica(s) whose parameters take {needed / 2**30:.0f} GiB; "
            f"this machine has {present / 2**30:.0f} GiB: use smaller populations or fewer replicas"
        )


def draw(architecture: Architecture, generator: Generator, dtype: torch.dtype) -> Draws:
    """Draw one network's parameters on the CPU, before any constraint."""
    draws = Draws()
    for j in architecture.projections:
        weight = torch.empty(weight_shape(architecture, j), dtype=dtype)
        default_weights(weight, generator)
        draws.weights[j.index] = weight
    for p in architecture.populations:
        for j in architecture.incoming[p.index]:
            _initialize_weight(architecture, j, draws.weights[j.index], generator)
        bias = torch.zeros(bias_length(architecture, p.index), dtype=dtype)
        if p.has_bias:
            fan_in = sum(j.fan_in for j in architecture.incoming[p.index])
            try:
                initialize_bias(bias, p.bias_init, p.bias_init_args, fan_in, generator)
            except ConfigError as error:
                raise ConfigError(error.message, ("layer_config", p.layer, p.name, "bias_init")) from error
        draws.biases[p.index] = bias
    for p in architecture.populations:
        for j in architecture.incoming[p.index]:
            if isinstance(j.constraint, ReceptiveFieldMask):
                draws.masks[j.index] = _draw_mask(j.constraint, draws.weights[j.index], generator)
    return draws


def _initialize_weight(architecture: Architecture, j: Projection, weight: Tensor, generator: Generator) -> None:
    if j.weight_init is None or j.initial_clone is not None:
        return
    try:
        INITIALIZERS.find(j.weight_init)(weight, j.weight_init_args, j.fan_in, j.bounds, generator)
    except (ConfigError, RuntimeError) as error:
        message = error.message if isinstance(error, ConfigError) else f"{j.weight_init}: {error}"
        raise ConfigError(message, place(architecture, j, "weight_init")) from error


def _draw_mask(constraint: ReceptiveFieldMask, weight: Tensor, generator: Generator) -> Tensor:
    """One window per unit: 1 inside, 0 outside; (post, pre)."""
    size = constraint.receptive_field_size
    channels = constraint.image_dims[0] if len(constraint.image_dims) == 3 else 1
    rows, columns = constraint.image_dims[-2:]
    mask = torch.zeros(weight.shape[0], channels, rows, columns, dtype=weight.dtype)
    for unit in range(weight.shape[0]):
        row = int(torch.randint(0, rows - size + 1, (1,), generator=generator))
        column = int(torch.randint(0, columns - size + 1, (1,), generator=generator))
        mask[unit, :, row : row + size, column : column + size] = 1
    return mask.reshape(weight.shape)
