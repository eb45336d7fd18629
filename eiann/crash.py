"""Crash points: the places between two steps of a durable write, where tests let the process die.

The variable ``EIANN_CRASH_AT`` holds ``17`` for the 17th point that the process passes, or ``spool.renamed:3`` for the
third of that name. Dying means SIGKILL: no handler, no ``finally``, nothing flushed. Unset, a point costs a comparison.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from typing import Final

VARIABLE: Final = "EIANN_CRASH_AT"


class _Crash:
    """Where to die: at the ``count``-th point of a name, or of any name."""

    def __init__(self) -> None:
        self.name = ""
        self.count = 0
        self.passed: Counter[str] = Counter()


_crash = _Crash()


def arm(at: str | None) -> None:
    """Die at this point from now on, or at none.

    Example:
        >>> arm(None)
        >>> crash_point("anywhere")
    """
    _crash.passed.clear()
    name, _, count = ("", "", "0") if at is None else ("", "", at) if at.isdecimal() else at.partition(":")
    _crash.name, _crash.count = name, int(count or 1)


def crash_point(name: str) -> None:
    """A place where the process dies if it was told to."""
    if not _crash.count:
        return
    _crash.passed[name] += 1
    passed = _crash.passed[name] if _crash.name == name else 0 if _crash.name else _crash.passed.total()
    if passed >= _crash.count:  # Threads may pass several at once.
        os.kill(os.getpid(), signal.SIGKILL)


arm(os.environ.get(VARIABLE))
