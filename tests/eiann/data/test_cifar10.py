"""CIFAR-10 is read from the authors' binary format, as an archive or unpacked, and never from a pickle."""

import io
import tarfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from eiann.data import load
from eiann.errors import UserError

NAMES = [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]
SIZES = {"train_size": 12, "validation_size": 3}


def records() -> dict[str, npt.NDArray[np.uint8]]:
    """Four records a file; each record is its class, then 3 x 1024 pixels."""
    numbers = np.random.default_rng(3)
    content = {name: numbers.integers(0, 256, (4, 3073), dtype=np.uint8) for name in NAMES}
    for array in content.values():
        array[:, 0] %= 10
    return content


def write(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in records().items():
        (folder / name).write_bytes(array.tobytes())
    return folder


def write_archive(folder: Path, names: list[str] = NAMES) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "cifar-10-binary.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name in [*names, "readme.html"]:
            content = records()[name].tobytes() if name in NAMES else b"<html>"
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def check(folder: Path) -> None:
    data = load("cifar10", folder=folder, **SIZES)
    content = records()
    training = np.concatenate([content[name] for name in NAMES[:5]])
    scaled = torch.from_numpy(training[:, 1:].astype(np.float32)) / 255
    assert torch.equal(data.train.inputs, scaled[:12])
    assert torch.equal(data.validation.inputs, scaled[-3:])
    assert data.train.labels.tolist() == training[:12, 0].tolist()
    assert data.validation.labels.tolist() == training[-3:, 0].tolist()
    assert data.test.labels.tolist() == content["test_batch.bin"][:, 0].tolist()
    assert data.caution is None


@pytest.mark.parametrize("place", [".", "cifar-10-batches-bin", "cifar10/cifar-10-batches-bin"])
def test_unpacked_files_are_found_and_read(tmp_path: Path, place: str) -> None:
    write(tmp_path / place)
    check(tmp_path)


@pytest.mark.parametrize("place", [".", "cifar10"])
def test_the_archive_is_read_without_unpacking(tmp_path: Path, place: str) -> None:
    path = write_archive(tmp_path / place)
    check(tmp_path)
    assert list(path.parent.iterdir()) == [path]


def test_images_are_channel_first(tmp_path: Path) -> None:
    write(tmp_path)
    data = load("cifar10", folder=tmp_path, flatten=False, **SIZES)
    assert data.train.inputs.shape == (12, 3, 32, 32)
    blue_of_row_2 = records()["data_batch_1.bin"][0, 1 + 2048 + 64 : 1 + 2048 + 96]
    assert (data.train.inputs[0, 2, 2] * 255).round().to(torch.uint8).tolist() == blue_of_row_2.tolist()


def test_validation_inside_training_is_possible_and_says_so(tmp_path: Path) -> None:
    write(tmp_path)
    data = load("cifar10", folder=tmp_path, validation_inside_training=True, **SIZES)
    assert torch.equal(data.validation.inputs, data.train.inputs[-3:])
    assert data.caution is not None
    assert "among the training samples" in data.caution


def test_the_python_version_is_named_but_not_read(tmp_path: Path) -> None:
    (tmp_path / "cifar-10-batches-py").mkdir()
    (tmp_path / "cifar-10-batches-py" / "data_batch_1").write_bytes(b"\x80\x04.")
    with pytest.raises(UserError, match="data_batch_1 is the Python version, which is not read") as error:
        load("cifar10", folder=tmp_path)
    assert "\n" not in str(error.value)


def test_one_file_too_few_is_named(tmp_path: Path) -> None:
    (write(tmp_path) / "data_batch_4.bin").unlink()
    with pytest.raises(UserError, match=r"no data_batch_4\.bin in"):
        load("cifar10", folder=tmp_path)
    write_archive(tmp_path, NAMES[:-1])
    with pytest.raises(UserError, match=r"found no test_batch\.bin in it"):
        load("cifar10", folder=tmp_path)


def test_a_file_that_does_not_hold_whole_records_is_named(tmp_path: Path) -> None:
    (write(tmp_path) / "data_batch_2.bin").write_bytes(b"\0" * 3072)
    with pytest.raises(UserError, match=r"found 3072 bytes in data_batch_2\.bin; it holds records of 3073 bytes"):
        load("cifar10", folder=tmp_path, **SIZES)


@pytest.mark.parametrize("keep", [0, 10, 4000])
def test_a_broken_archive_is_named(tmp_path: Path, keep: int) -> None:
    path = write_archive(tmp_path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UserError, match="found a broken archive") as error:
        load("cifar10", folder=tmp_path)
    assert str(path) in str(error.value)
