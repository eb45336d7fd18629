"""Faults of real drivers: the command line on a Ray cluster that it starts, with processes of their own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import psutil
import yaml

from eiann import crash
from optimize.study import Study
from optimize.tune.stub import PAUSE_VARIABLE
from tests.faults.cluster import TwoMachines
from tests.faults.inline import FaultError
from tests.faults.verdict import Snapshot, Verdict, judge
from tests.optimize.conftest import STUB, toy_document

LIMIT_S = 400.0
PACK = 4
PAUSE_S = 0.5
GRACE_S = 30.0


@dataclass
class Scene:
    """A study driven by ``eiann optimize`` and ``eiann resume``.

    Attributes:
        folder: of the scene; removed by its owner.
        rng: all of the scene's randomness.
        cluster: that drivers join; left out, each starts its own.
        trials: the budget.
        trainer: of the study.
        options: for each driver.
    """

    folder: Path
    rng: Random
    cluster: TwoMachines | None = None
    trials: int = 24
    trainer: str = STUB
    options: Sequence[str] = ()
    snapshots: list[Snapshot] = field(default_factory=list)
    resumes: int = 0
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        document = toy_document(sampler={"name": "nsga2", "population_size": 8})
        (self.folder / "toy.yaml").write_text(yaml.safe_dump(document, sort_keys=False))

    @property
    def path(self) -> Path:
        """The study's folder."""
        return self.folder / "studies" / "toy"

    @property
    def log(self) -> Path:
        """What drivers write."""
        return self.folder / "driver.txt"

    def start(self, *options: str, pause: float = PAUSE_S, **environment: str) -> subprocess.Popen[bytes]:
        """Start a driver: the first creates the study, each further one resumes it."""
        if self.path.is_dir():
            command = ["resume", str(self.path)]
        else:
            command = ["optimize", str(self.folder / "toy.yaml"), "--studies", str(self.path.parent), "--name", "toy"]
            command += ["--trials", str(self.trials), "--pack", str(PACK), "--trainer", self.trainer, "--seed", "3"]
        joined = {}
        if self.cluster:
            command += ["--address", self.cluster.address]
            joined = self.cluster.environment
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "optimize.cli", *command, *self.options, *options],
                env={**os.environ, PAUSE_VARIABLE: str(pause), "OMP_NUM_THREADS": "1", **joined, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.started.append(process)
        return process

    def end(self) -> None:
        """End drivers that still run, since something went wrong here, with all that belongs to them."""
        for process in self.started:
            if process.poll() is None:
                with no_leftovers(process):
                    process.kill()
                    process.wait(60)

    def said(self) -> str:
        """What drivers wrote so far."""
        return self.log.read_text() if self.log.exists() else ""

    def expect(self, process: subprocess.Popen[bytes], *codes: int) -> None:
        """Wait for a driver that must end with one of these codes."""
        try:
            code = process.wait(LIMIT_S)
        except subprocess.TimeoutExpired as error:
            process.kill()
            raise FaultError(f"a driver did not end: {self.said()[-2000:]}") from error
        if code not in codes:
            raise FaultError(f"a driver ended with {code}, one of {codes} would be right: {self.said()[-2000:]}")

    def ended(self) -> int:
        """How many trials have ended; 0 before there is a study."""
        if not self.path.is_dir():
            return 0
        study = Study.open(self.path)
        states = [trial.state.is_finished() for trial in study.storage.trials()]
        study.close()
        return sum(states)

    def running(self) -> int:
        """How many trials are being computed."""
        if not self.path.is_dir():
            return 0
        study = Study.open(self.path)
        states = [not trial.state.is_finished() for trial in study.storage.trials()]
        study.close()
        return sum(states)

    def until(self, condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
        """Wait until something is so, as long as the driver lives."""
        limit = time.monotonic() + LIMIT_S
        while not condition():
            if process.poll() is not None or time.monotonic() > limit:
                raise FaultError(f"did not come to it, exit code {process.poll()}: {self.said()[-2000:]}")
            time.sleep(0.05)

    def finish(self) -> Verdict:
        """Resume to the end, and judge."""
        if self.ended() < self.trials or self.running():
            self.snapshots.append(Snapshot.of(Study.open(self.path)))
            self.resumes += 1
            self.expect(self.start(pause=0.0), 0)
        return judge(Study.open(self.path), self.snapshots)


def workers_of(scene: Scene, process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The processes that compute packs for a driver."""
    roots = [scene.cluster.head, scene.cluster.second] if scene.cluster else [process]
    found = []
    for root in roots:
        for child in psutil.Process(root.pid).children(recursive=True):
            try:
                if any("Trainable" in part for part in child.cmdline()):
                    found.append(child)
            except psutil.Error:
                continue
    return found


@contextmanager
def no_leftovers(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Whatever of a killed driver's cluster does not end by itself is ended, by its own ids."""
    try:
        family = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        family = []
    yield
    _, alive = psutil.wait_procs(family, timeout=20)
    for left in alive:
        try:
            left.kill()
        except psutil.NoSuchProcess:
            continue


def killed(scene: Scene) -> str:
    """SIGKILL of the driver at a random moment after its first results."""
    process = scene.start()
    goal = scene.rng.choice((0, PACK, 2 * PACK))
    scene.until(lambda: scene.running() > 0 and scene.ended() >= goal, process)
    time.sleep(scene.rng.uniform(0, PAUSE_S))
    with no_leftovers(process):
        process.kill()
        scene.expect(process, -signal.SIGKILL)
    return f"after {goal} trials"


def crashed(scene: Scene) -> str:
    """Death at one of the durable writes, of driver and workers alike."""
    point = f"file.renamed:{scene.rng.randint(2, 9)}"
    process = scene.start(**{crash.VARIABLE: point})
    codes = (0, -signal.SIGKILL)
    scene.expect(process, *codes)
    return point


def worker_killed(scene: Scene) -> str:
    """SIGKILL of a worker in mid-pack: the driver goes on, and no trial fails for it."""
    process = scene.start(pause=3.0)
    scene.until(lambda: scene.running() > 0 and bool(workers_of(scene, process)), process)
    time.sleep(scene.rng.uniform(0, 1.0))
    # Between two packs a worker may have no pack for a moment.
    scene.until(lambda: bool(workers_of(scene, process)), process)
    victims = workers_of(scene, process)
    if not victims:
        raise FaultError("no worker was left to kill")
    victim = scene.rng.choice(victims)
    victim.kill()
    scene.expect(process, 0)
    return f"one of {len(victims)}"


def asked(number: signal.Signals, code: int, seconds: float) -> Callable[[Scene], str]:
    """A signal that asks the driver to stop: it ends in time, with the code that says why."""

    def ask(scene: Scene) -> str:
        process = scene.start("--grace-seconds", str(GRACE_S))
        goal = scene.rng.choice((0, PACK))
        scene.until(lambda: scene.running() > 0 and scene.ended() >= goal, process)
        time.sleep(scene.rng.uniform(0, PAUSE_S))
        clock = time.monotonic()
        process.send_signal(number)
        scene.expect(process, code, 0)
        took = time.monotonic() - clock
        if took > seconds:
            raise FaultError(f"it took {took:.1f} s to stop; {seconds:.0f} s would be right")
        return f"ended after {took:.1f} s"

    return ask


FAULTS: dict[str, Callable[[Scene], str]] = {
    "driver killed": killed,
    "killed at a write": crashed,
    "worker killed": worker_killed,
    # Generous: the machine may be busy with other things; undisturbed it takes two or three seconds.
    "SIGTERM": asked(signal.SIGTERM, 143, 30.0),
    "SIGINT": asked(signal.SIGINT, 130, 30.0),
    "SIGUSR1": asked(signal.SIGUSR1, 85, 60.0),
}


def happen(kind: str, seed: int, cluster: TwoMachines | None = None) -> dict[str, Any]:
    """Let a fault happen to a study of its own, bring the study to its end, and say what became of it."""
    folder = Path(tempfile.mkdtemp(prefix="eiann-fault-"))
    clock = time.monotonic()
    record: dict[str, Any] = {
        "kind": kind,
        "driver": "joined ray" if cluster else "ray",
        "storage": "sqlite",
        "seed": seed,
    }
    scene = Scene(folder, Random(seed), cluster)
    try:
        note = FAULTS[kind](scene)
        verdict = scene.finish()
    except FaultError as error:
        return record | {"clean": False, "problems": [str(error)]}
    finally:
        scene.end()
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
