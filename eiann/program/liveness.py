"""Which operations matter: what nothing reads, and nobody asked for, need not be computed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from eiann.program import ops
from eiann.program.compile import Program
from eiann.program.ops import Op, Value

_VALUES = frozenset(
    (
        *("dst", "dsts", "x", "xs", "u", "us", "v", "a", "b", "terms", "state", "nudge", "gradient", "activity"),
        *("error", "masked", "reference", "output", "target", "past_x", "plus", "past_plus", "minus"),
    )
)


def values_of(operation: Op) -> list[Value]:
    """All values that an operation reads or writes."""
    found: list[Value] = []
    for name, content in vars(operation).items():
        if name in _VALUES and content is not None:
            found.extend(content if isinstance(content, tuple) else (content,))
    return found


def written(operation: Op) -> tuple[Value, ...]:
    """Values that an operation computes; empty for one that changes a weight or a state, or that reports the loss."""
    if hasattr(operation, "dsts"):
        return tuple(operation.dsts)
    return (operation.dst,) if hasattr(operation, "dst") else ()


def pruned(program: Program, names: Iterable[str]) -> Program:
    """The program without what leads to none of its effects, its output and the named values."""
    keep = {program.output, *(program.names[name] for name in names)}
    return replace(program, operations=without_unread(program.operations, keep))


def without_unread(operations: Sequence[Op], keep: Iterable[Value]) -> tuple[Op, ...]:
    """The operations that lead to a changed weight or state, to the loss, or to a value that is kept.

    A backward phase, say, lets dendrites follow the dynamics through all time steps, while units are selected at the
    first. Draws of random numbers stay, since later ones depend on them.
    """
    needed = set(keep)
    found: list[Op] = []
    for operation in reversed(operations):
        results = written(operation)
        wanted = [value for value in results if value in needed]
        draws = isinstance(operation, ops.Select) and operation.stochastic
        if results and not wanted and not draws:
            continue
        kept = operation
        if isinstance(operation, ops.Matvec | ops.MatvecT) and len(wanted) < len(results):
            pairs = [(dst, x) for dst, x in zip(operation.dsts, operation.xs, strict=True) if dst in needed]
            kept = replace(operation, dsts=tuple(dst for dst, _ in pairs), xs=tuple(x for _, x in pairs))
        needed.update(values_of(kept))
        found.append(kept)
    return tuple(reversed(found))
