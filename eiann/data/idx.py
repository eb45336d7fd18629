"""The IDX format: a header of big-endian numbers, then an array of bytes. MNIST and its relatives come in it."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from eiann.data.files import read_bytes
from eiann.errors import UserError

_GZIP_MAGIC = b"\x1f\x8b"
_UNSIGNED_BYTE = 0x08


def read_idx(path: Path, ndim: int) -> npt.NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes, compressed with gzip or not (its first bytes tell).

    Args:
        path: the file.
        ndim: number of axes that the array must have: 1 for labels, 3 for images (count, height, width).

    Raises:
        UserError: if the file is not of this format, cut short, or has other axes.
    """
    content = read_bytes(path)
    if content.startswith(_GZIP_MAGIC):
        try:
            content = gzip.decompress(content)
        except (EOFError, OSError, zlib.error) as error:
            raise UserError(f"{path}: found a broken gzip file ({error}); get it again") from None
    head = 4 + 4 * ndim
    if len(content) < head or content[:2] != b"\0\0" or content[2] != _UNSIGNED_BYTE or content[3] != ndim:
        raise UserError(
            f"{path}: found first bytes {content[:4].hex() or 'none'}; "
            f"an IDX file of unsigned bytes with {ndim} axes starts with {bytes((0, 0, _UNSIGNED_BYTE, ndim)).hex()}"
        )
    shape = tuple(int(size) for size in np.frombuffer(content, ">u4", ndim, offset=4))
    if len(content) - head != math.prod(shape):
        raise UserError(f"{path}: found {len(content) - head} bytes of data; its header says {math.prod(shape)}")
    return np.frombuffer(content, np.uint8, offset=head).reshape(shape)
