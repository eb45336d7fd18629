"""A broken network trains or is refused in one line when it is built: never a traceback, never at the first sample."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import eiann
from eiann.config.writing import write_text
from eiann.config.yaml_source import parse_yaml
from eiann.data import Dataset
from tests.eiann.config.mutations import good_files, mutated_data, mutated_text
from tests.eiann.tiny import rule, tiny_config

UNITS = 8


def small_texts() -> list[str]:
    """The shipped networks with few units, in both forms."""
    texts = []
    for path in good_files():
        raw = eiann.NetworkConfig.from_yaml(path).to_dict()
        for number, layer in enumerate(raw["layer_config"].values()):
            for population in layer.values():
                if number and population.get("size"):
                    population["size"] = min(population["size"], UNITS)
        config = eiann.NetworkConfig.from_dict(raw)
        texts += [write_text(config, "compact"), write_text(config, "nested")]
    return texts


def train_two_samples(network: eiann.Network) -> None:
    """Nothing may be wrong any more."""
    architecture = network.architecture
    count = architecture.output.units
    data = Dataset(torch.rand(2, *architecture.input.shape), torch.eye(count)[[0, count - 1]], "any")
    history = eiann.train(network, data, [1], validation=data)
    assert history.loss.shape == (1, 2)


def outcome(load: Callable[[], eiann.NetworkConfig]) -> tuple[str, str]:
    """What became of it, and the one line of the error."""
    stage = "refused when read"
    try:
        config = load()
        stage = "refused when built"
        network = eiann.Network(config, seeds=[1])
    except eiann.UserError as error:
        return stage, str(error)
    train_two_samples(network)
    return "trained", "-"


def fuzz(count: int, seed: int, folder: Path) -> Counter[str]:
    rng = random.Random(seed)
    texts = small_texts()
    data = [parse_yaml(text)[0] for text in texts]
    path = folder / "net.yaml"
    tally: Counter[str] = Counter()
    for number in range(count):
        if number % 2:
            path.write_text(mutated_text(rng.choice(texts), rng), encoding="utf-8")
            stage, line = outcome(lambda: eiann.NetworkConfig.from_yaml(path))
        else:
            mutated: Any = mutated_data(rng.choice(data), rng)
            stage, line = outcome(lambda found=mutated: eiann.NetworkConfig.from_dict(found))
        assert line.strip()
        assert "\n" not in line
        tally[stage] += 1
    return tally


def test_broken_networks(tmp_path: Path) -> None:
    tally = fuzz(120, 1, tmp_path)
    assert tally["trained"] > 10
    assert tally["refused when built"] > 0
    assert tally["refused when read"] > 50


@pytest.mark.long
def test_very_many_broken_networks(tmp_path: Path) -> None:
    tally = fuzz(10_000, 2, tmp_path)
    print(dict(tally))  # for the record, with -s
    assert tally["trained"] > 1000
    assert tally["refused when built"] > 100
    assert tally["refused when read"] > 3000


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("layer_config.H1.E.size", 2**31 - 1, "GiB"),
        ("training_kwargs.forward_steps", 2**31 - 1, "time steps"),
    ],
)
def test_a_network_that_no_machine_can_hold_is_refused(path: str, value: int, words: str) -> None:
    raw: Any = tiny_config(rule("BP_like_2E"), rule("BP_like_2E")).to_dict()
    *keys, last = path.split(".")
    place = raw
    for key in keys:
        place = place[key]
    place[last] = value
    with pytest.raises(eiann.UserError, match=words):
        eiann.Network(eiann.NetworkConfig.from_dict(raw), seeds=[1])
