"""A shipped search space, applied to recorded parameters, gives the recorded network configuration.

Cases are in the folder that ``EIANN_SPACE_CASES`` names, by default beside the project: one file for each model,
``{dataset, name, network, cases: [{label, params, config}]}``. A case for which no space is shipped fails.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import search_spaces
from eiann.config import NetworkConfig
from optimize.space import SearchSpace

FOLDER = Path(
    os.environ.get(
        "EIANN_SPACE_CASES", Path(__file__).parents[1].parent / "shared" / "reference" / "search_space_cases"
    )
)
FILES = sorted(FOLDER.glob("*.json"))
CASES = [(file, number) for file in FILES for number in range(len(json.loads(file.read_text())["cases"]))]


@cache
def recorded(file: Path) -> Any:
    return json.loads(file.read_text())


@cache
def shipped(alias: str) -> SearchSpace:
    entry = search_spaces.entry(alias)
    assert entry is not None, f"no search space is shipped for {alias}"
    return SearchSpace.load(entry.path)


def test_the_cases_are_there() -> None:
    if not FILES:
        pytest.skip(f"needs the application cases of the reference: set EIANN_SPACE_CASES ({FOLDER} has none)")


@pytest.mark.parametrize(("file", "number"), CASES, ids=lambda item: item.stem if isinstance(item, Path) else str(item))
def test_applying_a_space_gives_the_recorded_configuration(file: Path, number: int) -> None:
    record = recorded(file)
    case = record["cases"][number]
    space = shipped(f"{record['dataset']}/{record['name']}")
    found = space.apply(case["params"]).resolved()
    expected = NetworkConfig.from_dict(case["config"]).resolved()
    differences = list(unequal(expected, found))
    assert not differences, f"{file.name}, {case['label']}: {differences[:5]}"


def unequal(expected: Any, found: Any, path: str = "") -> Iterator[str]:
    """Every place where two nested structures differ: numbers by more than 1e-12 relative, the rest at all."""
    if isinstance(expected, dict) and isinstance(found, dict):
        # The orders that matter are lists of their own in the resolved form.
        if expected.keys() != found.keys():
            yield f"{path}: keys {sorted(expected)} and {sorted(found)}"
        for key in expected.keys() & found.keys():
            yield from unequal(expected[key], found[key], f"{path}.{key}")
    elif isinstance(expected, list | tuple) and isinstance(found, list | tuple):
        if len(expected) != len(found):
            yield f"{path}: {len(expected)} and {len(found)} items"
        for position, (first, second) in enumerate(zip(expected, found, strict=False)):
            yield from unequal(first, second, f"{path}[{position}]")
    elif isinstance(expected, float) and isinstance(found, int | float) and not isinstance(found, bool):
        if not math.isclose(expected, found, rel_tol=1e-12, abs_tol=0.0):
            yield f"{path}: {expected!r} and {found!r}"
    elif expected != found or isinstance(expected, bool) is not isinstance(found, bool):
        yield f"{path}: {expected!r} and {found!r}"


@pytest.mark.parametrize(
    ("expected", "found", "count"),
    [
        ({"a": 1.0}, {"a": 1.0 + 1e-15}, 0),
        ({"a": 1.0}, {"a": 1.0 + 1e-9}, 1),
        ({"a": 5}, {"a": 6}, 1),
        ({"a": 0.0}, {"a": 1e-300}, 1),
        ({"a": "relu"}, {"a": "linear"}, 1),
        ({"a": None}, {"a": 0.0}, 1),
        ({"a": [1, 2]}, {"a": [1]}, 1),
        ({"a": 1}, {"a": 1, "b": 2}, 1),
        ({"order": ["a", "b"]}, {"order": ["b", "a"]}, 2),
    ],
)
def test_a_difference_is_seen(expected: Any, found: Any, count: int) -> None:
    assert len(list(unequal(expected, found))) == count
