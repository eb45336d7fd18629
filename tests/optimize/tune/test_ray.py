"""Studies on a real Ray cluster: results, reused workers, failures, and stops that can be resumed."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from eiann.errors import UserError
from optimize.study import Resources, StudyBusyError
from optimize.tune.cluster import Slots
from optimize.tune.driver import DriverStatus
from optimize.tune.inline import run_inline
from optimize.tune.run import run_study
from optimize.tune.stopping import StudyStopped
from optimize.tune.stub import StubTrainer
from tests.optimize.conftest import MakeStudy

FAILING = "tests.optimize.tune.failing"
COLUMNS = ["number", "state", "objectives.accuracy", "objectives.loss", "params.rate", "params.scale", "failure"]
pytestmark = pytest.mark.filterwarnings("default:::ray")


def test_a_study_on_ray_is_the_study_in_one_process(make_study: MakeStudy, ray_slots: Slots) -> None:
    on_ray = make_study(name="ray", trials=18, pack=4, trainer=f"{FAILING}:ReportsProcess")
    inline = make_study(name="inline", trials=18, pack=4)
    seen: list[DriverStatus] = []
    run_study(on_ray, Slots(1), watch=seen.append)
    run_inline(inline)
    assert on_ray.trials()[COLUMNS].equals(inline.trials()[COLUMNS])
    assert on_ray.instances().equals(inline.instances())
    assert on_ray.trials()["pack"].tolist() == [i // 4 for i in range(18)]
    assert len(list(on_ray.folder.results.iterdir())) == 18
    processes = {on_ray.spool.read(number).executor for number in range(18)}  # type: ignore[union-attr]
    assert len(processes) == 1, "the worker was used again"
    assert seen[-1].ended == 18
    run_study(on_ray, Slots(1), trials=20)
    assert on_ray.budget == len(on_ray.trials()) == 20


@pytest.mark.parametrize(
    ("trainer", "words", "attempts"),
    [
        pytest.param("RaisesAtTwo", "trial two is no good", 2, marks=pytest.mark.long),
        ("DiesAtTwo", "the worker process died", 3),
    ],
)
def test_a_trial_that_takes_its_worker_down_fails_alone(
    make_study: MakeStudy, ray_slots: Slots, trainer: str, words: str, attempts: int
) -> None:
    study = make_study(trials=8, pack=4, trainer=f"{FAILING}:{trainer}")
    run_study(study, ray_slots)
    trials = study.trials().set_index("number")
    assert trials.loc[2, "state"] == "FAIL"
    assert words in trials.loc[2, "failure"]
    assert trials.loc[2, "attempt"] == attempts
    measured = trials["instances_ok"] + trials["instances_failed"]
    assert measured.drop(2).tolist() == [2] * 7
    assert measured[2] == 0


def test_a_worker_that_died_idle_costs_no_trial_an_attempt(make_study: MakeStudy, ray_slots: Slots) -> None:
    study = make_study(trials=6, pack=1, trainer=f"{FAILING}:ReportsProcess")
    killed: set[int] = set()

    def kill_the_idle(status: DriverStatus) -> None:
        """Its result has just been recorded; the next pack will be offered to it."""
        for path in study.folder.results.iterdir() if status.recorded and len(killed) < 3 else ():
            result = study.spool.load(path)
            assert result is not None
            process = int(str(result.executor).removeprefix("process "))
            if process not in killed:
                killed.add(process)
                os.kill(process, signal.SIGKILL)

    run_study(study, Slots(1), watch=kill_the_idle)
    trials = study.trials()
    assert len(killed) == 3
    assert trials["attempt"].tolist() == [1] * 6
    assert not trials["failure"].fillna("").str.contains("could not be computed").any()


def test_where_no_trainer_can_be_loaded_the_run_ends_and_the_trials_wait(
    make_study: MakeStudy, ray_slots: Slots, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("optimize.tune.driver._FAILED_STARTS", 2)
    monkeypatch.setattr("optimize.tune.driver._FAILED_STARTS_PER_SLOT", 1)
    study = make_study(trials=4, pack=2, trainer=f"{FAILING}:CannotStart")
    with pytest.raises(UserError, match=r"no worker can be started, after 2 attempts: .*the data set is not here"):
        run_study(study, Slots(1))
    assert set(study.trials()["state"]) == {"RUNNING"}
    run_inline(study, StubTrainer(study.spec))
    assert study.trials()["number"].tolist() == [0, 1, 2, 3]
    assert not study.trials()["failure"].fillna("").str.contains("could not be computed").any()


@pytest.mark.parametrize("number", [pytest.param(signal.SIGINT, marks=pytest.mark.long), signal.SIGTERM])
def test_a_signal_stops_within_seconds_and_the_study_goes_on(
    make_study: MakeStudy, ray_slots: Slots, number: signal.Signals
) -> None:
    study = make_study(trials=8, pack=4)
    raised: list[float] = []

    def stop_after_first(status: DriverStatus) -> None:
        if status.recorded and not raised:
            raised.append(time.monotonic())
            signal.raise_signal(number)

    before = signal.getsignal(number)
    with pytest.raises(StudyStopped, match="4 of 8"):
        run_study(study, Slots(1), watch=stop_after_first)
    assert time.monotonic() - raised[0] < 5
    assert signal.getsignal(number) == before
    run_study(study, ray_slots)
    assert study.trials()["number"].tolist() == list(range(8))
    assert set(study.trials()["state"]) <= {"COMPLETE", "FAIL"}


def test_a_second_driver_is_refused(make_study: MakeStudy, ray_slots: Slots) -> None:
    study = make_study()
    with study.driven(), pytest.raises(StudyBusyError):
        run_study(study, ray_slots)


@pytest.mark.long
def test_real_networks_train_on_ray(make_study: MakeStudy, ray_slots: Slots) -> None:
    settings: dict[str, Any] = {"trials": 4, "pack": 2, "trainer": "optimize.tune.network_trainer:NetworkTrainer"}
    study = make_study(**settings)
    run_study(study, ray_slots, resources=Resources(pack=4))
    trials = study.trials()
    assert trials["state"].tolist() == ["COMPLETE"] * 4
    assert trials["pack"].tolist() == [0] * 4
    assert trials["features.accuracy"].between(0, 100).all()
    assert (Path(study.folder.logs) / "driver.log").read_text()
