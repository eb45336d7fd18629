"""Features come from HDF5 in the lab's layout or from NPZ in ours, and a wrong file is one line."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from eiann.data import Dataset, load
from eiann.errors import UserError

SIZES = {"train": 7, "validation": 3, "test": 4}
GROUPS = {"train": "train_sub_data", "validation": "val_data", "test": "test_data"}


def samples() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    numbers = np.random.default_rng(5)
    content = {part: (numbers.random((n, 6)), numbers.integers(0, 3, n)) for part, n in SIZES.items()}
    content["test"][1][0] = 3  # a class that only the test part has
    return content


def write_npz(path: Path, *, one_hot: bool = False, **changes: np.ndarray) -> Path:
    arrays = {}
    for part, (inputs, labels) in samples().items():
        arrays[f"{part}_inputs"] = inputs
        arrays[f"{part}_targets"] = np.eye(4)[labels] if one_hot else labels
    np.savez(path, **(arrays | changes))
    return path


def write_hdf5(path: Path, *, one_hot: bool = True, leave_out: str = "") -> Path:
    with h5py.File(path, "w") as file:
        for part, (inputs, labels) in samples().items():
            group = file.create_group(GROUPS[part])
            group["idx"] = np.arange(len(labels))
            group["data"] = inputs
            group["target"] = np.eye(4, dtype=np.float32)[labels] if one_hot else labels
        if leave_out:
            del file[leave_out]
    return path


@pytest.mark.parametrize("one_hot", [False, True])
@pytest.mark.parametrize("write", [write_npz, write_hdf5])
def test_both_formats_give_the_same_samples(tmp_path: Path, write, one_hot: bool) -> None:
    data = load("features", file=write(tmp_path / "features.npz", one_hot=one_hot))
    parts: list[Dataset] = list(data)
    for part, (inputs, labels) in zip(parts, samples().values(), strict=True):
        assert torch.equal(part.inputs, torch.from_numpy(inputs.astype(np.float32)))
        assert part.labels.tolist() == labels.tolist()
        assert part.classes == 4


def test_images_are_features_too(tmp_path: Path) -> None:
    images = {f"{part}_inputs": np.zeros((n, 3, 5, 5), np.uint8) for part, n in SIZES.items()}
    data = load("features", file=str(write_npz(tmp_path / "f.npz", **images)))
    assert data.train.inputs.shape == (7, 3, 5, 5)
    assert data.train.inputs.dtype == torch.float32


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_inputs": np.array(["a"] * 7)}, "inputs: found values of type <U1"),
        ({"train_inputs": np.array([object()] * 7)}, "broken NPZ file .*allow_pickle"),
        ({"train_inputs": np.zeros((6, 6))}, r"inputs \(6, 6\) and targets \(7, 4\)"),
        ({"train_targets": np.full(7, 0.5)}, r"class numbers such as 0\.5"),
        ({"train_targets": np.full(7, -1)}, "class numbers such as -1"),
        ({"train_inputs": np.full((7, 6), np.nan)}, "NaN or infinite"),
        ({"test_inputs": np.zeros((4, 5))}, r"found samples \(5,\)"),
    ],
)
def test_wrong_content_is_one_line(tmp_path: Path, changes: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        load("features", file=write_npz(tmp_path / "f.npz", **changes))
    assert "\n" not in str(error.value)
    assert "f.npz" in str(error.value)


@pytest.mark.parametrize("left_out", ["val_data", "val_data/target"])
def test_a_missing_group_is_named(tmp_path: Path, left_out: str) -> None:
    with pytest.raises(
        UserError, match=r"found no array val_data/.*needed are train_sub_data/data, train_sub_data/tar"
    ):
        load("features", file=write_hdf5(tmp_path / "f.h5", leave_out=left_out))


def test_a_missing_array_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "f.npz", train_inputs=np.zeros((2, 2)))
    with pytest.raises(UserError, match="found no array train_targets; needed are train_inputs, train_targets, val"):
        load("features", file=tmp_path / "f.npz")


@pytest.mark.parametrize("write", [write_npz, write_hdf5])
def test_a_file_cut_short_is_named(tmp_path: Path, write) -> None:
    path = write(tmp_path / "f.npz")
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(UserError, match=r"found a broken (NPZ|HDF5) file") as error:
        load("features", file=path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_any_other_file_and_none_at_all(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("1,2,3\n")
    with pytest.raises(UserError, match="found first bytes 312c322c330a; an HDF5 or NPZ file is needed"):
        load("features", file=tmp_path / "f.csv")
    with pytest.raises(UserError, match=r"No such file or directory for .*absent"):
        load("features", file=tmp_path / "absent.npz")
    with pytest.raises(UserError, match="Is a directory for "):
        load("features", file=tmp_path)
