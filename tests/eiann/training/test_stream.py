"""A stream of replicas: each result is the one that the replica has alone, whoever shares the slots with it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

import eiann
from eiann.data import Dataset
from eiann.errors import UserError
from eiann.executors.choose import EXECUTORS
from eiann.training import Ending, ReplicaJob, ReplicaReport, ReplicaResult, course, train_stream
from tests.eiann import tiny

SAMPLES = 23
INTERVAL = (0, -1, 8)


@pytest.fixture(autouse=True)
def _short_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(course, "BLOCK", 5)


def data() -> Dataset:
    inputs = torch.rand(SAMPLES, 4, generator=torch.Generator().manual_seed(3))
    return Dataset(inputs, torch.eye(3)[torch.arange(SAMPLES) % 3], "tiny")


def validation() -> Dataset:
    return tiny.tiny_data()


def changed(plain: dict[str, Any], **training: Any) -> eiann.NetworkConfig:
    plain["training_kwargs"] |= {"forward_steps": 4, **training}
    return eiann.NetworkConfig.from_dict(plain)


def config(rate: float = 0.1, hidden: int = 6) -> eiann.NetworkConfig:
    rule = tiny.rule("BP_like_2L", learning_rate=rate)
    plain = tiny.tiny_config(rule, rule).to_dict()
    plain["layer_config"]["H1"]["E"]["size"] = hidden
    return changed(plain)


def backprop(rate: float, bias_rule: str | None = None, **training: Any) -> eiann.NetworkConfig:
    rule = tiny.rule("Backprop", learning_rate=rate)
    return changed(tiny.tiny_config(rule, rule, bias_rule, 2).to_dict(), **training)


def drawing(seed: int) -> eiann.NetworkConfig:
    """Units are drawn at random: the stream of random numbers belongs to the replica."""
    rule = tiny.rule("BP_like_2L", stochastic=True, learning_rate=0.02 * (1 + seed))
    return changed(tiny.tiny_config(rule, rule).to_dict())


def tracing(seed: int) -> eiann.NetworkConfig:
    """Traces of past activity and plateaus."""
    rule = tiny.rule("BTSP_19", [0, 1.5], neg_rate_th=0, temporal_discount=0.1 * (1 + seed))
    return changed(tiny.tiny_config(rule, rule).to_dict())


def run(jobs: Iterable[ReplicaJob], slots: int, executor: str, **options: Any) -> dict[Any, ReplicaResult]:
    results = train_stream(
        jobs, data(), slots=slots, validation=validation(), val_interval=INTERVAL, executor=executor, **options
    )
    return {result.job.key: result for result in results}


def everything(result: ReplicaResult) -> dict[str, Tensor]:
    assert result.network is not None
    assert result.history is not None
    kept = {k: v for k, v in vars(result.history).items() if isinstance(v, Tensor)}
    return {**kept, **result.network.state_dict(), **result.network.states}


def assert_same(one: ReplicaResult, other: ReplicaResult) -> None:
    assert (one.ending, one.steps) == (other.ending, other.steps)
    first, second = everything(one), everything(other)
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value.nan_to_num(7.0), second[name].nan_to_num(7.0)), name


def stop_some(reports: Sequence[ReplicaReport]) -> Iterator[Any]:
    """By the replica's own values only, so that it stops at the same step in any company."""
    for report in reports:
        if report.job.network_seed % 3 == 0 and report.step >= 14:
            yield report.job.key


MIXED = {
    "one size": [config(rate=0.05 * (1 + seed % 4)) for seed in range(7)],
    "a diverging one": [backprop(-1e30 if seed == 4 else 0.1) for seed in range(6)],
    "many sizes": [config(hidden=(6, 9, 4)[seed % 3]) for seed in range(7)],
    "two structures": [config() if seed % 2 else backprop(0.1) for seed in range(7)],
    "optimizer state": [backprop(0.01 * (1 + s), "BackpropBias", optimizer="Adam") for s in range(5)],
    "traces": [tracing(seed) for seed in range(5)],
    "drawn units": [drawing(seed) for seed in range(5)],
}


@pytest.mark.parametrize("executor", list(EXECUTORS))
@pytest.mark.parametrize("name", list(MIXED))
def test_a_result_does_not_depend_on_neighbours_slot_or_order(name: str, executor: str) -> None:
    jobs = [ReplicaJob(seed, each, 10 + seed, 50 + seed) for seed, each in enumerate(MIXED[name])]
    if EXECUTORS[executor].refusal(eiann.Network(jobs[0].config, [1])) is not None:
        executor = "torch"
    alone = {job.key: run([job], 1, executor, decide=stop_some)[job.key] for job in jobs}
    for slots, order in ((1, jobs), (2, jobs), (3, jobs[::-1]), (20, jobs)):
        found = run(order, slots, executor, decide=stop_some)
        assert found.keys() == alone.keys()
        for key, result in found.items():
            assert_same(result, alone[key])
    endings = {result.ending for result in alone.values()}
    assert Ending.FINISHED in endings
    assert Ending.STOPPED in endings
    assert (Ending.DIVERGED in endings) == (name == "a diverging one")


