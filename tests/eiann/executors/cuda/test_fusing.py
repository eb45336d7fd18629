"""A program for a device has fewer operations and the same effects."""

from __future__ import annotations

import pytest

from eiann.executors.cuda.fusing import Integrate, fused
from eiann.executors.torch.machine import values_of
from eiann.program import ops
from eiann.program.compile import compile_training
from tests.eiann.executors.cuda.cases import NETWORKS, built


@pytest.mark.parametrize("name", list(NETWORKS))
def test_every_value_is_computed_before_it_is_read(name: str) -> None:
    program = compile_training(built(name, [1]).architecture)
    found = fused(program)
    known = {program.inputs, program.target, *program.states.values()}
    for op in found.operations:
        results = {*getattr(op, "dsts", ()), getattr(op, "dst", None)} - {None}
        read = set(values_of(op)) - results
        assert read <= known, op
        known |= results
    assert program.output in known
    assert len(found.operations) < len(program.operations)


def test_products_go_into_the_sums_that_read_them() -> None:
    program = compile_training(built("BP_like_2L", [1]).architecture)
    before = sum(isinstance(op, ops.Matvec) for op in program.operations)
    found = fused(program)
    after = sum(isinstance(op, ops.Matvec) for op in found.operations)
    inside = sum(len(op.weights) for op in found.operations if isinstance(op, Integrate))
    assert after + inside == before
    assert inside > after


def test_a_value_that_is_watched_stays() -> None:
    program = compile_training(built("BP_like_2L", [1]).architecture)
    sums = [op for op in fused(program).operations if isinstance(op, Integrate)]
    absorbed = {pair for op in sums for pair in zip(op.weights, op.xs, strict=True)}
    product = next(
        op for op in program.operations
        if isinstance(op, ops.Matvec) and len(op.dsts) == 1 and (op.weight, op.xs[0]) in absorbed
    )  # fmt: skip
    kept = fused(program, [product.dsts[0]])
    assert any(product.dsts[0] in getattr(op, "dsts", ()) for op in kept.operations)
    assert not any(product.dsts[0] in getattr(op, "dsts", ()) for op in fused(program).operations)
