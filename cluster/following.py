"""The lines of a log that another process writes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

POLL_SECONDS = 0.1


def log_lines(log: Path, ended: Callable[[], bool], *, follow: bool = False, tail: int | None = None) -> Iterator[str]:
    """The lines of a log, without line ends; one that does not exist yet has none.

    Args:
        log: the file.
        ended: whether the job that writes it has ended. Asked often.
        follow: go on until it has.
        tail: only the last so many of the lines written by now.
    """
    while follow and not log.exists() and not ended():
        time.sleep(POLL_SECONDS)
    if not log.exists():
        return
    with log.open(encoding="utf-8", errors="replace") as file:
        if tail is not None:
            yield from (line.rstrip("\n") for line in deque(file, maxlen=tail))
        rest = ""
        while True:
            # Asked before reading: what it wrote until it ended is read in this round.
            last_round = not follow or ended()
            *lines, rest = (rest + file.read()).split("\n")
            yield from lines
            if last_round:
                break
            time.sleep(POLL_SECONDS)
        if rest:
            yield rest
