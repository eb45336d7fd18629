"""A run that is asked to stop starts nothing more, finishes what it can in the time it has, and says how it ended."""

from __future__ import annotations

import signal
import threading

import pytest

from optimize.tune.cluster import Slots
from optimize.tune.driver import Driver, DriverStatus
from optimize.tune.pack import compute
from optimize.tune.run import run_study
from optimize.tune.stopping import MORE_TO_DO, Stop, StudyStopped
from optimize.tune.stub import PAUSE_VARIABLE, StubTrainer
from tests.optimize.conftest import MakeStudy

INT, TERM, USR1 = signal.SIGINT, signal.SIGTERM, signal.SIGUSR1


@pytest.mark.parametrize(
    ("signals", "reason", "code", "grace"),
    [
        ([], "", 0, None),
        ([USR1], "walltime", 85, 40),
        ([TERM], "terminated", 143, 3),
        ([INT], "interrupted", 130, 0),
        ([USR1, TERM], "walltime", 85, 3),
        ([USR1, USR1], "walltime", 85, 40),
        ([TERM, USR1], "terminated", 143, 3),
    ],
)
def test_the_first_signal_says_why_and_any_may_shorten_the_wait(
    signals: list[signal.Signals], reason: str, code: int, grace: float | None
) -> None:
    stop = Stop(grace=40)
    for number in signals:
        stop.request(number)
    assert (stop.is_requested, stop.reason, stop.exit_code) == (bool(signals), reason, code)
    assert stop.seconds_left == (None if grace is None else pytest.approx(grace, abs=1))
    assert stop.is_due == (grace == 0)


def test_a_time_limit_is_a_walltime_warning_of_ones_own() -> None:
    assert not Stop(after=100).is_requested
    stop = Stop(after=0, grace=0)
    assert stop.is_due
    assert stop.exit_code == MORE_TO_DO


def test_outside_of_a_run_signals_end_the_program_except_the_warning() -> None:
    before = {number: signal.getsignal(number) for number in (INT, TERM, USR1)}
    with Stop().listening() as stop:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(INT)
        with pytest.raises(SystemExit, match="143"):
            signal.raise_signal(TERM)
        signal.raise_signal(USR1)
        assert stop.is_requested
        assert stop.exit_code == 85
    assert {number: signal.getsignal(number) for number in (INT, TERM, USR1)} == before


def test_in_a_run_the_second_signal_ends_the_program() -> None:
    with Stop().listening(in_run=True) as stop:
        signal.raise_signal(INT)
        assert stop.is_due
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(INT)


def test_another_thread_leaves_signals_alone() -> None:
    before = signal.getsignal(INT)
    seen = []

    def listen() -> None:
        with Stop().listening(in_run=True):
            seen.append(signal.getsignal(INT))

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    assert seen == [before]


def test_a_stopping_driver_takes_results_and_starts_nothing(make_study: MakeStudy) -> None:
    study = make_study(trials=8, pack=3)
    with study.driven() as (ledger, _):
        driver = Driver(ledger, 8, 3)
        pack = driver.next_pack()
        assert pack is not None
        driver.stop_starting("walltime")
        assert driver.next_pack() is None
        assert not driver.is_finished()
        driver.receive(pack, compute(study.spec, StubTrainer(study.spec), pack))
        assert driver.is_finished()
        assert not driver.is_complete
    assert len(study.trials()) == 3


@pytest.mark.filterwarnings("default:::ray")
def test_a_warned_run_on_ray_finishes_its_packs(
    make_study: MakeStudy, ray_slots: Slots, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PAUSE_VARIABLE, "0.5")
    study = make_study(trials=12, pack=4)
    warned: list[int] = []

    def warn(status: DriverStatus) -> None:
        if status.recorded and not warned:
            warned.append(status.ended)
            signal.raise_signal(USR1)

    with pytest.raises(StudyStopped, match="8 of 12 trials \\(walltime\\)") as caught:
        run_study(study, Slots(2), watch=warn)
    assert caught.value.exit_code == 85
    assert set(study.trials()["state"]) <= {"COMPLETE", "FAIL"}, "nothing is left RUNNING"
    run_study(study, ray_slots)
    assert study.trials()["number"].tolist() == list(range(12))


@pytest.mark.filterwarnings("default:::ray")
def test_a_run_that_reaches_its_budget_while_stopping_is_done(make_study: MakeStudy, ray_slots: Slots) -> None:
    study = make_study(trials=4, pack=4)

    def warn(status: DriverStatus) -> None:
        if status.running:
            signal.raise_signal(USR1)

    run_study(study, Slots(1), watch=warn)
    assert len(study.trials()) == 4
