"""A history that Nested wrote becomes a table of trials; everything else is one clear line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from eiann.errors import UserError
from optimize.moving import read_history

PARAMS = [b"rate", b"scale"]


def write(path: Path, *, encode: Callable[[list[bytes]], object] = np.array) -> Path:
    """Two generations of the layout that Nested writes: three candidates, of which one failed, then two."""
    with h5py.File(path, "w") as file:
        file.attrs["param_names"] = encode(PARAMS)
        file.attrs["feature_names"] = encode([b"accuracy"])
        file.attrs["objective_names"] = encode([b"accuracy", b"loss"])
        file.attrs["path_length"] = 1
        for generation, (good, bad) in enumerate([(2, 1), (2, 0)]):
            group = file.create_group(str(generation))
            for name in ("population", "survivors", "specialists", "prev_survivors", "prev_specialists", "failed"):
                group.create_group(name)
            for i in range(good):
                add(group["population"], i, generation * 10 + i, survivor=i == 0)
            for i in range(bad):
                group["failed"].create_group(str(i)).create_dataset("x", data=[9.0, 9.5])
            add(group["specialists"], 0, generation * 10 + 1, survivor=False)
    return path


def add(group: h5py.Group, position: int, value: float, *, survivor: bool) -> None:
    node = group.create_group(str(position))
    node.create_dataset("x", data=[value, value + 0.5], compression="gzip")
    node.create_dataset("features", data=[90.0 + value])
    node.create_dataset("objectives", data=[10.0 - value, 1.0 / (1.0 + value)])
    node.attrs.update({"rank": position, "energy": value / 2, "fitness": np.nan, "survivor": survivor, "id": np.nan})


@pytest.mark.parametrize("encode", [np.array, lambda names: [name.decode() for name in names]])
def test_every_candidate_is_a_row_in_the_order_in_which_it_was_tried(
    tmp_path: Path, encode: Callable[[list[bytes]], object]
) -> None:
    trials = read_history(write(tmp_path / "history.hdf5", encode=encode))
    assert list(trials["number"]) == [0, 1, 2, 3, 4]
    assert list(trials["generation"]) == [0, 0, 0, 1, 1]
    assert list(trials["state"]) == ["COMPLETE", "COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]
    assert list(trials["params.rate"]) == [0, 1, 9, 10, 11]
    assert list(trials["params.scale"]) == [0.5, 1.5, 9.5, 10.5, 11.5]
    assert list(trials["features.accuracy"].dropna()) == [90, 91, 100, 101]
    assert trials["objectives.accuracy"].isna().tolist() == [False, False, True, False, False]
    assert list(trials["survivor"]) == [True, False, False, True, False]
    assert list(trials["specialist"]) == [False, True, False, False, True]
    assert list(trials["energy"].dropna()) == [0, 0.5, 5, 5.5]
    assert trials.loc[trials["state"] == "FAIL", "failure"].notna().all()


def _without_names(path: Path) -> None:
    with h5py.File(write(path), "a") as file:
        del file.attrs["param_names"]


def _without_a_group(path: Path) -> None:
    with h5py.File(write(path), "a") as file:
        del file["1/failed"]


def _with_a_short_vector(path: Path) -> None:
    with h5py.File(write(path), "a") as file:
        del file["0/population/1/x"]
        file["0/population/1"].create_dataset("x", data=[1.0])


def _without_generations(path: Path) -> None:
    with h5py.File(write(path), "a") as file:
        del file["0"], file["1"]


def _truncated(path: Path) -> None:
    content = write(path).read_bytes()
    path.write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: None, "there is no such file"),
        (lambda path: path.write_text("no history"), "broken or foreign file"),
        (_truncated, "broken or foreign file"),
        (_without_names, "found no attribute 'param_names'"),
        (_without_a_group, "generation 1 has no group 'failed'"),
        (_with_a_short_vector, "generation 0, candidate 1 has 1 values of 'x' for 2 names"),
        (_without_generations, "found no generation"),
    ],
)
def test_what_is_no_history_is_refused_on_one_line(tmp_path: Path, spoil: Callable[[Path], object], said: str) -> None:
    path = tmp_path / "history.hdf5"
    spoil(path)
    with pytest.raises(UserError, match=said) as error:
        read_history(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)
