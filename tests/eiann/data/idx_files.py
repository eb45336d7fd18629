"""Small files in the real format of MNIST, for tests."""

import gzip
import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]


def idx(array: Bytes) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def arrays(count: int, seed: int) -> tuple[Bytes, Bytes]:
    numbers = np.random.default_rng(seed)
    pixels = numbers.integers(0, 256, (count, 28, 28), dtype=np.uint8)
    return pixels, numbers.integers(0, 10, count, dtype=np.uint8)


def write(folder: Path, *, packed: bool = False, dotted: bool = False, train: int = 9, test: int = 4) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for part, count, seed in (("train", train, 1), ("t10k", test, 2)):
        for kind, array in zip(("images-idx3", "labels-idx1"), arrays(count, seed), strict=True):
            name = f"{part}-{kind}-ubyte".replace("-idx", ".idx" if dotted else "-idx")
            content = idx(array)
            (folder / (f"{name}.gz" if packed else name)).write_bytes(gzip.compress(content) if packed else content)
    return folder
