"""Which process a number means: a pid is given out again, a pid with the moment of its start is not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_GONE = "ZX"  # states of a process that has ended and waits for its parent


@dataclass(frozen=True)
class ProcessId:
    """A process of this machine, for ever: its pid and an opaque text for the moment when it started.

    Example:
        >>> own = ProcessId.of(os.getpid())
        >>> own is not None and own.alive()
        True
    """

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> ProcessId | None:
        """The process that has this pid now, or None where there is none."""
        started = _start_of(pid)
        return None if started is None else cls(pid, started)

    def alive(self) -> bool:
        """Whether exactly this process still runs; one that took over its pid does not count."""
        return _start_of(self.pid) == self.started

    def send(self, signum: signal.Signals) -> bool:
        """Signal exactly this process; False, and nothing is signalled, where it has ended.

        The handle is opened first and the start compared after, so that a pid given out again in between is never hit.
        """
        if sys.platform != "linux":  # no handles there: compare, then signal at once
            return self.alive() and _quietly(lambda: os.kill(self.pid, signum))
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return False
        try:
            return self.alive() and _quietly(lambda: signal.pidfd_send_signal(handle, signum))
        finally:
            os.close(handle)

    def send_group(self, signum: signal.Signals) -> bool:
        """Signal the process group that this process leads; False where this process has ended."""
        return self.alive() and _quietly(lambda: os.killpg(self.pid, signum))


def _quietly(call: Callable[[], None]) -> bool:
    try:
        call()
    except ProcessLookupError:
        return False
    return True


def _start_of(pid: int) -> str | None:
    """An opaque text for the start of a running process: the boot and the clock tick since then, where Linux tells."""
    if sys.platform != "linux":
        return start_by_ps(pid)
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # proc(5): the second field, the name in parentheses, may hold spaces and parentheses of its own.
    fields = stat.rpartition(")")[2].split()
    state, start_ticks = fields[0], fields[19]
    return None if state in _GONE else f"{_BOOT_ID.read_text(encoding='ascii').strip()}:{start_ticks}"


def start_by_ps(pid: int) -> str | None:
    """The same where there is no /proc: the start as ``ps`` writes it, to the second."""
    answer = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)],  # noqa: S607  ps stands elsewhere on every system
        capture_output=True,
        text=True,
        env={**os.environ, "LC_ALL": "C", "TZ": "UTC"},
        check=False,
    )
    state, _, started = answer.stdout.strip().partition(" ")
    return started.strip() if state and state[0] not in _GONE else None
