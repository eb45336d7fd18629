"""Features from a file: activities of another network, or any data of your own, as HDF5 or NPZ."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from eiann.data.dataset import Dataset, DataSets, one_hot
from eiann.data.registry import register
from eiann.errors import UserError

Array = npt.NDArray[np.generic]
_Arrays = dict[str, tuple[Array, Array]]

_PARTS = ("train", "validation", "test")
_GROUPS = {"train": "train_sub_data", "validation": "val_data", "test": "test_data"}
_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
_ZIP_MAGIC = b"PK"


@register("features")
def features(*, file: Path) -> DataSets:
    """Three parts of a data set from one file.

    Two layouts are read; the first bytes of the file tell which.

    * HDF5 with the groups ``train_sub_data``, ``val_data`` and ``test_data``, each with ``data`` and ``target`` (an
      ``idx`` beside them is not needed).
    * NPZ with the arrays ``train_inputs``, ``train_targets``, and the same for ``validation`` and ``test``, such as
      ``numpy.savez("features.npz", train_inputs=..., train_targets=..., ...)`` writes.

    Inputs are numbers ``(n, ...)`` with at least one axis beside the samples, converted to float32. Targets are class
    numbers ``(n,)`` from 0, or one-hot ``(n, classes)``; class numbers are counted over all three parts.

    Raises:
        UserError: if the file is missing or broken, a part is missing, or shapes do not fit.

    Example:
        >>> features(file=Path("activities.npz"))  # doctest: +SKIP
    """
    path = file.expanduser()
    try:
        with path.open("rb") as stream:
            magic = stream.read(len(_HDF5_MAGIC))
    except OSError as error:
        raise UserError(
            f"data set 'features': found {error.strerror or error} for {path}; give an HDF5 or NPZ file"
        ) from None
    if magic == _HDF5_MAGIC:
        arrays = _read_hdf5(path)
    elif magic.startswith(_ZIP_MAGIC):
        arrays = _read_npz(path)
    else:
        raise UserError(f"{path}: found first bytes {magic.hex() or 'none'}; an HDF5 or NPZ file is needed")
    targets = {part: _numbers(arrays[part][1], f"{path}: targets of {part}") for part in _PARTS}
    for part, array in targets.items():
        if not np.isfinite(array).all():
            raise UserError(f"{path}: {part}: found targets that are not finite")
    flat = [array for array in targets.values() if array.ndim == 1 and array.size]
    classes = max((int(array.max()) + 1 for array in flat), default=0)
    train, validation, test = (_part(path, part, arrays[part][0], targets[part], classes) for part in _PARTS)
    return DataSets(train, validation, test)


def _part(path: Path, part: str, inputs: Array, targets: Array, classes: int) -> Dataset:
    place = f"{path}: {part}"
    if targets.ndim == 1:
        if not np.array_equal(targets, targets.astype(np.int64)) or targets.min(initial=0) < 0:
            raise UserError(f"{place}: found class numbers such as {targets.min()}; they are 0, 1, 2, ...")
        encoded = one_hot(torch.from_numpy(targets.astype(np.int64)), classes)
    else:
        encoded = torch.from_numpy(targets.astype(np.float32))
    values = torch.from_numpy(_numbers(inputs, f"{place}: inputs").astype(np.float32))
    return Dataset(values, encoded, f"{path.name}/{part}")


def _numbers(array: Array, place: str) -> Array:
    if array.dtype.kind not in "biuf":
        raise UserError(f"{place}: found values of type {array.dtype}; numbers are needed")
    return array


def _pick(path: Path, get: Callable[[str], Array | None], names: Mapping[str, tuple[str, str]]) -> _Arrays:
    """Inputs and targets of each part, by the names that a layout gives them."""

    def read(name: str) -> Array:
        array = get(name)
        if array is None:
            needed = ", ".join(name for pair in names.values() for name in pair)
            raise UserError(f"{path}: found no array {name}; needed are {needed}")
        return array

    return {part: (read(inputs), read(targets)) for part, (inputs, targets) in names.items()}


def _read_hdf5(path: Path) -> _Arrays:
    import h5py

    try:
        with h5py.File(path, "r") as content:

            def get(name: str) -> Array | None:
                node = content.get(name)
                return np.asarray(node[()]) if isinstance(node, h5py.Dataset) else None

            return _pick(path, get, {part: (f"{group}/data", f"{group}/target") for part, group in _GROUPS.items()})
    except OSError as error:
        raise UserError(f"{path}: found a broken HDF5 file ({' '.join(str(error).split())})") from None


def _read_npz(path: Path) -> _Arrays:
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as content:

            def get(name: str) -> Array | None:
                return np.asarray(content[name]) if name in content else None

            return _pick(path, get, {part: (f"{part}_inputs", f"{part}_targets") for part in _PARTS})
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(f"{path}: found a broken NPZ file ({' '.join(str(error).split())})") from None
