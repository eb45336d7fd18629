"""Faults of a training call that are found before the first sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eiann.data import Dataset
from eiann.errors import UserError

if TYPE_CHECKING:
    from eiann.network.network import Network


def check_fit(network: Network, dataset: Dataset) -> None:
    """Inputs and classes of the data against input and output of the network."""
    shape = tuple(dataset.inputs.shape[1:])
    units = dataset.inputs[0].numel()
    wanted = network.architecture.input
    if units != wanted.units or (wanted.is_image and shape != wanted.shape):
        raise UserError(
            f"data {dataset.name}: found inputs of shape {shape}; the network's input {wanted.label} is {wanted.shape}"
        )
    output = network.architecture.output
    if dataset.classes != output.units:
        raise UserError(
            f"data {dataset.name}: found {dataset.classes} classes; the output {output.label} has {output.units} units"
        )


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
