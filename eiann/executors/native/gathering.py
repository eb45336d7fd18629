"""Orders a program so that one weight meets many values at once: the weight is then read from memory once.

The forward phase is written that way already. The dynamics after a nudge are not: there every time step of every layer
follows the one before, although a lower layer often does not wait for the layer above it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from typing import TypeGuard

from eiann.executors.native.rewritten import SourceProduct
from eiann.program import ops
from eiann.program.liveness import values_of, written
from eiann.program.ops import Op, Value

Product = ops.Matvec | ops.MatvecT | SourceProduct
Group = tuple[Hashable, int]


def gathered(operations: Sequence[Op]) -> list[Op]:
    """The same operations, with products of one weight that do not wait for each other put together.

    Operations that change a weight or a state keep their places; only what stands between two of them is ordered anew.
    """
    found: list[Op] = []
    between: list[Op] = []
    for op in operations:
        if written(op) or isinstance(op, ops.Loss):
            between.extend(_columns(op))
        else:
            found.extend(_ordered(between))
            found.append(op)
            between = []
    return [*found, *_ordered(between)]


def _is_product(op: Op) -> TypeGuard[Product]:
    return isinstance(op, Product)


def _columns(op: Op) -> list[Op]:
    if not _is_product(op):
        return [op]
    return [replace(op, dsts=(dst,), xs=(x,)) for dst, x in zip(op.dsts, op.xs, strict=True)]


def _key(op: Product) -> Hashable:
    return type(op), op.weight, getattr(op, "factor", None)


def _ordered(operations: Sequence[Op]) -> Iterator[Op]:
    producer: dict[Value, int] = {}
    waits: list[set[int]] = []
    for i, op in enumerate(operations):
        waits.append({producer[v] for v in values_of(op) if v in producer})
        producer.update(dict.fromkeys(written(op), i))
    groups = _groups(operations, waits)
    members: dict[Group, list[int]] = defaultdict(list)
    for i, group in groups.items():
        members[group].append(i)
    remaining = dict.fromkeys(range(len(operations)))
    done: set[int] = set()

    def emit(positions: Sequence[int]) -> Op:
        done.update(positions)
        for i in positions:
            del remaining[i]
        first = operations[positions[0]]
        if not _is_product(first):
            return first
        columns = [op for op in (operations[i] for i in positions) if _is_product(op)]
        return replace(first, dsts=tuple(c.dsts[0] for c in columns), xs=tuple(c.xs[0] for c in columns))

    while remaining:
        held: dict[Group, list[int]] = defaultdict(list)
        progress = False
        for i in list(remaining):
            if not waits[i] <= done:
                continue
            if i in groups:
                held[groups[i]].append(i)
            else:
                yield emit([i])
                progress = True
        if progress:
            continue
        # The group that misses fewest of its products goes: none, unless groups wait for each other.
        missing = {group: sum(i in remaining for i in members[group]) - len(ready) for group, ready in held.items()}
        yield emit(held[min(held, key=missing.__getitem__)])


def _groups(operations: Sequence[Op], waits: Sequence[set[int]]) -> dict[int, Group]:
    """Products of a weight by how many products of the same weight come before each on its way."""
    before: list[dict[Hashable, int]] = []
    found: dict[int, Group] = {}
    for i, op in enumerate(operations):
        depth: dict[Hashable, int] = {}
        for j in waits[i]:
            for key, count in before[j].items():
                depth[key] = max(depth.get(key, 0), count)
        if _is_product(op):
            key = _key(op)
            found[i] = (key, depth.get(key, 0))
            depth[key] = depth.get(key, 0) + 1
        before.append(depth)
    return found
