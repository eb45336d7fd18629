"""Products of large sparse layers: columns by themselves, rows that nobody needs, and the memory that they lie in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import eiann
from eiann.executors.choose import EXECUTORS
from eiann.executors.native.lowering import lower
from eiann.executors.native.memory import zeros
from eiann.executors.native.needed import where_needed
from eiann.executors.native.simplify import simplify
from eiann.program import ops
from eiann.program.compile import compile_training
from eiann.program.liveness import pruned
from tests.eiann.executors.random_networks import orders, samples
from tests.eiann.executors.subjects import REFERENCE, Subject, assert_close, assert_same, run
from tests.eiann.tiny import rule, tiny_config

NATIVE = Subject("native", "cpu")
BACKPROP = {"bias_rule": "Backprop", "backward_steps": 3}


def config(name: str, units: int, activation: str = "relu", **keys: Any) -> eiann.NetworkConfig:
    """The tiny network with a second hidden layer's worth of units, so that its products are large."""
    tree = tiny_config(rule(name), rule(name), **keys).to_dict()
    layers = tree["layer_config"]
    layers["Input"]["E"]["size"] = units
    for population, size in (("E", units), ("SomaI", units // 4), ("DendI", units // 4)):
        layers["H1"][population]["size"] = size
        layers["H1"][population]["activation"] = activation
    return eiann.NetworkConfig.from_dict(tree)


@pytest.mark.parametrize(
    ("name", "keys"), [("Backprop", BACKPROP), ("BP_like_2L", {}), ("BTSP_19", {"neg_rate_th": 0})]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_large_sparse_layers_train_as_in_torch(name: str, keys: dict[str, Any], dtype: torch.dtype) -> None:
    tree = config(name, 200, **keys) if name != "BTSP_19" else with_options(config(name, 200), keys)
    data = samples(eiann.Network(tree, seeds=[1], dtype=dtype), 12)
    order = orders(2, 12, 12)
    found = [run(who, eiann.Network(tree, seeds=[1, 2], dtype=dtype), data, order) for who in (REFERENCE, NATIVE)]
    for replica in range(2):
        assert_close(found[0].replica(replica), found[1].replica(replica), dtype)


def with_options(tree: eiann.NetworkConfig, options: dict[str, Any]) -> eiann.NetworkConfig:
    """The configuration with more options of its learned rules."""
    found = tree.to_dict()
    for post in ("H1", "Output"):
        pre = "Input" if post == "H1" else "H1"
        found["projection_config"][post]["E"][pre]["E"]["learning_rule_kwargs"].update(options)
    return eiann.NetworkConfig.from_dict(found)


def test_a_column_by_itself_has_the_bits_that_it_has_in_a_group() -> None:
    """Samples whose inputs are mostly silent go column by column when evaluated together, others in groups."""
    network = eiann.Network(config("BP_like_2L", 200), seeds=[1])
    generator = torch.Generator().manual_seed(5)
    inputs = torch.rand(24, 200, generator=generator)
    inputs[:16] *= torch.rand(16, 200, generator=generator) < 0.1
    inputs[::6] = torch.rand(4, 200, generator=generator)
    names = [f"activity:{p.index}" for p in network.architecture.populations]
    for rows in ([*range(24)], [*range(0, 24, 6)], [5, 0, 7, 3]):
        together = dict(activities(network, inputs[rows], names))
        for position, row in enumerate(rows):
            alone = dict(activities(network, inputs[row : row + 1], names))
            assert_same({n: v[:, 0] for n, v in alone.items()}, {n: v[:, position] for n, v in together.items()})


def activities(network: eiann.Network, inputs: torch.Tensor, names: list[str]) -> dict[str, torch.Tensor]:
    found = list(EXECUTORS["native"].evaluate(network, inputs, names))
    return {name: torch.cat([chunk[name] for _, chunk in found], dim=1) for name in names}


@pytest.mark.parametrize(("activation", "gated"), [("relu", True), ("softplus", False)])
def test_a_gradient_is_left_out_where_a_relu_stops_it_and_nowhere_else(activation: str, gated: bool) -> None:
    network = eiann.Network(config("Backprop", 8, activation, **BACKPROP), seeds=[1])
    operations = simplify(pruned(compile_training(network.architecture), ()), clones_hold=True).operations
    populations, found = network.architecture.populations, where_needed(network.architecture, operations)
    into_hidden = [
        dst
        for op in operations
        if isinstance(op, ops.MatvecT) and populations[network.architecture.projections[op.weight].pre].label == "H1.E"
        for dst in op.dsts
    ]
    assert into_hidden
    assert all((dst in found) == gated for dst in into_hidden)
    # What gates a value is computed before the product that may leave it out.
    known: set[int] = set()
    for op in operations:
        if isinstance(op, ops.MatvecT):
            assert {found[dst] for dst in op.dsts if dst in found} <= known
        known.update(getattr(op, "dsts", ()) or (getattr(op, "dst", -1),))


def test_a_gate_that_is_not_known_yet_leaves_nothing_out() -> None:
    architecture = eiann.Network(config("Backprop", 8, **BACKPROP), seeds=[1]).architecture
    product, gate = ops.MatvecT((10,), 0, (5,)), ops.Zero(11)
    read = ops.ZeroWhereZero(12, 10, 11)
    assert where_needed(architecture, [gate, product, read]) == {10: 11}
    assert where_needed(architecture, [product, gate, read]) == {}
    assert where_needed(architecture, [product, read]) == {}, "a state, which may change before it is read"
    assert where_needed(architecture, [gate, product, read, ops.Scale(13, 10, 0)]) == {}, "read elsewhere too"


def test_a_value_that_is_recorded_is_computed_everywhere() -> None:
    network = eiann.Network(config("Backprop", 8, **BACKPROP), seeds=[1])
    program = compile_training(network.architecture)
    simplified = simplify(program, clones_hold=True)
    found = where_needed(network.architecture, simplified.operations)
    gated = next(d for op in simplified.operations if isinstance(op, ops.MatvecT) for d in op.dsts if d in found)
    program.names["a gradient"] = gated
    with_it, without = (lower(network, program, simplified, keep) for keep in (["a gradient"], []))
    assert without.code.count(-1) < with_it.code.count(-1)


def test_arenas_are_zeros_that_begin_at_a_cache_line_and_do_not_overlap() -> None:
    arrays = zeros([3, 1000, 17], np.dtype(np.float32))
    assert [len(a) for a in arrays] == [3, 1000, 17]
    for number, array in enumerate(arrays):
        assert not array.any()
        assert array.ctypes.data % 64 == 0
        array[:] = number + 1
    assert [set(a.tolist()) for a in arrays] == [{1.0}, {2.0}, {3.0}]
