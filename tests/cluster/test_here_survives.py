"""A job on this machine outlives its terminal; and a pid is never mistaken for the process that had it before."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import ClusterError, HereRunner, JobSpec, JobState
from cluster.process import ProcessId, start_by_ps
from tests.cluster.waiting import until, until_ended, until_log_has

SUBMIT_FROM_A_TERMINAL = """
import fcntl, signal, sys, termios
from pathlib import Path
from cluster import HereProfile, HereRunner, JobSpec
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whoever runs the tests may have said nohup
fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # this session's terminal is the one on its standard input
runner = HereRunner(HereProfile(), Path(sys.argv[1]))
gate = sys.argv[2]
script = f"while [ ! -e '{gate}' ]; do sleep 0.05; done; echo survived"
runner.submit(JobSpec(name="detached", command=("sh", "-c", script)))
print("submitted", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "60"], start_new_session=True)
    yield process
    process.kill()
    process.wait()


def sleeper(runner: HereRunner, script: str = "sleep 60") -> dict[str, dict[str, object]]:
    """Submit a job that sleeps; the content of its process record."""
    runner.submit(JobSpec(name="sleeper", command=("sh", "-c", script)))
    return json.loads((runner.folder / "sleeper" / "process.json").read_text())


def test_a_job_survives_the_closing_of_its_terminal(runner: HereRunner, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    screen, keyboard = os.openpty()
    submitter = subprocess.Popen(
        [sys.executable, "-c", SUBMIT_FROM_A_TERMINAL, str(runner.folder), str(gate)],
        stdin=keyboard,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert submitter.stdout is not None
    with submitter.stdout as output:
        assert output.readline() == b"submitted\n"
    os.close(keyboard)
    os.close(screen)  # the terminal hangs up: SIGHUP to everything in its session
    assert submitter.wait(60) == -signal.SIGHUP
    assert runner.status("detached").state is JobState.RUNNING
    gate.touch()
    assert until_ended(runner, "detached").state is JobState.DONE
    assert list(runner.logs("detached")) == ["survived"]


def test_a_recycled_pid_is_neither_taken_for_the_job_nor_signalled(
    runner: HereRunner, bystander: subprocess.Popen[bytes]
) -> None:
    record = sleeper(runner)
    assert runner.cancel("sleeper").state is JobState.CANCELLED
    # As after a crash and many processes later: no exit code, and another process has the pids.
    (runner.folder / "sleeper" / "exit.json").unlink()
    for role in ("supervisor", "command"):
        record[role]["pid"] = bystander.pid
    (runner.folder / "sleeper" / "process.json").write_text(json.dumps(record))
    assert runner.status("sleeper").state is JobState.LOST
    assert runner.cancel("sleeper").state is JobState.LOST
    stale = ProcessId(bystander.pid, str(record["command"]["started"]))
    assert not stale.send(signal.SIGKILL)
    assert not stale.send_group(signal.SIGKILL)
    assert bystander.poll() is None


def test_a_job_whose_supervisor_was_killed_is_still_seen_and_stopped(runner: HereRunner) -> None:
    record = sleeper(runner, "trap '' TERM; echo ready; while :; do sleep 0.05; done")
    until_log_has(runner, "sleeper", "ready")
    supervisor, command = (ProcessId(**record[role]) for role in ("supervisor", "command"))  # type: ignore[arg-type]
    assert supervisor.send(signal.SIGKILL)
    until(lambda: not supervisor.alive(), "the supervisor to go")
    assert runner.status("sleeper").state is JobState.RUNNING
    status = runner.cancel("sleeper")
    assert not command.alive()
    assert status.state is JobState.LOST
    assert "left no exit code" in status.detail


def test_a_process_is_itself_and_no_other(bystander: subprocess.Popen[bytes]) -> None:
    process = ProcessId.of(bystander.pid)
    assert process is not None
    assert process.alive()
    assert process == ProcessId.of(bystander.pid)
    assert process.started == ProcessId.of(bystander.pid).started
    assert not ProcessId(os.getpid(), process.started + "0").alive()


def test_an_ended_process_is_not_alive_even_before_its_parent_noticed() -> None:
    child = subprocess.Popen(["true"])
    process = ProcessId.of(child.pid)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert process is None or not process.alive()
    assert ProcessId.of(child.pid) is None
    assert start_by_ps(child.pid) is None
    child.wait()
    assert ProcessId.of(child.pid) is None
    assert start_by_ps(child.pid) is None


def test_ps_tells_the_start_where_there_is_no_proc(bystander: subprocess.Popen[bytes]) -> None:
    assert start_by_ps(bystander.pid)
    assert start_by_ps(bystander.pid) == start_by_ps(bystander.pid)


def test_a_damaged_record_is_named(runner: HereRunner) -> None:
    sleeper(runner, "true")
    until_ended(runner, "sleeper")
    (runner.folder / "sleeper" / "exit.json").write_text("{")
    with pytest.raises(ClusterError, match=r"sleeper/exit.json: not a record of a job: "):
        runner.status("sleeper")
    (runner.folder / "sleeper" / "exit.json").unlink()
