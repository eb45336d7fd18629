"""Memory for arenas: zeros in pages of 2 MiB where the system gives such.

A product reads a piece of the row of every active unit, and rows are a fraction of an ordinary page apart: with
ordinary pages nearly every piece needs an address to be translated, and the processor fetches nothing ahead across a
page's end.
"""

from __future__ import annotations

import contextlib
import mmap
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

HUGE_PAGE_BYTES = 2 << 20
ALIGNMENT_BYTES = 64


def zeros(counts: Sequence[int], kind: np.dtype[np.floating[Any]]) -> list[NDArray[np.floating]]:
    """Arrays of zeros behind each other in one block, each beginning at a cache line.

    Args:
        counts: numbers of entries.
        kind: type of an entry.
    """
    starts, total = [], 0
    for count in counts:
        starts.append(total)
        total += -(-count * kind.itemsize // ALIGNMENT_BYTES) * ALIGNMENT_BYTES
    memory = mmap.mmap(-1, total + HUGE_PAGE_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):  # a kernel without huge pages
            memory.madvise(mmap.MADV_HUGEPAGE)
    block = np.frombuffer(memory, dtype=np.uint8)
    shift = -block.ctypes.data % HUGE_PAGE_BYTES
    return [
        block[shift + start : shift + start + count * kind.itemsize].view(kind)
        for start, count in zip(starts, counts, strict=True)
    ]
