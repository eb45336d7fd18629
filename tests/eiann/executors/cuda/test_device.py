"""On a real CUDA device: captured graphs give the numbers of the torch executor on the CPU, and of their own code."""

from __future__ import annotations

import pytest
import torch

import eiann
from eiann.executors.choose import choose_executor
from eiann.executors.cuda.recording import GraphRecorder, Repeater
from eiann.executors.cuda.session import RecordedSession
from eiann.network.replicas import replace_replica
from tests.eiann import tiny
from tests.eiann.executors.cuda.cases import NETWORKS, assert_close, built, learned, order, samples

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="only with a CUDA device")
SEEDS = [11, 12, 13]


@pytest.mark.parametrize("name", list(NETWORKS))
def test_graphs_give_the_numbers_of_the_torch_executor(name: str) -> None:
    assert_close(learned(built(name, SEEDS), "torch"), learned(built(name, SEEDS, "cuda"), "cuda"))


@pytest.mark.parametrize("name", list(NETWORKS))
def test_a_graph_does_what_its_code_does_bit_for_bit(name: str) -> None:
    found = []
    for recorder in (Repeater(), GraphRecorder(torch.device("cuda"))):
        network = built(name, SEEDS, "cuda")
        session = RecordedSession(network, samples(), (), recorder)
        found.append({"loss": session.run(order(3, 23)), **network.state_dict()})
    for key, value in found[0].items():
        assert torch.equal(value, found[1][key]), key


def test_a_new_replica_in_a_slot_is_trained_by_the_same_graph() -> None:
    network = built("BP_like_2L", SEEDS, "cuda")
    session = RecordedSession(network, samples(), (), GraphRecorder(torch.device("cuda")))
    session.run(order(3))
    replace_replica(network, 1, built("BP_like_2L", [25]))
    session.load([1])
    loss = session.run(order(3))
    expected = learned(built("BP_like_2L", [11, 25, 13]), "torch")["loss"]
    torch.testing.assert_close(loss[1], expected[1], rtol=1e-9, atol=1e-11)


def test_training_with_validation_runs_on_it_by_itself() -> None:
    data = tiny.tiny_data()
    network = built("BP_like_2L", SEEDS, "cuda")
    assert choose_executor("auto", network)[0].name == "cuda"
    history = eiann.train(network, data, SEEDS, validation=data, val_interval=(0, -1, 3))
    expected = eiann.train(built("BP_like_2L", SEEDS), data, SEEDS, validation=data, val_interval=(0, -1, 3))
    torch.testing.assert_close(history.val_loss, expected.val_loss, rtol=1e-9, atol=1e-11)


def test_no_step_waits_for_the_device() -> None:
    session = RecordedSession(built("BP_like_2L", SEEDS, "cuda"), samples(), (), Repeater())
    session.steps(1)
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        session.steps(2)
    finally:
        torch.cuda.set_sync_debug_mode(before)
