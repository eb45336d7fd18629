"""The process that stays with a job on this machine: starts it, waits for it, stops it, and records how it ended.

Run by the runner "here" as ``python -m cluster.supervise``. It leaves the session of its caller, so that closing a
terminal does not reach it, tells the caller whether the command started, and writes into the job's folder:

* ``process.json``: pid and start of this process and of the command, before the caller is told;
* ``exit.json``: the exit code, and why the job was stopped if it was; the last thing it does.

SIGTERM means: cancel. The command gets SIGTERM, and SIGKILL after the grace time. SIGTERM goes to the command alone: a
driver that is told to stop wants its workers to finish, not to fall first. Whatever is left of its process group at its
end is killed.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from cluster.files import write_atomic
from cluster.process import ProcessId

PROCESS = "process.json"
EXIT = "exit.json"
LOG = "log.txt"


def main(arguments: Sequence[str] | None = None) -> int:
    """Leave the caller's session and stay with the command; the caller gets 0 if it started, else 1 and the reason."""
    parser = argparse.ArgumentParser(description="Stay with one job (used by the runner 'here').")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--grace", type=float, required=True, help="seconds between SIGTERM and SIGKILL")
    parser.add_argument("--walltime", type=float, help="seconds after which the job is stopped")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args(arguments)
    command = options.command[1:] if options.command[:1] == ["--"] else options.command

    told, tell = os.pipe()
    if os.fork():  # safe here: this process was just started and has one thread
        os.close(tell)
        with os.fdopen(told, encoding="utf-8") as answer:
            problem = answer.read()
        sys.stderr.write(problem)
        return 1 if problem else 0
    os.close(told)
    os.setsid()
    _let_go_of_the_terminal(options.folder / LOG)
    with os.fdopen(tell, "w", encoding="utf-8") as caller:
        wake = _wake_on_signals()
        child = _start(command, options.folder)
        if isinstance(child, str):
            caller.write(child)
            return 1
    code, reason = _stay(child, wake, grace=options.grace, walltime=options.walltime)
    ended = datetime.now(UTC).isoformat()
    write_atomic(options.folder / EXIT, json.dumps({"code": code, "reason": reason, "ended": ended}))
    return 0


def _let_go_of_the_terminal(log: Path) -> None:
    """Nothing to read from; everything written goes to the log."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(output)


def _wake_on_signals() -> int:
    """A file descriptor that gets a byte, the signal's number, for every SIGTERM and SIGCHLD from now on."""
    wake, notify = os.pipe()
    os.set_blocking(notify, False)
    signal.set_wakeup_fd(notify)

    def handled_in_the_loop(_signum: int, _frame: FrameType | None) -> None:
        """Being installed is enough: it makes the byte come."""

    for signum in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(signum, handled_in_the_loop)
    return wake


def _start(command: Sequence[str], folder: Path) -> subprocess.Popen[bytes] | str:
    """Start the command as the leader of a process group and record both pids; or say why it does not start."""
    try:
        child = subprocess.Popen(command, process_group=0)
    except OSError as error:
        return f"{command[0]}: {error.strerror}"
    own, its = ProcessId.of(os.getpid()), ProcessId.of(child.pid)
    record = {
        "supervisor": asdict(own) if own else None,
        "command": asdict(its) if its else None,  # None: it has ended already
        "started": datetime.now(UTC).isoformat(),
    }
    try:
        write_atomic(folder / PROCESS, json.dumps(record))
    except OSError as error:  # nothing runs that is not on record
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        return f"{folder}: cannot record the job: {error.strerror}"
    return child


def _stay(child: subprocess.Popen[bytes], wake: int, *, grace: float, walltime: float | None) -> tuple[int, str | None]:
    """Wait for the child; stop it on SIGTERM or at the walltime. Exit code, and why it was stopped."""
    reason: str | None = None
    deadline = None if walltime is None else time.monotonic() + walltime
    while not _has_ended(child):
        seconds = None if deadline is None else max(0.0, deadline - time.monotonic())
        ready, _, _ = select.select([wake], [], [], seconds)
        signals = os.read(wake, 4096) if ready else b""
        expired = deadline is not None and time.monotonic() >= deadline
        if reason is None and (signal.SIGTERM in signals or expired):
            reason = "cancelled" if signal.SIGTERM in signals else "walltime"
            os.kill(child.pid, signal.SIGTERM)
            deadline = time.monotonic() + grace
        elif reason is not None and expired:
            os.killpg(child.pid, signal.SIGKILL)
            deadline = None
    # What the command left running goes with it. It is not reaped yet, so its number means its own group and no other.
    os.killpg(child.pid, signal.SIGKILL)
    return child.wait(), reason


def _has_ended(child: subprocess.Popen[bytes]) -> bool:
    """Whether the child has ended; leaves it unreaped, so that its pid cannot be given out again."""
    return os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


if __name__ == "__main__":
    sys.exit(main())