@pytest.mark.parametrize("executor", list(EXECUTORS))
def test_a_finished_replica_has_the_numbers_of_a_training_call(executor: str) -> None:
    jobs = [ReplicaJob(seed, config(hidden=6 + seed % 2), seed, 9 - seed) for seed in range(4)]
    found = run(jobs, 2, executor)
    for job in jobs:
        network = eiann.Network(job.config, [job.network_seed])
        history = eiann.train(
            network, data(), [job.data_seed], validation=validation(), val_interval=INTERVAL, executor=executor
        )
        assert_same(found[job.key], ReplicaResult(job, Ending.FINISHED, SAMPLES, network, history))


def test_stopped_replicas_make_room_while_the_others_go_on() -> None:
    taken: list[int] = []
    ended: list[int] = []

    def stream() -> Iterator[ReplicaJob]:
        for seed in itertools.count():
            if len(ended) >= 6:
                return
            taken.append(seed)
            assert len(taken) - len(ended) <= 3
            yield ReplicaJob(seed, config(), seed, seed)

    def decide(reports: Sequence[ReplicaReport]) -> list[int]:
        for report in reports:
            assert len(report.val_loss) == len(report.val_accuracy) == len(report.val_steps)
            assert report.val_steps[-1] == report.step
        return [report.job.key for report in reports if report.job.key != 0 and report.step >= 6]  # type: ignore[misc]

    results = []
    for result in train_stream(
        stream(), data(), slots=3, validation=validation(), val_interval=INTERVAL, decide=decide, executor="native"
    ):
        ended.append(result.job.key)  # type: ignore[arg-type]
        results.append(result)
    first = next(result for result in results if result.job.key == 0)
    assert (first.ending, first.steps) == (Ending.FINISHED, SAMPLES)
    stopped = [result for result in results if result.ending == Ending.STOPPED]
    assert len(stopped) == len(results) - 1 >= 5
    assert {result.steps for result in stopped} == {7}
    assert ended.index(0) > 3  # four neighbours had come and gone


def test_a_replica_that_did_not_report_can_be_stopped_too() -> None:
    def decide(reports: Sequence[ReplicaReport]) -> list[str]:
        return ["second"] if any(r.job.key == "first" and r.step == 6 for r in reports) else []

    jobs = [ReplicaJob("short", backprop(-1e30), 1, 1)]
    jobs += [ReplicaJob(key, config(), seed, seed) for seed, key in enumerate(("first", "second"))]
    found = run(jobs, 2, "native", decide=decide)
    assert found["second"].ending == Ending.STOPPED
    assert found["first"].ending == Ending.FINISHED


def test_a_diverged_replica_ends_with_its_block() -> None:
    result = run([ReplicaJob(0, backprop(-1e30), 1, 2)], 1, "native")[0]
    assert result.ending == Ending.DIVERGED
    assert result.history is not None
    assert result.history.failed.tolist() == [True]
    assert result.steps == result.history.loss.shape[1] == result.history.sample_order.shape[1] < SAMPLES
    assert result.history.val_loss.shape[1] == len(result.history.val_steps) == 1


def test_a_job_that_no_network_can_be_built_from_is_refused_alone() -> None:
    unfit = config().to_dict()
    unfit["layer_config"]["Output"]["E"]["size"] = 2
    configs = [config(), eiann.NetworkConfig.from_dict(unfit), config()]
    found = run([ReplicaJob(i, each, i, i) for i, each in enumerate(configs)], 3, "native")
    assert [found[i].ending for i in range(3)] == [Ending.FINISHED, Ending.REFUSED, Ending.FINISHED]
    assert found[1].failure == "data tiny: found 3 classes; the output Output.E has 2 units"


@pytest.mark.parametrize(
    ("jobs", "slots", "message"),
    [
        ([], 0, "slots: found 0; it is at least 1"),
        ([0, 0], 1, "found two jobs with the key 0; a key is unique in its stream"),
    ],
)
def test_wrong_use_is_told_in_one_line(jobs: list[int], slots: int, message: str) -> None:
    stream = (ReplicaJob(key, config(), 1, 1) for key in jobs)
    with pytest.raises(UserError, match=message):
        list(train_stream(stream, data(), slots=slots))
