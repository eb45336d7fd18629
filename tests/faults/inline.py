"""Faults of drivers without Ray: killed anywhere, frozen, out of disk, without their database, on torn files."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from multiprocessing.process import BaseProcess
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

from optimize.study import Resources, Study
from optimize.study.lease import KEY
from tests.faults import child
from tests.faults.tools import is_locked, small_disk, stopped
from tests.faults.verdict import Snapshot, Verdict, judge
from tests.optimize.conftest import STUB, toy_document
from tests.optimize.postgres import PostgresServer

TRIALS, PACK = 24, 4
PAUSE_S = 0.02
STORAGES = ("sqlite", "journal", "postgresql")
LIMIT_S = 240.0


class FaultError(AssertionError):
    """A driver did not do what it should have done in the face of a fault."""


@dataclass
class Scene:
    """A study, where it is, and what happens to it.

    Attributes:
        folder: of the scene; removed by its owner.
        rng: all of the scene's randomness.
        storage: kind of storage.
        server: PostgreSQL, if the storage is one.
    """

    folder: Path
    rng: Random
    storage: str = "sqlite"
    server: PostgresServer | None = None
    trials: int = TRIALS
    snapshots: list[Snapshot] = field(default_factory=list)
    resumes: int = 0

    @property
    def studies(self) -> Path:
        """Where studies are."""
        return self.folder / "studies"

    @property
    def log(self) -> Path:
        """What drivers write."""
        return self.folder / "driver.txt"

    @cached_property
    def settings(self) -> dict[str, Any]:
        """How the study is made: a sampler that looks at what came before, so that a lost trial would show."""
        url = None
        if self.storage == "journal":
            url = f"journal:{self.folder}/study.log"
        elif self.server is not None:
            url = self.server.create(f"d{uuid4().hex}")
        document = toy_document(sampler={"name": "nsga2", "population_size": 8})
        made = {"name": "toy", "trials": self.trials, "trainer": STUB, "storage": url, "seed": self.rng.randrange(5)}
        return {"document": document, "made": made | {"resources": Resources(pack=PACK)}}

    def create(self, crash_at: str | None = None) -> int | None:
        """Create the study in a process; its exit code."""
        process = child.start(
            child.create,
            self.log,
            str(self.studies),
            self.settings["document"],
            self.settings["made"],
            crash_at=crash_at,
        )
        return self.wait(process)

    @property
    def study(self) -> Study:
        """The study, opened anew."""
        return Study.open(self.studies / "toy")

    def start(self, crash_at: str | None = None, pause: float = PAUSE_S) -> BaseProcess:
        """Start a driver."""
        return child.start(child.drive, self.log, str(self.studies / "toy"), pause, crash_at=crash_at)

    def wait(self, process: BaseProcess) -> int | None:
        """Wait for a process; its exit code."""
        process.join(LIMIT_S)
        if process.exitcode is None:
            process.kill()
            raise FaultError(f"a driver did not end: {self.said()}")
        return process.exitcode

    def said(self) -> str:
        """What drivers wrote so far."""
        return self.log.read_text() if self.log.exists() else ""

    def expect(self, process: BaseProcess, *codes: int) -> None:
        """Wait for a process that must end with one of these codes."""
        code = self.wait(process)
        if code not in codes:
            raise FaultError(f"a driver ended with {code}, one of {codes} would be right: {self.said()}")

    def look(self) -> None:
        """Remember what the study has."""
        self.snapshots.append(Snapshot.of(self.study))

    def ended(self) -> int:
        """How many trials have ended."""
        study = self.study
        states = [trial.state.is_finished() for trial in study.storage.trials()]
        study.close()
        return sum(states)

    def finish(self) -> Verdict:
        """Resume to the end, and judge."""
        self.look()
        self.resumes += 1
        self.expect(self.start(), 0)
        return judge(self.study, self.snapshots)


Fault = Callable[[Scene], str]
"""Lets something happen to a scene whose study is not made yet; returns what, in a few words."""


def killed(scene: Scene) -> str:
    """SIGKILL of the driver at a random moment, up to three times."""
    scene.create()
    moments = []
    for _ in range(scene.rng.choice((1, 1, 2, 3))):
        process = scene.start()
        moment = scene.rng.uniform(0.0, 0.8)
        process.join(moment)
        process.kill()
        scene.expect(process, -signal.SIGKILL, 0)
        moments.append(f"{moment:.2f} s")
        scene.look()
        scene.resumes += 1
    return "after " + ", ".join(moments)


def crashed(scene: Scene) -> str:
    """Death at one of the durable writes."""
    scene.create()
    point = scene.rng.randint(1, 70)
    scene.expect(scene.start(str(point)), -signal.SIGKILL, 0)
    return f"write {point}"


def crashed_twice(scene: Scene) -> str:
    """Death at a durable write, and of the driver that resumes at one of its first."""
    scene.create()
    first, second = scene.rng.randint(1, 60), scene.rng.randint(1, 12)
    scene.expect(scene.start(str(first)), -signal.SIGKILL, 0)
    scene.look()
    scene.resumes += 1
    scene.expect(scene.start(str(second)), -signal.SIGKILL, 0)
    return f"writes {first} and {second}"


def crashed_creating(scene: Scene) -> str:
    """Death while the study is made: it is there whole, or not and can be made again."""
    point = scene.rng.randint(1, 12)
    scene.create(str(point))
    if not (scene.studies / "toy").exists() and scene.create() != 0:
        raise FaultError(f"the study could not be made again: {scene.said()}")
    return f"write {point}"


def torn_results(scene: Scene) -> str:
    """The driver is killed, and results on disk are torn."""
    scene.create()
    scene.expect(scene.start(f"database.commit:{scene.rng.randint(4, 12)}"), -signal.SIGKILL, 0)
    study = scene.study
    running = [trial.number for trial in study.storage.trials() if not trial.state.is_finished()]
    torn = 0
    for number in running:
        for path in study.spool.attempts(number):
            if scene.rng.random() < 0.6:
                whole = path.read_bytes()
                path.write_bytes(whole[: scene.rng.randrange(len(whole))])
                torn += 1
    (study.folder.results / ".000001.1.json.abcd.tmp").write_text("{")
    study.close()
    return f"{torn} files"


def torn_journal(scene: Scene) -> str:
    """The machine goes down in an append to the journal: part of it is in the file."""
    scene.create()
    scene.expect(scene.start(f"journal.write:{scene.rng.randint(2, 14)}"), -signal.SIGKILL, 0)
    path = scene.folder / "study.log"
    lines = path.read_bytes().splitlines(keepends=True)
    line = scene.rng.choice(lines)
    tail = line[: scene.rng.randrange(1, len(line))]
    with path.open("ab") as file:
        file.write(tail)
    return f"{len(tail)} bytes"


def torn_spec(scene: Scene) -> str:
    """A specification of which half is gone is refused on one line; restored, the study goes on."""
    scene.create()
    scene.expect(scene.start(str(scene.rng.randint(5, 40))), -signal.SIGKILL, 0)
    spec = scene.studies / "toy" / "spec.yaml"
    whole = spec.read_bytes()
    keep = scene.rng.randrange(len(whole) * 3 // 4)
    spec.write_bytes(whole[:keep])
    before = scene.said()
    scene.expect(scene.start(), child.WRONG)
    said = scene.said()[len(before) :]
    if said.count("\n") != 1 or "spec.yaml" not in said:
        raise FaultError(f"not one clear line: {said}")
    spec.write_bytes(whole)
    return f"{keep} of {len(whole)} bytes"


def frozen(scene: Scene) -> str:
    """The driver is stopped, another takes over and works, the first wakes up: it must not write any more."""
    scene.create()
    process = scene.start(pause=0.05)
    while scene.ended() < PACK and process.is_alive():
        time.sleep(0.01)
    pid = process.pid
    if not process.is_alive() or pid is None:
        return "it had ended"
    os.kill(pid, signal.SIGSTOP)
    study = scene.study
    if (found := study.storage.attributes().get(KEY)) is None:
        os.kill(pid, signal.SIGCONT)
        scene.expect(process, 0)
        study.close()
        return "it had ended"
    # As a driver on another machine does after a minute of silence.
    other = {**found, "token": uuid4().hex, "host": "elsewhere", "renewed": time.time()}
    # A driver that was stopped inside a transaction holds the database: then the other has to wait for it.
    wakes_first = scene.storage == "sqlite" and is_locked(study)
    if wakes_first:
        os.kill(pid, signal.SIGCONT)
    while not study.storage.swap(KEY, study.storage.attributes().get(KEY), other):
        if not process.is_alive():
            study.close()
            return "it ended first"
    study.close()
    scene.look()
    os.kill(pid, signal.SIGCONT)
    scene.expect(process, child.WRONG)
    if "another driver took over" not in scene.said():
        raise FaultError(f"it does not say why it ended: {scene.said()}")
    if Snapshot.of(scene.study).recorded != scene.snapshots[-1].recorded:
        raise FaultError("the driver that was replaced wrote something")
    study = scene.study
    study.storage.swap(KEY, other, None)
    study.close()
    return "replaced"


def two_drivers(scene: Scene) -> str:
    """A second driver is refused on one line, and the first notices nothing."""
    scene.create()
    first = scene.start(pause=0.1)
    while scene.ended() < PACK and first.is_alive():
        time.sleep(0.01)
    if not first.is_alive() or first.pid is None:
        return "the first had ended"
    before = scene.said()
    with stopped(first.pid):  # so that it cannot end meanwhile
        study = scene.study
        runs = study.storage.attributes().get(KEY) is not None
        study.close()
        if runs:
            second = scene.start()
            scene.expect(second, child.WRONG)
    if not runs:
        scene.expect(first, 0)
        return "the first had ended"
    said = scene.said()[len(before) :]
    if said.count("\n") != 1 or "is being run by" not in said:
        raise FaultError(f"not one clear line: {said}")
    if scene.rng.random() < 0.5:
        first.kill()
    scene.expect(first, 0, -signal.SIGKILL)
    return "refused"


def disk_full(scene: Scene) -> str:
    """The disk of the study is full in mid-run; there is room again, and the study goes on."""
    scene.create()
    folder = scene.studies / "toy"
    aside = scene.folder / "aside"
    shutil.copytree(folder, aside)
    used = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    size = used // 1024 + scene.rng.randint(60, 220)
    with small_disk(folder, size) as grow:
        shutil.copytree(aside, folder, dirs_exist_ok=True)
        code = scene.wait(scene.start())
        if code not in (0, child.WRONG, child.WRONG + 1):
            raise FaultError(f"a driver ended with {code}: {scene.said()}")
        grow()
        scene.look()
        scene.expect(scene.start(), 0)
        shutil.rmtree(aside)
        shutil.copytree(folder, aside)
    shutil.copytree(aside, folder, dirs_exist_ok=True)
    return f"{size} kB, exit code {code}"


def database_restarts(scene: Scene) -> str:
    """The database goes down in mid-run and comes back: the driver waits for it and goes on."""
    assert scene.server is not None
    scene.create()
    process = scene.start(pause=0.1)
    # A database that is down when a driver starts is an error at once, so it is brought down when that has begun.
    while scene.ended() < 1 and process.is_alive():
        time.sleep(0.01)
    time.sleep(scene.rng.uniform(0.0, 0.6))
    mode = scene.rng.choice(("immediate", "fast"))
    scene.server.stop(mode=mode)
    time.sleep(scene.rng.uniform(0.0, 1.0))
    scene.server.start()
    scene.expect(process, 0)
    return mode


FAULTS: dict[str, tuple[Fault, tuple[str, ...], int]] = {
    "driver killed": (killed, STORAGES, 6),
    "killed at a write": (crashed, STORAGES, 8),
    "killed at two writes": (crashed_twice, STORAGES, 4),
    "killed while creating": (crashed_creating, STORAGES, 2),
    "torn results": (torn_results, ("sqlite", "postgresql"), 2),
    "torn journal": (torn_journal, ("journal",), 3),
    "torn specification": (torn_spec, STORAGES, 1),
    "frozen and replaced": (frozen, STORAGES, 3),
    "second driver": (two_drivers, STORAGES, 1),
    "disk full": (disk_full, ("sqlite",), 2),
    "database restarts": (database_restarts, ("postgresql",), 2),
}
"""For each kind: what happens, to which storages, and how often beside the others."""


def happen(kind: str, storage: str, seed: int, server: PostgresServer | None = None) -> dict[str, Any]:
    """Let a fault happen to a study of its own, bring the study to its end, and say what became of it."""
    fault = FAULTS[kind][0]
    folder = Path(tempfile.mkdtemp(prefix="eiann-fault-"))
    clock = time.monotonic()
    record: dict[str, Any] = {"kind": kind, "driver": "inline", "storage": storage, "seed": seed}
    try:
        scene = Scene(folder, Random(seed), storage, server if storage == "postgresql" else None)
        note = fault(scene)
        verdict = scene.finish()
    except FaultError as error:
        return record | {"clean": False, "problems": [str(error)]}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return record | {
        "what": note,
        "resumes": scene.resumes,
        "trials": scene.trials,
        "lost": verdict.lost,
        "duplicated": verdict.duplicated,
        "changed": verdict.changed,
        "same_order": verdict.same_order,
        "clean": verdict.is_clean,
        "problems": verdict.problems[:5],
        "seconds": round(time.monotonic() - clock, 2),
    }
