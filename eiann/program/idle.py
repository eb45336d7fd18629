"""Constraints that need not be applied again: those of weights that no rule changes hold since construction."""

from __future__ import annotations

from collections.abc import Iterable

from eiann.program import ops
from eiann.program.ops import Op, Weight

#: Operations by which rules change a weight.
UPDATES = (ops.Outer, ops.Oja, ops.Btsp, ops.GradientStepWeight)
#: Operations that leave a weight as it is once they have been applied.
KEEPING = (ops.ClampWeight, ops.ZeroDiagonal, ops.Normalize, ops.Mask)


def changed_weights(operations: Iterable[Op]) -> set[Weight]:
    """Weights that a rule changes, and clones of these."""
    operations = tuple(operations)
    changed = {op.weight for op in operations if isinstance(op, UPDATES)}
    while True:
        more = {op.weight for op in operations if isinstance(op, ops.Clone) and {op.source, op.source2} & changed}
        if more <= changed:
            return changed
        changed |= more


def without_idle_constraints(operations: Iterable[Op]) -> tuple[Op, ...]:
    """The operations without constraints and clones of weights that stay as they are."""
    operations = tuple(operations)
    changed = changed_weights(operations)
    return tuple(op for op in operations if not (isinstance(op, (*KEEPING, ops.Clone)) and op.weight not in changed))
