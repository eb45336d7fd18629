"""CIFAR-10: 60,000 colour images of 32 x 32 pixels in ten classes, in the authors' binary format."""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from eiann.data.dataset import DataSets
from eiann.data.files import RemoteFile, data_folder, fetch, find, missing, read_bytes
from eiann.data.images import Images, split_images
from eiann.data.registry import register
from eiann.errors import UserError

Count = Annotated[int, Field(ge=1)]

CIFAR10_ARCHIVE = RemoteFile(
    "cifar-10-binary.tar.gz",
    ("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",),
    "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
)

_SHAPE = (3, 32, 32)
_RECORD = 1 + 3 * 32 * 32
_TRAIN = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
_TEST = ("test_batch.bin",)
_SUBFOLDERS = ("", "cifar10", "cifar-10-batches-bin", "cifar10/cifar-10-batches-bin")
_PICKLED = ("cifar-10-python.tar.gz", "cifar-10-batches-py/data_batch_1", "data_batch_1")


@register("cifar10")
def cifar10(
    *,
    folder: Path | None = None,
    download: bool = False,
    flatten: bool = True,
    train_size: Count = 40_000,
    validation_size: Count = 10_000,
    validation_inside_training: bool = False,
) -> DataSets:
    """Tiny colour photographs (Krizhevsky 2009): 40,000 / 10,000 / 10,000 images.

    Training takes the first images of the five training files, validation the last ones; test is the test file.
    Only the *binary version* is read: the Python version is a pickle, which could run anything.

    Args:
        folder: where ``cifar-10-binary.tar.gz`` or its six ``.bin`` files lie, or a folder above them.
        download: get the archive (162 MB) from the authors' site, checked by SHA-256.
        flatten: inputs ``(n, 3072)``, all red, then green, then blue; otherwise ``(n, 3, 32, 32)``. From 0 to 1.
        train_size: use only the first so many training images.
        validation_size: validate on the last so many.
        validation_inside_training: validate on the last of the *training samples*; published results of one helper
            did so, and it is kept to compare with them.

    Raises:
        UserError: if files are missing or broken.
    """
    top = data_folder(folder)
    places = [top / subfolder for subfolder in _SUBFOLDERS]
    located = {name: find((name,), places) for name in (*_TRAIN, *_TEST)}
    paths = {name: path for name, path in located.items() if path is not None}
    if len(paths) == len(located):
        contents = {name: read_bytes(path) for name, path in paths.items()}
        source = str(paths[_TRAIN[0]].parent)
    else:
        archive = find((CIFAR10_ARCHIVE.name,), places)
        if archive is None and download:
            archive = fetch(CIFAR10_ARCHIVE, top / "cifar10")
        if archive is None:
            absent = next(name for name, path in located.items() if path is None)
            pickled = find(_PICKLED, places)
            hint = f" ({pickled} is the Python version, which is not read because it is a pickle)" if pickled else ""
            raise missing("cifar10", f"{CIFAR10_ARCHIVE.name} and no {absent}", places, hint)
        contents, source = _unpack(archive), str(archive)
    return split_images(
        "cifar10",
        _decode(contents, _TRAIN, source),
        _decode(contents, _TEST, source),
        classes=10,
        train_size=train_size,
        validation_size=validation_size,
        flatten=flatten,
        validation_inside_training=validation_inside_training,
    )


def _unpack(archive: Path) -> dict[str, bytes]:
    """The six binary files of the archive, by name; nothing is written to disk, so no member can escape."""
    contents: dict[str, bytes] = {}
    try:
        with tarfile.open(archive, "r:gz") as members:
            for member in members:
                name = Path(member.name).name
                stream = members.extractfile(member) if name in (*_TRAIN, *_TEST) else None
                if stream is not None:
                    contents[name] = stream.read()
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise UserError(f"{archive}: found a broken archive ({error}); get it again") from None
    for name in (*_TRAIN, *_TEST):
        if name not in contents:
            raise UserError(f"{archive}: found no {name} in it; {CIFAR10_ARCHIVE.name} has it")
    return contents


def _decode(contents: dict[str, bytes], names: Sequence[str], source: str) -> Images:
    """Records of one byte for the class and 3072 for the pixels, red, green and blue plane after each other."""
    for name in names:
        if not contents[name] or len(contents[name]) % _RECORD:
            raise UserError(
                f"{source}: found {len(contents[name])} bytes in {name}; it holds records of {_RECORD} bytes"
            )
    records = np.frombuffer(b"".join(contents[name] for name in names), np.uint8).reshape(-1, _RECORD)
    return Images(records[:, 1:].reshape(-1, *_SHAPE), records[:, 0], source)
