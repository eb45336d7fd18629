"""What holds for every network, tried on random small ones."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import eiann
from eiann.data import Dataset
from eiann.executors.choose import EXECUTORS
from eiann.io.state import network_tensors
from tests.eiann.architectures import CLASSES, INPUTS, networks, resized

STEPS = 6
DATA = Dataset(
    torch.rand(STEPS, INPUTS, generator=torch.Generator().manual_seed(1)),
    torch.eye(CLASSES)[torch.arange(STEPS) % CLASSES],
    "random",
)
SEEDS = [3, 1]
executors = pytest.mark.parametrize("executor", list(EXECUTORS))
few, many = settings(max_examples=6), settings(max_examples=500)


def train(network: eiann.Network, executor: str, seeds: list[int] = SEEDS) -> eiann.History:
    return eiann.train(network, DATA, seeds, validation=DATA, val_interval=(0, -1, 4), executor=executor)


def equal(one: torch.Tensor, other: torch.Tensor) -> bool:
    return torch.equal(one.nan_to_num(7.0), other.nan_to_num(7.0))


def check_stacked(config: eiann.NetworkConfig, executor: str) -> None:
    together = eiann.Network(config, seeds=SEEDS)
    history = train(together, executor)
    for replica, seed in enumerate(SEEDS):
        alone = eiann.Network(config, seeds=[seed])
        own = train(alone, executor, [seed])
        assert equal(own.loss[0], history.loss[replica])
        assert equal(own.val_loss[0], history.val_loss[replica])
        for name, value in together.state_dict().items():
            assert equal(alone.state_dict()[name][0], value[replica]), name


def check_padded(config: eiann.NetworkConfig, executor: str) -> None:
    configs = [config, resized(config, 2)]
    history = train(eiann.Network(configs, seeds=SEEDS, dtype=torch.float64), executor)
    for replica, (own, seed) in enumerate(zip(configs, SEEDS, strict=True)):
        alone = train(eiann.Network(own, seeds=[seed], dtype=torch.float64), executor, [seed])
        if executor == "native":
            assert equal(alone.loss[0], history.loss[replica])
        else:  # padding changes the length of sums, so rounding
            assert torch.allclose(alone.loss[0], history.loss[replica], rtol=1e-9, atol=1e-12, equal_nan=True)


def check_saved(config: eiann.NetworkConfig, executor: str) -> None:
    network = eiann.Network(config, seeds=SEEDS)
    train(network, executor)
    with tempfile.TemporaryDirectory() as folder:
        eiann.save(network, Path(folder) / "net")
        again = eiann.load(Path(folder) / "net")
    assert equal(train(network, executor).loss, train(again, executor).loss)
    mine, its = network_tensors(network), network_tensors(again)
    assert mine.keys() == its.keys()
    assert all(equal(mine[name], its[name]) for name in mine)


def check_executors(config: eiann.NetworkConfig) -> None:
    runs = {}
    for name in EXECUTORS:
        network = eiann.Network(config, seeds=SEEDS, dtype=torch.float64)
        assert EXECUTORS[name].refusal(network) is None
        history = train(network, name)
        runs[name] = history.loss, history.val_loss, network.state_dict()
    first, second = runs.values()
    for one, other in zip(first[:2], second[:2], strict=True):
        assert torch.allclose(one, other, rtol=1e-8, atol=1e-11, equal_nan=True)
    for name, value in first[2].items():
        assert torch.allclose(value, second[2][name], rtol=1e-7, atol=1e-10, equal_nan=True), name


@executors
@few
@given(config=networks())
def test_stacked_replicas_have_the_bits_that_they_have_alone(executor: str, config: eiann.NetworkConfig) -> None:
    check_stacked(config, executor)


@executors
@few
@given(config=networks())
def test_padded_replicas_have_the_numbers_that_they_have_alone(executor: str, config: eiann.NetworkConfig) -> None:
    check_padded(config, executor)


@executors
@few
@given(config=networks())
def test_saved_and_loaded_networks_go_on_as_if_unbroken(executor: str, config: eiann.NetworkConfig) -> None:
    check_saved(config, executor)


@few
@given(config=networks())
def test_the_executors_agree(config: eiann.NetworkConfig) -> None:
    check_executors(config)


@pytest.mark.long
@many
@given(config=networks(), executor=st.sampled_from(list(EXECUTORS)))
def test_all_of_it_on_very_many_networks(executor: str, config: eiann.NetworkConfig) -> None:
    check_stacked(config, executor)
    check_padded(config, executor)
    check_saved(config, executor)
    check_executors(config)
