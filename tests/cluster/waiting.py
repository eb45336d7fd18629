"""Waiting for what another process does, with an end."""

from __future__ import annotations

import time
from collections.abc import Callable

from cluster import HereRunner, JobStatus

SECONDS = 60


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited {SECONDS} s for: {what}"
        time.sleep(0.02)


def until_ended(runner: HereRunner, name: str) -> JobStatus:
    until(lambda: runner.status(name).state.ended, f"job {name} to end")
    return runner.status(name)


def until_log_has(runner: HereRunner, name: str, line: str) -> None:
    until(lambda: line in runner.logs(name), f"{line!r} in the log of {name}")
