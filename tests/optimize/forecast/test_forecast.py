"""A forecast is what a search then takes: the arithmetic of the calibration, and bytes that a real study comes to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from optimize.forecast import Calibration, calibrate, disk_of_trials, forecast
from optimize.forecast import calibration as calibration_module
from optimize.objective import EvaluationSettings
from optimize.objective.evaluate import ReplicaRun, evaluate_replicas
from optimize.space import SearchSpace
from optimize.space.document import RunSettings
from optimize.study import Resources
from optimize.tune.inline import run_inline
from tests.optimize.conftest import MakeStudy

SAMPLE_S, VALIDATION_S, REST_S = 1e-3, 5e-2, 0.2


class Machine:
    """A machine whose every part takes as long as the test says: a clock that the trainings push on."""

    def __init__(self, sample_s: float) -> None:
        self.now = 0.0
        self.sample_s = sample_s
        self.runs: list[RunSettings] = []

    def clock(self) -> float:
        return self.now

    def evaluate(self, configs: object, seeds: list[object], settings: EvaluationSettings) -> ReplicaRun:
        done = evaluate_replicas(configs, seeds, settings)  # type: ignore[arg-type]
        run = settings.run
        self.runs.append(run)
        trained = self.sample_s * run.steps * run.epochs
        self.now += len(seeds) * (trained + VALIDATION_S * len(done.history.val_steps) + REST_S)
        return done


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    machine = Machine(SAMPLE_S)
    monkeypatch.setattr(calibration_module, "evaluate_replicas", machine.evaluate)
    return machine


@pytest.mark.parametrize("sample_s", [1e-3, 1e-4])
def test_the_parts_of_a_training_are_told_apart(machine: Machine, toy: SearchSpace, sample_s: float) -> None:
    machine.sample_s = sample_s
    found = calibrate(toy, seconds=machine.clock, replicas=3)
    assert found.sample_s == pytest.approx(sample_s)
    assert found.validation_s == pytest.approx(VALIDATION_S)
    assert found.rest_s == pytest.approx(REST_S)
    assert found.executor in ("native", "torch")
    longest = max(run.steps * run.epochs for run in machine.runs)
    assert longest <= found.samples < longest + 280  # epochs of the 280 samples that there are


def test_a_training_is_the_sum_of_its_parts() -> None:
    found = Calibration("cpu", "native", 4, 200, sample_s=SAMPLE_S, validation_s=VALIDATION_S, rest_s=REST_S)
    run = RunSettings(steps=1000, epochs=2, val_interval=(-1000, -1, 100))
    assert found.training_s(run) == pytest.approx(2000 * SAMPLE_S + 10 * VALIDATION_S + REST_S)


def test_a_search_is_its_trainings(machine: Machine, toy: SearchSpace, monkeypatch: pytest.MonkeyPatch) -> None:
    fixed = Calibration("cpu", "native", 4, 200, sample_s=0.01, validation_s=0.0, rest_s=0.1)
    monkeypatch.setattr("optimize.forecast.totals.calibrate", lambda space, **more: fixed)
    made = forecast(toy, 36)
    assert made.trainings == 72
    assert made.hours == pytest.approx(72 * (40 * 0.01 + 0.1) / 3600)
    assert made.elapsed_hours(4) == pytest.approx(made.hours / 4)
    without = forecast(toy, 36, network_trainer=False)
    assert (without.calibration, without.hours) == (None, None)


@pytest.mark.parametrize("storage", [None, "journal:/somewhere/study.journal"])
def test_the_disk_is_that_of_a_real_study(make_study: MakeStudy, tmp_path: Path, storage: str | None) -> None:
    place = tmp_path / "place"
    place.mkdir()
    study = make_study(trials=24, resources=Resources(pack=12), storage=storage and f"journal:{place / 'j'}")
    run_inline(study)
    empty, trial = disk_of_trials(study.spec.search_space, storage=storage)
    folders = (study.folder.path, place)
    taken = sum(path.stat().st_blocks * 512 for folder in folders for path in folder.rglob("*") if path.is_file())
    assert empty + 24 * trial == pytest.approx(taken, rel=0.35)
    assert 4096 <= trial <= 20_000


def test_it_leaves_nothing_behind(toy: SearchSpace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    disk_of_trials(toy)
    assert not list(tmp_path.iterdir())
