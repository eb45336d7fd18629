"""After every kind of fault each trial is there exactly once, unchanged, and the study is what it would have been.

A small share of what ``make faults N=...`` does at random: here each kind once, and death at every durable write of a
small study one after the other.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random

import psutil
import pytest

from tests.faults import on_ray
from tests.faults.inline import FAULTS, PACK, STORAGES, Scene, happen
from tests.optimize.postgres import PostgresServer

CASES = [(kind, storage) for kind, (_, storages, _) in FAULTS.items() for storage in storages]
SHORT = {
    ("driver killed", "postgresql"),
    ("killed at two writes", "journal"),
    ("killed while creating", "sqlite"),
    ("torn results", "sqlite"),
    ("torn journal", "journal"),
    ("torn specification", "sqlite"),
    ("frozen and replaced", "journal"),
    ("second driver", "sqlite"),
    ("disk full", "sqlite"),
    ("database restarts", "postgresql"),
}


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """Not the one of other tests: here it goes down."""
    made = PostgresServer()
    yield made
    made.remove()


@pytest.mark.parametrize(
    ("kind", "storage"),
    [
        pytest.param(*case, marks=() if case in SHORT else pytest.mark.long, id=f"{case[0]}, {case[1]}")
        for case in CASES
    ],
)
def test_nothing_is_lost(kind: str, storage: str, request: pytest.FixtureRequest) -> None:
    if kind == "disk full" and os.getuid() != 0:
        pytest.skip("needs root, to mount a small disk")
    server = request.getfixturevalue("server") if storage == "postgresql" else None
    record = happen(kind, storage, 7, server)
    assert record["clean"], record["problems"]


@pytest.mark.parametrize("storage", [pytest.param(name, marks=pytest.mark.long) for name in STORAGES] + ["short"])
def test_death_at_every_durable_write(storage: str, request: pytest.FixtureRequest) -> None:
    """In the short form at every third of the first writes, in SQLite and in a journal in turn."""
    step, trials = (4, 2 * PACK) if storage == "short" else (1, 3 * PACK)
    point, died = 1, True
    while died:
        kind = ("sqlite", "journal")[point // step % 2] if storage == "short" else storage
        with tempfile.TemporaryDirectory(prefix="eiann-fault-") as folder:
            server = request.getfixturevalue("server") if kind == "postgresql" else None
            scene = Scene(Path(folder), Random(3), kind, server, trials=trials)
            scene.create()
            code = scene.wait(scene.start(str(point), pause=0.0))
            died = code == -signal.SIGKILL
            assert died or code == 0, scene.said()
            verdict = scene.finish()
            assert verdict.is_clean, (kind, point, verdict.problems)
            assert verdict.same_order
        point += step
    assert point > 2 * PACK, "there are more durable writes than that"


@pytest.mark.parametrize(
    "kind",
    [pytest.param(kind, marks=() if kind == "worker killed" else pytest.mark.long) for kind in on_ray.FAULTS],
)
def test_nothing_is_lost_on_ray(kind: str) -> None:
    record = on_ray.happen(kind, 7)
    assert record["clean"], record["problems"]


@pytest.mark.long
def test_the_driver_is_killed_and_a_warned_one_leaves_the_rest(tmp_path: Path) -> None:
    """Two faults in one study, since a driver on Ray takes seconds to start: SIGKILL, then SIGUSR1, then the end."""
    scene = on_ray.Scene(tmp_path, Random(1))
    on_ray.killed(scene)
    scene.snapshots.append(on_ray.Snapshot.of(on_ray.Study.open(scene.path)))
    process = scene.start("--grace-seconds", str(on_ray.GRACE_S))
    recorded = scene.ended()
    scene.until(lambda: scene.ended() > recorded, process)
    process.send_signal(signal.SIGUSR1)
    scene.expect(process, 85, 0)
    if process.returncode == 85:
        assert scene.running() == 0, "what was running was finished"
        assert "walltime" in scene.said()
    verdict = scene.finish()
    assert verdict.is_clean, verdict.problems


def test_a_tally_that_is_ended_leaves_nothing_running() -> None:
    with tempfile.TemporaryDirectory(prefix="e-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL runs as another user.
        environment = {**os.environ, "TMPDIR": folder}
        command = [sys.executable, "-m", "tests.faults", "-n", "1000", "--ray", "0", "--kinds", "killed at a write"]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline().startswith(b"{"), "one fault has happened"
            running = [other for other in psutil.process_iter(["cmdline"]) if _is_about(other, folder)]
            process.terminate()
            assert process.wait(120) == 128 + signal.SIGTERM
        _, alive = psutil.wait_procs(running, timeout=30)
        assert not alive
        if Path("/usr/lib/postgresql").is_dir():
            assert running, "there was a server"
        assert not list(Path(folder).glob("eiann-*"))


def _is_about(process: psutil.Process, folder: str) -> bool:
    return any(folder in part for part in process.info["cmdline"] or ())
