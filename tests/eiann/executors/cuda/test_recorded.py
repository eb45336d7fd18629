"""Recorded steps give the numbers of the torch executor: the same code that a CUDA device captures, on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

import eiann
from eiann.errors import UserError
from eiann.executors.choose import DEVICE_EXECUTORS, EXECUTORS, choose_executor
from eiann.executors.cuda import session as session_module
from eiann.executors.cuda.recording import Repeater, undone
from eiann.executors.cuda.session import RecordedSession
from eiann.network.replicas import add_slots, replace_replica
from tests import test_parity
from tests.eiann import tiny
from tests.eiann.executors.cuda.cases import NETWORKS, assert_close, built, learned, order, samples

SEEDS = [11, 12, 13]
EVERY = pytest.mark.parametrize("name", list(NETWORKS))
SOME = pytest.mark.parametrize("name", ["BP_like_2L", "BTSP_19", "Adam"])


@pytest.mark.parametrize("case", test_parity.cases("dynamics"))
def test_golden_traces_are_reproduced(case: test_parity.Case, recorded: str) -> None:
    network = eiann.Network(case.config, seeds=[1])
    reason = EXECUTORS[recorded].refusal(network)
    if reason is not None:
        assert any(words in reason for words in ("image population", "drawn at random")), reason
        return
    seed = case.index["seed"]
    expected, found = test_parity.trace(case, [seed, seed + 1], recorded)
    test_parity.compare(case, expected, found, 0)


@EVERY
def test_replicas_with_different_numbers_learn_what_they_learn_in_torch(name: str, recorded: str) -> None:
    assert_close(learned(built(name, SEEDS), "torch"), learned(built(name, SEEDS), recorded))


@pytest.mark.parametrize("mean", [False, True], ids=["sum", "mean"])
@pytest.mark.parametrize("name", ["Backprop with biases", "BP_like_2E with biases", "Ojas_rule", "Adam"])
def test_mini_batches_too(name: str, mean: bool, recorded: str) -> None:
    data = samples(3, mean=mean)
    assert_close(learned(built(name, SEEDS), "torch", data), learned(built(name, SEEDS), recorded, data))


@pytest.mark.parametrize("name", ["BP_like_2L", "Backprop", "sigmoid", "BP_like_2E of some units"])
def test_replicas_of_different_sizes_are_padded_and_masked(name: str, recorded: str) -> None:
    plain = NETWORKS[name]
    configs = []
    for size in (6, 9, 4):
        layers = plain["layer_config"]
        hidden = {**layers["H1"], "E": {**layers["H1"]["E"], "size": size}}
        configs.append(eiann.NetworkConfig.from_dict({**plain, "layer_config": {**layers, "H1": hidden}}))
    ragged = learned(eiann.Network(configs, SEEDS, torch.float64), recorded)
    for replica, (config, seed) in enumerate(zip(configs, SEEDS, strict=True)):
        session = EXECUTORS["torch"].begin(network := eiann.Network(config, [seed], torch.float64), samples(), ())
        loss = session.run(order(3)[replica : replica + 1])
        torch.testing.assert_close(ragged["loss"][replica], loss[0], rtol=1e-9, atol=1e-11)
        for key, value in network.state_dict().items():
            cut = ragged[key][replica][tuple(slice(0, n) for n in value.shape[1:])]
            torch.testing.assert_close(cut, value[0], rtol=1e-9, atol=1e-11)


# ---------------------------------------------------------------------------------------------------------- recordings


class Counting:
    """Counts recordings and their replays."""

    def __init__(self) -> None:
        self.replays: list[int] = []

    def record(self, run: Callable[[], None], changed: Sequence[Tensor]) -> Callable[[], None]:
        number = len(self.replays)
        self.replays.append(0)

        def replay() -> None:
            self.replays[number] += 1
            run()

        return replay


class WarmingUp:
    """Runs and undoes that before the recording, as the capture of a graph has to."""

    def record(self, run: Callable[[], None], changed: Sequence[Tensor]) -> Callable[[], None]:
        with undone(changed):
            run()
            run()
        return run


def trained(name: str, recorder: Any, steps: int = 17, cuts: Sequence[int] = ()) -> dict[str, Tensor]:
    network = built(name, SEEDS)
    session = RecordedSession(network, samples(), ["activity:1"], recorder)
    edges = [0, *cuts, steps]
    whole = order(3, steps)
    losses = [session.run(whole[:, a:b]) for a, b in pairwise(edges)]
    return {**network.state_dict(), **network.states, "loss": torch.cat(losses, 1), "a": session.named("activity:1")}


@EVERY
def test_recording_leaves_everything_as_it_was(name: str) -> None:
    """Else the warm-up before a capture would be a training step too many."""
    plain, warmed = trained(name, Repeater()), trained(name, WarmingUp())
    for key, value in plain.items():
        assert torch.equal(value, warmed[key]), key


def test_two_recordings_serve_a_whole_training_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "MOST_STEPS", 7)
    monkeypatch.setattr(session_module, "STEPS_PER_RECORDING", 3)
    counting = Counting()
    cut = trained("BP_like_2L", counting, 17)
    assert counting.replays == [2 + 2 + 1, 1 + 1]
    for key, value in trained("BP_like_2L", Repeater(), 17).items():
        assert torch.equal(value, cut[key]), key


@SOME
def test_blocks_do_not_change_a_run(name: str) -> None:
    whole, cut = trained(name, Repeater()), trained(name, Repeater(), cuts=(1, 12))
    for key, value in whole.items():
        assert torch.equal(value, cut[key]), key


@SOME
def test_a_new_replica_in_a_slot_needs_no_new_recording(name: str) -> None:
    counting = Counting()
    network = built(name, SEEDS)
    session = RecordedSession(network, samples(), (), counting)
    session.run(order(3))
    before = [value.data_ptr() for value in network.state_dict().values()]
    replace_replica(network, 1, built(name, [25]))
    session.load([1])
    assert [value.data_ptr() for value in network.state_dict().values()] == before
    loss = session.run(order(3))
    assert len(counting.replays) == 1
    alone = built(name, [25])
    expected = EXECUTORS["torch"].begin(alone, samples(), ()).run(order(3)[1:2])
    torch.testing.assert_close(loss[1:2], expected, rtol=1e-9, atol=1e-11)
    for key, value in alone.state_dict().items():
        torch.testing.assert_close(network.state_dict()[key][1:2], value, rtol=1e-9, atol=1e-11)


def test_added_slots_are_trained_too() -> None:
    network = built("Adam", SEEDS)
    session = RecordedSession(network, samples(), (), Repeater())
    session.run(order(3))
    add_slots(network, 1)
    replace_replica(network, 3, built("Adam", [25]))
    session.load([3])
    loss = session.run(order(4), [0, 1, 2, 3])
    expected = EXECUTORS["torch"].begin(built("Adam", [25]), samples(), ()).run(order(4)[3:])
    torch.testing.assert_close(loss[3:], expected, rtol=1e-9, atol=1e-11)


@SOME
def test_a_stream_refills_recorded_slots(name: str, recorded: str) -> None:
    data = tiny.tiny_data()
    configs = {seed: built(name, [seed]).configs[0] for seed in range(20, 25)}
    options: dict[str, Any] = {"validation": data, "val_interval": (0, -1, 4)}
    jobs = [eiann.ReplicaJob(seed, config, seed, seed) for seed, config in configs.items()]
    found = {
        result.job.key: result
        for result in eiann.train_stream(jobs, data, slots=2, executor=recorded, dtype=torch.float64, **options)
    }
    for seed, config in configs.items():
        history = eiann.train(eiann.Network(config, [seed], torch.float64), data, [seed], executor="torch", **options)
        got = found[seed].history
        assert got is not None
        assert got.executor == "cuda"
        torch.testing.assert_close(got.loss, history.loss, rtol=1e-9, atol=1e-11)
        torch.testing.assert_close(got.val_loss, history.val_loss, rtol=1e-9, atol=1e-11)


def test_an_evaluation_follows_the_network_that_it_was_recorded_for(recorded: str) -> None:
    network, inputs = built("BP_like_2L", SEEDS), samples().inputs
    name = "activity:5"

    def evaluated(executor: str) -> Tensor:
        return torch.cat([values[name] for _, values in EXECUTORS[executor].evaluate(network, inputs, [name])], dim=1)

    for change in range(5):
        if change == 2:  # other numbers in the same tensors
            replace_replica(network, 0, built("BP_like_2L", [40]))
        if change == 3:  # other tensors
            add_slots(network, 2)
        torch.testing.assert_close(evaluated(recorded), evaluated("torch"), rtol=1e-9, atol=1e-11)
        EXECUTORS["torch"].begin(network, samples(), ()).run(order(network.R, 3))


# --------------------------------------------------------------------------------------------------------------- choice


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({}, "the network is not on a CUDA device"), ({"stochastic": True}, "the network is not on a CUDA device")],
)
def test_on_the_cpu_it_refuses_in_one_line(changes: dict[str, Any], reason: str) -> None:
    rule = tiny.rule("BP_like_2L", **changes)
    network = eiann.Network(tiny.tiny_config(rule, rule), [1])
    assert DEVICE_EXECUTORS["cuda"].refusal(network) == reason
    with pytest.raises(UserError, match=f"executor: found 'cuda', which cannot run this: {reason}; use auto or torch"):
        choose_executor("cuda", network)


def test_auto_takes_it_on_a_cuda_device() -> None:
    rule = tiny.rule("BP_like_2L")
    network = eiann.Network(tiny.tiny_config(rule, rule), [1])
    assert choose_executor("auto", network)[0].name == "native"
    network.device = torch.device("cuda")
    executor, reason = choose_executor("auto", network)
    assert executor is DEVICE_EXECUTORS["cuda"]
    assert reason.startswith("cuda: ")
    rule = tiny.rule("BP_like_2L", stochastic=True)
    network = eiann.Network(tiny.tiny_config(rule, rule), [1])
    network.device = torch.device("cuda")
    executor, reason = choose_executor("auto", network)
    assert executor is EXECUTORS["torch"]
    assert "not cuda: units are drawn at random" in reason


def test_an_order_outside_of_the_data_is_found_before_it_is_used() -> None:
    session = RecordedSession(built("Backprop", [1]), samples(), (), Repeater())
    with pytest.raises(IndexError, match=r"sample order outside of 0\.\.11"):
        session.run(torch.tensor([[0, 12]]))
