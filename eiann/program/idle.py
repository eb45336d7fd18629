"""Constraints that need not be applied again: those of weights that nothing changes hold since construction."""

from __future__ import annotations

from collections.abc import Iterable

from eiann.program import ops
from eiann.program.ops import Op, Weight

#: Operations by which rules change a weight.
UPDATES = (ops.Outer, ops.Oja, ops.Btsp, ops.GradientStepWeight, ops.ChangeWeight)
#: Operations that leave a weight as it is once they have been applied.
KEEPING = (ops.ClampWeight, ops.ZeroDiagonal, ops.Normalize, ops.Mask)


def changed_weights(operations: Iterable[Op]) -> set[Weight]:
    """Weights that a rule changes, those that constraints do not leave as they are, and clones of both.

    A clone of a clone lags by one pass: the first pass of training still changes it.
    """
    operations = tuple(operations)
    clones = [op for op in operations if isinstance(op, ops.Clone)]
    copied = {clone.weight for clone in clones}
    changed = {op.weight for op in operations if isinstance(op, UPDATES)}
    changed |= {op.weight for op in operations if isinstance(op, ops.ClampWeight) and op.again}
    changed |= {clone.weight for clone in clones if {clone.source, clone.source2} & copied}
    while True:
        more = {clone.weight for clone in clones if {clone.source, clone.source2} & changed}
        if more <= changed:
            return changed
        changed |= more


def without_idle_constraints(operations: Iterable[Op]) -> tuple[Op, ...]:
    """The operations without constraints and clones of weights that stay as they are."""
    operations = tuple(operations)
    changed = changed_weights(operations)
    return tuple(op for op in operations if not (isinstance(op, (*KEEPING, ops.Clone)) and op.weight not in changed))
