"""Python's garbage collection, out of the way."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Python looks for no cycles in the block, for some tenths of a second at most.

    While many small objects are made that all stay, it goes through everything there is again and again, which takes as
    long as making them. Memory that is counted down to zero is freed all the same.

    Example:
        >>> with uncollected():
        ...     pairs = [(i, i) for i in range(100_000)]
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
