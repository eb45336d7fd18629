"""Rewrites a program for a device: the same numbers up to rounding, with fewer kernels and less memory traffic.

* Constraints of weights that nothing changes hold since construction: they go.
* A product that is read once, by a sum, is accumulated onto that sum by the kernel that computes it.
* Terms that several sums share, such as bias and input over the time steps, are added up once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from eiann.program import ops
from eiann.program.compile import Program
from eiann.program.idle import without_idle_constraints
from eiann.program.liveness import values_of
from eiann.program.ops import Number, Op, Value, Weight


@dataclass(frozen=True)
class Integrate(Op):
    """dst = total, or s + (total - s) / tau, where total = sum of the terms + sum over k of weights[k] xs[k]."""

    dst: Value
    state: Value | None
    terms: tuple[Value, ...]
    weights: tuple[Weight, ...]
    xs: tuple[Value, ...]
    tau: Number | None


def fused(program: Program, keep: Sequence[Value] = (), *, holds: bool = True) -> Program:
    """The program for a device.

    Args:
        program: any.
        keep: values that are read afterwards, besides the output.
        holds: whether parameters satisfy all constraints now.
    """
    operations = without_idle_constraints(program.operations) if holds else program.operations
    apart = {*keep, program.output}
    operations = _with_products(operations, apart, set(program.states.values()))
    return _with_shared_sums(replace(program, operations=operations))


def _with_products(operations: Sequence[Op], kept: set[Value], states: set[Value]) -> tuple[Op, ...]:
    """Move products into the one sum that reads them, unless their weight or input changes in between."""
    reads = Counter(value for op in operations for value in values_of(op))
    products: dict[Value, tuple[int, ops.Matvec]] = {}
    changed: dict[Weight, int] = {}
    absorbed: set[int] = set()
    found: list[Op] = []
    for position, op in enumerate(operations):
        if isinstance(op, ops.Matvec) and len(op.dsts) == 1:
            # Once as a result, once as a term.
            if reads[op.dsts[0]] == 2 and op.dsts[0] not in kept and op.xs[0] not in states:
                products[op.dsts[0]] = (position, op)
        elif not isinstance(op, ops.Matvec | ops.MatvecT) and hasattr(op, "weight"):
            changed[op.weight] = position
        if isinstance(op, ops.Leak | ops.Sum):
            able = [
                term
                for term in op.terms
                if term in products and changed.get(products[term][1].weight, -1) < products[term][0]
            ]
            absorbed.update(products[term][0] for term in able)
            multiplied = [products[term][1] for term in able]
            op = Integrate(
                dst=op.dst,
                state=op.state if isinstance(op, ops.Leak) else None,
                terms=tuple(term for term in op.terms if term not in able),
                weights=tuple(product.weight for product in multiplied),
                xs=tuple(product.xs[0] for product in multiplied),
                tau=op.tau if isinstance(op, ops.Leak) else None,
            )
        found.append(op)
    return tuple(op for position, op in enumerate(found) if position not in absorbed)


def _with_shared_sums(program: Program) -> Program:
    """Add up terms that more than one sum has, where a sum has them first."""
    wanted = Counter(op.terms for op in program.operations if isinstance(op, Integrate) and len(op.terms) > 1)
    values = list(program.values)
    known: dict[tuple[Value, ...], Value] = {}
    found: list[Op] = []
    for op in program.operations:
        state = getattr(op, "state", None)
        if state is not None and not isinstance(op, Integrate):
            known = {terms: value for terms, value in known.items() if state not in terms}
        if isinstance(op, Integrate) and wanted[op.terms] > 1:
            if op.terms not in known:
                values.append(values[op.dst])
                known[op.terms] = len(values) - 1
                found.append(Integrate(len(values) - 1, None, op.terms, (), (), None))
            op = replace(op, terms=(known[op.terms],))
        found.append(op)
    return replace(program, operations=tuple(found), values=tuple(values))
