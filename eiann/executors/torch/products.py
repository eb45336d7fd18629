"""Products of weights and values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from eiann.executors.torch.forms import Step, form
from eiann.program import ops

if TYPE_CHECKING:
    from eiann.executors.torch.machine import TorchMachine


def _product(x: Tensor, matrix: Tensor, inner: int, apart: bool) -> Tensor:
    """(R, B, n) times (R, m, n) over axis ``inner`` of the matrix, without mixing replicas."""
    if x.shape[1] == 1:
        # One column: a product and a sum are faster than a matrix product, and the same for any number of replicas.
        if inner == 2:
            return (matrix * x).sum(2).unsqueeze(1)
        return (matrix * x.transpose(1, 2)).sum(1).unsqueeze(1)
    matrix = matrix.transpose(1, 2) if inner == 2 else matrix
    if not apart:
        return torch.bmm(x, matrix)
    # A batched product may choose its kernel by the number of replicas, and any product by the alignment of its
    # operands: so one product after another, each on fresh copies.
    return torch.stack([torch.mm(rows.clone(), columns.clone()) for rows, columns in zip(x, matrix, strict=True)])


def _bind_product(machine: TorchMachine, op: ops.Matvec | ops.MatvecT, inner: int) -> Step:
    v, weight, apart = machine.values, machine.network.weights[op.weight], machine.apart
    pairs = tuple(zip(op.dsts, op.xs, strict=True))

    def step() -> None:
        for dst, x in pairs:
            v[dst] = _product(v[x], weight, inner, apart)  # type: ignore[arg-type]

    return step


@form(ops.Matvec)
def _matvec(machine: TorchMachine, op: ops.Matvec) -> Step:
    return _bind_product(machine, op, 2)


@form(ops.MatvecT)
def _matvec_t(machine: TorchMachine, op: ops.MatvecT) -> Step:
    return _bind_product(machine, op, 1)
