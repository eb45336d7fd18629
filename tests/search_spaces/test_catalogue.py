"""The folder of search spaces reads like a catalogue: complete, named, short, and the same networks as published."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path

import pytest
import yaml

import search_spaces
from eiann.config import NetworkConfig
from optimize.space import SearchSpace

NETWORKS = Path(
    os.environ.get(
        "EIANN_NETWORK_CONFIGS", Path(__file__).parents[2].parent / "shared" / "reference" / "network_configs"
    )
)
ENTRIES = search_spaces.catalogue()
NAMES = [entry.name for entry in ENTRIES]
# Words of the reference's file names that say nothing about the network.
SILENT = {"config", "EIANN", "spiral", "mnist", "fmnist", "cifar10", "short"}


def words(name: str) -> tuple[str, ...]:
    return tuple(word for word in name.split("_") if word not in SILENT)


def reference_networks(data: str) -> dict[tuple[str, ...], Path]:
    return {words(re.sub(r"^\d{8}_", "", file.stem)): file for file in sorted((NETWORKS / data).glob("*.yaml"))}


def test_all_published_models_are_shipped() -> None:
    assert Counter(entry.data for entry in ENTRIES) == {"spiral": 5, "mnist": 24, "fmnist": 15, "cifar10": 23}
    assert len({entry.alias for entry in ENTRIES}) == len(ENTRIES)


@pytest.mark.parametrize("entry", ENTRIES, ids=NAMES)
def test_an_entry_says_what_it_is(entry: search_spaces.CatalogueEntry) -> None:
    assert entry.title
    assert "\n" not in entry.title
    assert entry.alias is not None
    space = SearchSpace.load(entry.name)
    assert entry.rule
    assert space.document.rule == entry.rule
    assert space.searched
    assert "x0" in space.starting_points
    for point in space.starting_points.values():
        space.apply(point.params, check=True)


def test_the_reported_figures_stand_in_the_catalogue() -> None:
    reported = {entry.name: entry.reported.get("accuracy") for entry in ENTRIES}
    assert reported["spiral/dale_backprop"] == pytest.approx(95.36, abs=0.01)
    assert reported["mnist/btsp"] == pytest.approx(94.19, abs=0.01)
    assert sum(accuracy is None for accuracy in reported.values()) == 6


@pytest.mark.parametrize("name", ["spiral/dale_backprop", "spiral/2_hidden_bpDale_fixed_SomaI_learned_bias"])
def test_a_space_is_found_by_its_name_and_by_that_of_the_reference(name: str) -> None:
    entry = search_spaces.entry(name)
    assert entry is not None
    assert entry.name == "spiral/dale_backprop"


def test_an_unknown_name_is_no_entry() -> None:
    assert search_spaces.entry("spiral/nothing") is None


def test_the_catalogue_stays_short() -> None:
    lines = sum(len(file.read_text(encoding="utf-8").splitlines()) for file in search_spaces.folder().rglob("*.yaml"))
    assert lines < 4000


@pytest.mark.skipif(not NETWORKS.is_dir(), reason="needs the networks of the reference: set EIANN_NETWORK_CONFIGS")
@pytest.mark.parametrize("entry", ENTRIES, ids=NAMES)
def test_networks_equal_the_published_ones(entry: search_spaces.CatalogueEntry) -> None:
    assert entry.alias is not None
    data, _, name = entry.alias.partition("/")
    file = reference_networks(data)[words(name)]
    expected = NetworkConfig.from_yaml(file).resolved()
    assert SearchSpace.load(entry.path).network.resolved() == expected


def test_every_shipped_network_belongs_to_a_space() -> None:
    used: set[Path] = set()
    waiting = [
        (entry.path.parent / f"{yaml.safe_load(entry.path.read_text(encoding='utf-8'))['network']}.yaml").resolve()
        for entry in ENTRIES
    ]
    while waiting:
        file = waiting.pop()
        if file not in used:
            used.add(file)
            base = yaml.safe_load(file.read_text(encoding="utf-8")).get("extends")
            waiting += [(file.parent / base).resolve()] if base else []
    shipped = {file.resolve() for file in search_spaces.folder().rglob("networks/*.yaml")}
    assert shipped == used
