"""Which gradients pass only where a unit is active: a product that goes there alone can leave out all other units."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from eiann.executors.native.rewritten import operands
from eiann.network.architecture import Architecture
from eiann.program import ops
from eiann.program.liveness import written
from eiann.program.ops import Op, Value


def where_needed(architecture: Architecture, operations: Sequence[Op]) -> dict[Value, Value]:
    """For each value that is read once, on the way into the derivative of a relu: the activity that gates it.

    A sum on the way is looked through. The derivative is 0 where the activity is, so what the value holds there
    does not matter, as long as it is finite.
    """
    readers: dict[Value, list[Op]] = defaultdict(list)
    for op in operations:
        for value in dict.fromkeys(operands(op)):
            if value not in written(op):
                readers[value].append(op)
    found: dict[Value, Value] = {}
    # From the end to the beginning: what gates a sum is known before its terms.
    for op in reversed(operations):
        for value in written(op):
            if len(readers[value]) != 1:
                continue
            reader = readers[value][0]
            if isinstance(reader, ops.Sum) and reader.dst in found:
                found[value] = found[reader.dst]
            elif (
                isinstance(reader, ops.ActivateGradient)
                and value not in (reader.state, reader.activity)
                and architecture.populations[reader.population].activation.name == "relu"
            ):
                found[value] = reader.activity
            elif isinstance(reader, ops.ZeroWhereZero) and value != reader.reference:
                found[value] = reader.reference
    return found
