"""Faults of a training call that are found before the first sample."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import TYPE_CHECKING

from torch import Tensor

from eiann.data import Dataset
from eiann.errors import UserError
from eiann.network.architecture import Architecture, sizes_of

if TYPE_CHECKING:
    from eiann.network.network import Network


def check_fit(network: Network, dataset: Dataset) -> None:
    """Inputs and classes of the data against input and output of every replica.

    Raises:
        UserError: they differ.
    """
    check_inputs(network, dataset.inputs, f"data {dataset.name}")
    for architecture in _of_different_sizes(network):
        output = architecture.output
        if dataset.classes != output.units:
            raise UserError(
                f"data {dataset.name}: found {dataset.classes} classes; "
                f"the output {output.label} has {output.units} units"
            )


def check_inputs(network: Network, inputs: Tensor, what: str = "inputs") -> None:
    """Samples against the input of every replica.

    Raises:
        UserError: they have another shape, or there are none.
    """
    if inputs.dim() < 2 or not len(inputs):
        raise UserError(f"{what}: found the shape {tuple(inputs.shape)}; samples x features is needed")
    shape = tuple(inputs.shape[1:])
    for architecture in _of_different_sizes(network):
        wanted = architecture.input
        if inputs[0].numel() != wanted.units or (wanted.is_image and shape != wanted.shape):
            raise UserError(
                f"{what}: found inputs of shape {shape}; the network's input {wanted.label} is {wanted.shape}"
            )


def _of_different_sizes(network: Network) -> Iterable[Architecture]:
    """One architecture for each set of sizes."""
    return {sizes_of(architecture): architecture for architecture in network.architectures}.values()


def check_length(steps: int | None, epochs: int) -> None:
    """Steps and epochs are whole numbers from 1 on.

    Raises:
        UserError: one is not.
    """
    for name, count in (("steps", 1 if steps is None else steps), ("epochs", epochs)):
        try:
            is_count = operator.index(count) >= 1
        except TypeError:
            is_count = False
        if not is_count:
            raise UserError(f"{name}: found {count!r}; a whole number from 1 on is needed")


def check_batches(network: Network, batch_size: int, reduction: str) -> None:
    """Whether the rules allow mini-batches."""
    if reduction not in ("sum", "mean"):
        raise UserError(f"batch_reduction: found {reduction!r}; use sum or mean")
    if batch_size < 1:
        raise UserError(f"batch_size: found {batch_size}; it is at least 1")
    if batch_size == 1:
        return
    for j in network.architecture.projections:
        if j.rule is not None and not j.rule.batches:
            raise UserError(
                f"batch_size: found {batch_size}; {j.rule.name} of {j.name} keeps traces from sample to sample, use 1"
            )
