"""A call of the interpreter: threads, other Python threads, Ctrl-C, and what it leaves out."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings

import eiann
from eiann.executors.native.gathering import gathered
from eiann.program import ops
from eiann.program.compile import compile_training
from eiann.program.liveness import pruned, values_of, written
from tests.eiann.executors.random_networks import config_of, networks, orders, samples
from tests.eiann.executors.subjects import Subject, assert_same, run
from tests.eiann.tiny import rule, tiny_config

NATIVE = Subject("native", "cpu")


def tiny(replicas: int, name: str = "BP_like_2L") -> eiann.Network:
    return eiann.Network(tiny_config(rule(name), rule(name)), seeds=list(range(1, replicas + 1)))


@pytest.fixture
def two_threads() -> object:
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


@pytest.mark.usefixtures("two_threads")
def test_threads_do_not_change_a_number() -> None:
    data, order = samples(tiny(1), 12), orders(7, 40, 12)
    threaded = run(NATIVE, tiny(7), data, order)
    torch.set_num_threads(1)
    alone = run(NATIVE, tiny(7), data, order)
    for replica in range(7):
        assert_same(alone.replica(replica), threaded.replica(replica))


def test_other_threads_of_python_run_meanwhile() -> None:
    network = tiny(4)
    data, order = samples(network, 12), orders(4, 15_000, 12)
    stop, counts = threading.Event(), [0]

    def count() -> None:
        while not stop.is_set():
            counts[0] += 1
            time.sleep(0.001)

    counter = threading.Thread(target=count)
    counter.start()
    run(NATIVE, network, data, order)
    stop.set()
    counter.join()
    assert counts[0] > 20


CALL = """
import sys, torch
from tests.eiann.executors.native.test_session import tiny
from tests.eiann.executors.random_networks import samples
from eiann.executors.base import TrainingData
from eiann.executors.choose import EXECUTORS
torch.set_num_threads(1)
network = tiny(8)
session = EXECUTORS["native"].begin(network, samples(network, 12), ())
session.run(torch.zeros(8, 20, dtype=torch.int64))
print("begun", flush=True)
try:
    session.run(torch.zeros(8, 2_000_000, dtype=torch.int64))
except KeyboardInterrupt:
    print("stopped", flush=True)
    sys.exit(7)
"""


def test_ctrl_c_ends_a_long_call() -> None:
    """Two million steps of eight replicas in one call would take minutes."""
    root = Path(eiann.__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    with subprocess.Popen([sys.executable, "-c", CALL], env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(timeout=120) == 7
        finally:
            process.kill()


def test_what_nobody_reads_is_not_computed() -> None:
    """Dendrites follow the dynamics after the nudge, but units are selected before."""
    program = compile_training(tiny(1).architecture)
    kept = pruned(program, ())
    named = pruned(program, ["backward_dendritic_state:1"])
    assert len(kept.operations) < len(named.operations) <= len(program.operations)
    needed = {program.output}
    for op in reversed(kept.operations):
        assert not written(op) or set(written(op)) & needed
        needed.update(values_of(op))


@settings(max_examples=20)
@given(tree=networks())
def test_an_order_by_weights_computes_each_value_before_it_is_read(tree: dict[str, object]) -> None:
    program = compile_training(eiann.Network(config_of(tree), seeds=[1]).architecture)
    states = set(program.states.values())
    known = {program.inputs, program.target, *states}
    order = gathered(program.operations)
    for op in order:
        assert {v for v in values_of(op) if v not in written(op)} <= known
        known.update(written(op))
    # Operations that change something keep their order, and no column is lost.
    assert [op for op in order if not written(op) and not isinstance(op, ops.Loss)] == [
        op for op in program.operations if not written(op) and not isinstance(op, ops.Loss)
    ]
    columns = [sorted(v for op in each for v in written(op)) for each in (order, program.operations)]
    assert columns[0] == columns[1]


def test_products_after_a_nudge_meet_their_weight_together() -> None:
    program = pruned(compile_training(tiny(1).architecture), ())
    widest = max(len(op.dsts) for op in gathered(program.operations) if isinstance(op, ops.Matvec))
    assert widest == program.architecture.forward_steps
