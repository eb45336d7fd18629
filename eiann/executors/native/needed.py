"""Which gradients pass only where a unit is active: a product that goes there alone can leave out all other units."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from eiann.executors.native.rewritten import operands
from eiann.network.architecture import Architecture
from eiann.program import ops
from eiann.program.liveness import written
from eiann.program.ops import Op, Value


def where_needed(architecture: Architecture, operations: Sequence[Op]) -> dict[Value, Value]:
    """For each value that is read once, where it passes a gate: the gate, which is 0 wherever the value is not needed.

    Gates are the activity in the derivative of a relu and the reference of ``ZeroWhereZero``; a sum on the way is
    looked through. What the value holds where the gate is 0 does not matter, as long as it is finite. A gate that is
    computed after the value, or that is a state, says nothing yet when the value is computed, and does not count.
    """
    computed = {value: position for position, op in enumerate(operations) for value in written(op)}
    readers: dict[Value, list[Op]] = defaultdict(list)
    for op in operations:
        for value in dict.fromkeys(operands(op)):
            if value not in written(op):
                readers[value].append(op)
    gates: dict[Value, Value] = {}
    # From the end to the beginning: what gates a sum is known before its terms.
    for op in reversed(operations):
        for value in written(op):
            if len(readers[value]) == 1 and (gate := _gate(architecture, value, readers[value][0], gates)) is not None:
                gates[value] = gate
    return {value: gate for value, gate in gates.items() if computed.get(gate, len(operations)) < computed[value]}


def _gate(architecture: Architecture, value: Value, reader: Op, gates: Mapping[Value, Value]) -> Value | None:
    if isinstance(reader, ops.Sum):
        return gates.get(reader.dst)
    if isinstance(reader, ops.ZeroWhereZero) and value != reader.reference:
        return reader.reference
    if isinstance(reader, ops.ActivateGradient) and value not in (reader.state, reader.activity):
        is_relu = architecture.populations[reader.population].activation.name == "relu"
        return reader.activity if is_relu else None
    return None
