"""Rewrites a program for the interpreter: the same numbers with less work.

* Constraints of weights that nothing changes hold since construction: they go.
* Bounds and masks move into the update of the same weight, which applies them to the rows that it touches.
* A transposed clone that is read only before its source changes is never copied: products use the source instead.
* Products of one weight are put together, see ``gathering``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from eiann.executors.native.gathering import gathered
from eiann.executors.native.rewritten import FinishedBtsp, KernelStep, SourceProduct, UpdateRows
from eiann.program import ops
from eiann.program.compile import Program
from eiann.program.idle import without_idle_constraints
from eiann.program.ops import Op, Weight


@dataclass(frozen=True)
class Simplified:
    """Operations for the interpreter, and the clones that exist only as products with their source."""

    operations: tuple[Op, ...]
    virtual: tuple[ops.Clone, ...]


def simplify(program: Program, clones_hold: bool, constraints_hold: bool = True) -> Simplified:
    """Rewrite the operations of a program.

    Args:
        program: what to rewrite.
        clones_hold: whether every clone equals its source now; without that no clone is left out.
        constraints_hold: whether parameters satisfy all others now; without that each is applied to the whole weight.
    """
    kernels = {j.index for j in program.architecture.projections if j.convolution is not None}
    holds = clones_hold and constraints_hold
    operations = _merge_updates(without_idle_constraints(program.operations) if holds else program.operations, kernels)
    virtual = _virtual_clones(operations) if clones_hold else ()
    operations = _replace_clones(operations, virtual)
    return Simplified(tuple(gathered(_fuse(operations) if constraints_hold else operations)), virtual)


def _merge_updates(operations: Sequence[Op], kernels: set[Weight]) -> list[Op]:
    """All outer products become row updates; successive ones of a weight with one rate become one."""
    merged: list[Op] = []
    for op in operations:
        update: Op = op
        if isinstance(op, ops.Outer):
            update = UpdateRows(op.weight, op.rate, (int(op.sign),), (op.u,), (op.x,))
        elif isinstance(op, ops.GradientStepWeight) and op.weight in kernels:
            update = KernelStep(op.weight, op.rate, op.us, op.xs)
        elif isinstance(op, ops.GradientStepWeight):
            update = UpdateRows(op.weight, op.rate, (-1,) * len(op.us), op.us, op.xs)
        elif isinstance(op, ops.Btsp):
            update = FinishedBtsp(op.weight, op)
        before = merged[-1] if merged else None
        if (
            isinstance(update, UpdateRows)
            and isinstance(before, UpdateRows)
            and (before.weight, before.rate) == (update.weight, update.rate)
        ):
            merged[-1] = UpdateRows(
                update.weight, update.rate, before.signs + update.signs, before.us + update.us, before.xs + update.xs
            )
        else:
            merged.append(update)
    return merged


def _virtual_clones(operations: Sequence[Op]) -> tuple[ops.Clone, ...]:
    clones = [op for op in operations if isinstance(op, ops.Clone)]
    targets = {clone.weight for clone in clones}
    sources = {source for clone in clones for source in (clone.source, clone.source2)}
    found = []
    for clone in clones:
        plain = (
            clone.transpose and clone.source2 is None and clone.weight not in sources and clone.source not in targets
        )
        others = [op for op in operations if getattr(op, "weight", None) == clone.weight and op is not clone]
        only_read = all(isinstance(op, ops.Matvec | ops.ClampWeight) for op in others)
        reads = [i for i, op in enumerate(operations) if isinstance(op, ops.Matvec) and op.weight == clone.weight]
        changes = [
            i for i, op in enumerate(operations) if getattr(op, "weight", None) == clone.source and not _reads_only(op)
        ]
        if plain and only_read and max(reads, default=-1) < min(changes, default=len(operations)):
            found.append(clone)
    return tuple(found)


def _reads_only(op: Op) -> bool:
    return isinstance(op, ops.Matvec | ops.MatvecT)


def _replace_clones(operations: Sequence[Op], virtual: Sequence[ops.Clone]) -> list[Op]:
    by_weight = {clone.weight: clone for clone in virtual}
    replaced: list[Op] = []
    for op in operations:
        clone = by_weight.get(getattr(op, "weight", -1))
        if clone is None:
            replaced.append(op)
        elif isinstance(op, ops.Matvec):
            replaced.append(SourceProduct(op.dsts, clone.source, op.xs, clone.factor))
    return replaced


def _fuse(operations: Sequence[Op]) -> list[Op]:
    """Move bounds and masks into the one update of their weight, if nothing looks at the weight in between."""
    fused = list(operations)
    for position, op in enumerate(operations):
        if not isinstance(op, ops.ClampWeight | ops.Mask) or (isinstance(op, ops.ClampWeight) and op.again):
            continue
        touching = [
            i
            for i, other in enumerate(fused[:position])
            if other is not op and getattr(other, "weight", None) == op.weight
        ]
        touching += [
            i
            for i, other in enumerate(fused[:position])
            if isinstance(other, ops.Clone) and op.weight in (other.source, other.source2)
        ]
        updates = [i for i in touching if isinstance(fused[i], UpdateRows | FinishedBtsp | ops.Oja)]
        if len(updates) != 1 or not touching or max(touching) != updates[0] or isinstance(fused[updates[0]], ops.Oja):
            continue
        update = fused[updates[0]]
        assert isinstance(update, UpdateRows | FinishedBtsp)
        if isinstance(op, ops.ClampWeight):
            finish = replace(update.finish, low=op.low, high=op.high)
        else:
            finish = replace(update.finish, masked=True)
        fused[updates[0]] = replace(update, finish=finish)
        fused[position] = _Gone()
    return [op for op in fused if not isinstance(op, _Gone)]


@dataclass(frozen=True)
class _Gone(Op):
    """Stands where a constraint was that moved into an update."""
