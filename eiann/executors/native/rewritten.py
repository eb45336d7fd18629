"""Operations that only the interpreter has: several of a program's in one."""

from __future__ import annotations

from dataclasses import dataclass

from eiann.program import ops
from eiann.program.liveness import values_of
from eiann.program.ops import Number, Op, Value, Weight


@dataclass(frozen=True)
class Finish:
    """What holds for every row after an update: bounds (numbers or None) and whether a mask applies."""

    low: Number | None = None
    high: Number | None = None
    masked: bool = False


@dataclass(frozen=True)
class UpdateRows(Op):
    """W += rate * sum_k signs[k] us[k] xs[k]^T on the rows of active inputs, then ``finish`` on these."""

    weight: Weight
    rate: Number
    signs: tuple[int, ...]
    us: tuple[Value, ...]
    xs: tuple[Value, ...]
    finish: Finish = Finish()


@dataclass(frozen=True)
class KernelStep(Op):
    """Plain gradient descent of a convolution's kernels, for gradients us of its output and images xs."""

    weight: Weight
    rate: Number
    us: tuple[Value, ...]
    xs: tuple[Value, ...]


@dataclass(frozen=True)
class FinishedBtsp(Op):
    """``ops.Btsp`` followed by ``finish`` on the rows that it touched."""

    weight: Weight
    btsp: ops.Btsp
    finish: Finish = Finish()


@dataclass(frozen=True)
class SourceProduct(Op):
    """dsts[k] = factor * W_source^T xs[k]: the product with a transposed clone of the source."""

    dsts: tuple[Value, ...]
    weight: Weight
    xs: tuple[Value, ...]
    factor: Number


def operands(op: Op) -> list[Value]:
    """Values that an operation reads or writes."""
    if isinstance(op, FinishedBtsp):
        return values_of(op.btsp)
    return values_of(op)
