"""MNIST and Fashion-MNIST are read from their real format, gzipped or not, and cut where published runs cut them."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch

from eiann.data import FOLDER_VARIABLE, load
from eiann.errors import UserError
from tests.eiann.data.idx_files import arrays, idx, write

SIZES = {"train_size": 5, "validation_size": 3}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("dotted", [False, True])
@pytest.mark.parametrize(
    ("name", "place"), [("mnist", "."), ("mnist", "MNIST/raw"), ("fashion_mnist", "fashion_mnist")]
)
def test_every_layout_in_use_gives_the_same_samples(
    tmp_path: Path, name: str, place: str, packed: bool, dotted: bool
) -> None:
    write(tmp_path / place, packed=packed, dotted=dotted)
    data = load(name, folder=tmp_path, **SIZES)
    pixels, labels = arrays(9, seed=1)
    test_pixels, test_labels = arrays(4, seed=2)
    scaled = torch.from_numpy(pixels.reshape(9, 784).astype(np.float32)) / 255
    assert torch.equal(data.train.inputs, scaled[:5])
    assert torch.equal(data.validation.inputs, scaled[-3:])
    assert data.train.labels.tolist() == labels[:5].tolist()
    assert data.validation.labels.tolist() == labels[-3:].tolist()
    assert torch.equal(data.test.inputs * 255, torch.from_numpy(test_pixels.reshape(4, 784).astype(np.float32)))
    assert data.test.labels.tolist() == test_labels.tolist()
    assert data.train.classes == 10


def test_the_published_split_is_the_default(tmp_path: Path) -> None:
    write(tmp_path, train=60_000, test=10_000)
    data = load("mnist", folder=tmp_path)
    pixels, labels = arrays(60_000, seed=1)
    assert [len(part) for part in data] == [50_000, 10_000, 10_000]
    assert data.train.labels.tolist() == labels[:50_000].tolist()
    assert data.validation.labels.tolist() == labels[50_000:].tolist()
    assert torch.equal(data.validation.inputs[-1] * 255, torch.from_numpy(pixels[-1].reshape(784).astype(np.float32)))


def test_images_keep_their_rows(tmp_path: Path) -> None:
    write(tmp_path)
    data = load("mnist", folder=tmp_path, flatten=False, **SIZES)
    assert data.train.inputs.shape == (5, 1, 28, 28)
    assert torch.equal(data.train.inputs[0, 0, 3] * 255, torch.from_numpy(arrays(9, 1)[0][0, 3].astype(np.float32)))


def test_the_environment_names_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    write(tmp_path / "mnist")
    assert len(load("mnist", **SIZES).train) == 5


def test_digits_are_never_taken_for_clothes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    write(tmp_path)
    for name in ("mnist", "fashion_mnist"):
        with pytest.raises(UserError, match="found no train-images"):
            load(name, **SIZES)


def test_missing_files_say_where_it_looked_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        load("mnist", folder=tmp_path)
    message = str(error.value)
    assert "\n" not in message
    for part in ("'mnist'", "train-images-idx3-ubyte", str(tmp_path), "MNIST/raw", FOLDER_VARIABLE, "download=true"):
        assert part in message


def test_too_few_images_for_the_split(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(UserError, match=r"found 9 images in .*train_size 50000 and validation_size 10000 need 60000"):
        load("mnist", folder=tmp_path)


BROKEN = {
    "not idx": (lambda content: b"<html>" + content, "first bytes 3c68746d"),
    "empty": (lambda content: b"", "first bytes none"),
    "other axes": (lambda content: content[:3] + b"\x02" + content[4:], "with 3 axes"),
    "cut": (lambda content: content[:-1], r"found 7055 bytes of data; its header says 7056"),
    "longer": (lambda content: content + b"x", r"found 7057 bytes of data"),
    "huge": (
        lambda content: content[:4] + b"\xff" * 12 + content[16:],
        "its header says 79228162458924105385300197375",
    ),
    "cut gzip": (lambda content: gzip.compress(content)[:-9], "broken gzip"),
    "wrong gzip": (lambda content: gzip.compress(content)[:12] + b"\xff" * 40, "broken gzip"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_is_named_with_what_is_wrong(tmp_path: Path, case: str) -> None:
    change, message = BROKEN[case]
    file = write(tmp_path) / "train-images-idx3-ubyte"
    file.write_bytes(change(file.read_bytes()))
    with pytest.raises(UserError, match=message) as error:
        load("mnist", folder=tmp_path, **SIZES)
    assert str(file) in str(error.value)
    assert "\n" not in str(error.value)


def test_labels_of_other_length_are_refused(tmp_path: Path) -> None:
    (write(tmp_path) / "train-labels-idx1-ubyte").write_bytes(idx(np.zeros(8, np.uint8)))
    with pytest.raises(UserError, match="found 9 images and 8 labels"):
        load("mnist", folder=tmp_path, **SIZES)


def test_a_label_beyond_the_classes_is_refused(tmp_path: Path) -> None:
    (write(tmp_path) / "train-labels-idx1-ubyte").write_bytes(idx(np.full(9, 10, np.uint8)))
    with pytest.raises(UserError, match="from 10 to 10; they go from 0 to 9"):
        load("mnist", folder=tmp_path, **SIZES)
