"""A cluster of two machines of which one dies, and which do not share a disk: the study goes on, nothing is lost."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from optimize.study import Study
from optimize.tune.stub import PAUSE_VARIABLE
from tests.faults.cluster import TwoMachines
from tests.faults.on_ray import Scene
from tests.faults.verdict import Snapshot, judge

GPUS = ("--num-cpus=2", "--num-gpus=1")
pytestmark = pytest.mark.long
PLACE = "tests.optimize.tune.failing:ReportsPlace"


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    if os.getuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("needs root, to hide a folder from a process")
    (tmp_path / "studies").mkdir()
    return Scene(tmp_path, Random(1))


@pytest.fixture
def machines(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Iterator[TwoMachines]:
    monkeypatch.setenv("EIANN_TEST_FOLDER", str(scene.path.parent / "toy"))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.setenv(PAUSE_VARIABLE, "2.0")
    cluster = TwoMachines(hidden=scene.path.parent, resources=GPUS)
    # Workers have it from their machine; the judge's own run need not wait.
    monkeypatch.delenv(PAUSE_VARIABLE)
    scene.cluster = cluster
    for name, value in cluster.environment.items():
        monkeypatch.setenv(name, value)
    yield cluster
    cluster.remove()


def places(scene: Scene) -> set[str]:
    study = Study.open(scene.path)
    found = {
        str(trial.user_attrs["result"]["executor"]) for trial in study.storage.trials() if trial.state.is_finished()
    }
    study.close()
    return found


def spooled(machines: TwoMachines) -> set[Path]:
    """Results that lie on the second machine."""
    return set(machines.folder.glob("eiann-spool-*/*/*.json"))


def test_a_machine_without_the_folder_dies_and_the_study_goes_on(scene: Scene, machines: TwoMachines) -> None:
    scene.trials = 100
    scene.trainer = PLACE
    scene.options = ("--gpus-per-pack", "0.5")
    # Half a GPU each: two packs at once on each machine.
    process = scene.start()
    try:
        scene.until(lambda: {"0 True", "0 False"} <= places(scene) if scene.ended() else False, process)
        time.sleep(0.5)
        machines.kill(machines.second)
        scene.expect(process, 0)
    finally:
        process.kill()
    study = Study.open(scene.path)
    attempts = {trial.user_attrs.get("attempt", 1) for trial in study.storage.trials()}
    assert attempts == {1, 2}, "packs of the machine that died were computed elsewhere"
    verdict = judge(study, [])
    assert verdict.is_clean, verdict.problems
    assert "1 True" not in places(scene), "a share of a GPU lies on one GPU"


def test_results_of_a_machine_without_the_folder_are_fetched(scene: Scene, machines: TwoMachines) -> None:
    scene.trainer = PLACE
    scene.trials = 80
    scene.options = ("--gpus-per-pack", "0.5")
    process = scene.start()
    try:
        # Trials are RUNNING before a worker has them, which starts for seconds: only one that has ended a pack surely
        # has its next.
        scene.until(lambda: "0 False" in places(scene) if scene.ended() else False, process)
        ended = scene.ended()
        scene.until(lambda: scene.ended() > ended, process)
        time.sleep(0.5)
        os.kill(process.pid, signal.SIGSTOP)  # It does not hear of what is computed now.
        heard = spooled(machines)
        limit = time.monotonic() + 120
        while not (left := spooled(machines) - heard):
            assert time.monotonic() < limit
            time.sleep(0.1)
    finally:
        process.kill()
        process.wait(60)
    kept = {int(path.name.split(".")[0]) for path in left}
    before = Snapshot.of(Study.open(scene.path))
    assert not kept & before.recorded.keys()
    scene.expect(scene.start(), 0)
    study = Study.open(scene.path)
    trials = study.trials().set_index("number")
    assert trials.loc[sorted(kept), "attempt"].eq(1).all(), "told, not computed again"
    verdict = judge(study, [before])
    assert verdict.is_clean, verdict.problems
    assert not list(machines.folder.glob("eiann-spool-*/*")), "removed when they are safe"


def test_a_machine_dies_in_mid_pack_and_what_had_ended_is_kept(scene: Scene, machines: TwoMachines) -> None:
    """The machine takes its own folder of results with it; the driver has them already."""
    scene.trainer = "tests.optimize.tune.failing:Slowly"
    scene.trials = 24
    # No trial is given up by it, but they end one by one.
    scene.options = ("--gpus-per-pack", "0.5")
    process = scene.start("--race", "first=2")
    kept: set[int] = set()
    try:
        limit = time.monotonic() + 300
        while not kept:
            assert process.poll() is None, scene.said()
            assert time.monotonic() < limit
            time.sleep(0.2)
            kept = waiting_from_there(scene)
        machines.kill(machines.second)
        for folder in machines.folder.glob("eiann-spool-*"):
            shutil.rmtree(folder)
        scene.expect(process, 0)
    finally:
        process.kill()
    study = Study.open(scene.path)
    trials = study.trials().set_index("number")
    assert trials.loc[sorted(kept), "attempt"].eq(1).all(), "told, not computed again"
    assert trials["attempt"].eq(2).any(), "the rest of those packs was"
    verdict = judge(study, [])
    assert verdict.is_clean, verdict.problems


def waiting_from_there(scene: Scene) -> set[int]:
    """Trials from the second machine that the driver keeps, and whose packs go on."""
    if not scene.path.is_dir():
        return set()
    study = Study.open(scene.path)
    numbers = [trial.number for trial in study.storage.trials() if not trial.state.is_finished()]
    study.close()
    found = {number: study.spool.read(number) for number in numbers}
    return {number for number, result in found.items() if result is not None and result.executor == "False"}
