"""Whatever packs do, crash or succeed, each trial ends exactly once and the budget is met."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eiann.errors import UserError
from optimize.space import SearchSpace
from optimize.study import Resources, Study, TrialJob
from optimize.tune.driver import Driver, DriverStatus, PackFailure
from optimize.tune.inline import run_inline
from optimize.tune.pack import Pack, compute
from optimize.tune.stub import StubTrainer
from tests.optimize.conftest import STUB, MakeStudy, toy_document


@dataclass
class Machine:
    """Computes packs on demand; trials of ``poison`` take their worker down."""

    study: Study
    driver: Driver
    poison: frozenset[int] = frozenset()
    running: list[Pack] = field(default_factory=list)
    seen: list[Pack] = field(default_factory=list)

    def start(self) -> bool:
        pack = self.driver.next_pack()
        if pack is None:
            return False
        self.driver.begin(pack)
        self.running.append(pack)
        self.seen.append(pack)
        return True

    def finish(self, position: int = 0) -> None:
        pack = self.running.pop(position % len(self.running))
        if self.poison & {job.number for job in pack.jobs}:
            self.driver.fail(pack, "the worker process died")
        else:
            self.driver.receive(pack, compute(self.study.spec, StubTrainer(self.study.spec), pack))

    def run(self) -> None:
        while self.start() or self.running:
            if self.running:
                self.finish()


def test_budget_is_met_exactly_in_packs(make_study: MakeStudy) -> None:
    study = make_study(trials=10, pack=4)
    with study.driven() as (ledger, _):
        machine = Machine(study, Driver(ledger, 10, 4))
        machine.run()
    assert [len(pack.jobs) for pack in machine.seen] == [4, 4, 2]
    assert [pack.number for pack in machine.seen] == [0, 1, 2]
    assert machine.driver.is_finished()
    assert study.trials()["number"].tolist() == list(range(10))


def test_trials_of_a_failed_pack_run_alone_and_only_the_culprit_fails(make_study: MakeStudy) -> None:
    study = make_study(trials=9, pack=3)
    with study.driven() as (ledger, _):
        machine = Machine(study, Driver(ledger, 9, 3), poison=frozenset({4}))
        machine.run()
    alone = [pack for pack in machine.seen if len(pack.jobs) == 1]
    assert sorted((pack.jobs[0].number, pack.jobs[0].attempt) for pack in alone) == [(3, 2), (4, 2), (4, 3), (5, 2)]
    trials = study.trials().set_index("number")
    assert trials.loc[4, "state"] == "FAIL"
    assert trials.loc[4, "failure"] == "could not be computed: the worker process died"
    assert trials.loc[[3, 5], "instances_ok"].tolist() == [2, 2]
    assert len(trials) == 9


@pytest.mark.parametrize("deaths", [1, 2])
def test_a_trial_outlives_two_deaths_of_its_workers(make_study: MakeStudy, deaths: int) -> None:
    """Machines die for reasons of their own."""
    study = make_study(trials=1, pack=1)
    with study.driven() as (ledger, _):
        driver = Driver(ledger, 1, 1)
        pack = first = driver.next_pack()
        for _ in range(deaths):
            assert pack is not None
            driver.begin(pack)
            driver.fail(pack, "its machine died")
            pack = driver.next_pack()
        assert pack is not None
        assert first is not None
        assert pack.jobs[0].params == first.jobs[0].params
        driver.receive(pack, compute(study.spec, StubTrainer(study.spec), pack))
        assert driver.is_finished()
    trials = study.trials()
    assert trials["attempt"].tolist() == [1 + deaths]
    assert trials["state"].tolist() == ["COMPLETE"]


def test_a_trainer_that_raises_for_a_trial_is_asked_once_more(make_study: MakeStudy) -> None:
    study = make_study(trials=1, pack=1)
    with study.driven() as (ledger, _):
        driver = Driver(ledger, 1, 1)
        while (pack := driver.next_pack()) is not None:
            driver.begin(pack)
            driver.fail(pack, "trial nought is no good", PackFailure.RAISED)
        assert driver.is_complete
    assert study.trials()["attempt"].tolist() == [2]
    assert study.trials()["failure"].tolist() == ["could not be computed: trial nought is no good"]


def test_failures_of_one_kind_are_no_failures_of_another(make_study: MakeStudy) -> None:
    study = make_study(trials=2, pack=2)
    with study.driven() as (ledger, _):
        driver = Driver(ledger, 2, 2)
        for how in (PackFailure.DIED, PackFailure.RAISED, PackFailure.DIED):
            pack = driver.next_pack()
            assert pack is not None
            assert pack.jobs[0].number == 0 or how is PackFailure.DIED
            driver.begin(pack)
            driver.fail(pack, "out of memory, for a moment", how)
        Machine(study, driver).run()
    assert study.trials()["failure"].isna().all()
    assert study.trials()["attempt"].tolist() == [3, 3]


@pytest.mark.parametrize("size", [1, 3])
def test_workers_that_never_took_a_pack_say_nothing_about_its_trials(make_study: MakeStudy, size: int) -> None:
    """They may all have sat idle on one machine that died."""
    study = make_study(trials=3, pack=size)
    with study.driven() as (ledger, _):
        driver = Driver(ledger, 3, size)
        begun = driver.next_pack()
        assert begun is not None
        driver.begin(begun)
        driver.fail(begun, "its machine died")
        packs = []
        for _ in range(25):
            pack = driver.next_pack()
            assert pack is not None
            packs.append([(job.number, job.attempt) for job in pack.jobs])
            # Somebody computes, so that workers can be started.
            driver.begin(Pack(99, ()))
            driver.fail(pack, "nobody answers")
        assert all(pack == packs[0] for pack in packs)
        driver.receive(Pack(99, ()), [])
        Machine(study, driver).run()
    assert study.trials()["number"].tolist() == [0, 1, 2]
    assert study.trials()["instances_ok"].gt(0).all()


def test_machines_that_fail_at_once_do_not_end_a_run_before_the_others_have_started(make_study: MakeStudy) -> None:
    study = make_study(trials=40, pack=1)
    with study.driven() as (ledger, _):
        machine = Machine(study, Driver(ledger, 40, 1))
        slow = [machine.driver.next_pack() for _ in range(4)]
        for _ in range(24):
            fail_to_begin(machine.driver)
        for pack in slow:
            assert pack is not None
            machine.driver.begin(pack)
            machine.running.append(pack)
        machine.run()
    assert len(study.trials()) == 40


def fail_to_begin(driver: Driver) -> None:
    pack = driver.next_pack()
    assert pack is not None
    driver.fail(pack, "no such data set")


def test_a_run_ends_where_no_worker_can_be_started(make_study: MakeStudy) -> None:
    study = make_study(trials=6, pack=3)
    with study.driven() as (ledger, _):
        driver = Driver(ledger, 6, 3)
        for _ in range(9):
            fail_to_begin(driver)
        with pytest.raises(UserError, match=r"no worker can be started, after 10 attempts: no such data set"):
            fail_to_begin(driver)
    for _ in range(3):
        with study.driven() as (ledger, _):
            driver = Driver(ledger, 6, 3)
            assert driver.next_pack()
            driver.leave()
    with study.driven() as (ledger, _):
        machine = Machine(study, Driver(ledger, 6, 3))
        machine.run()
    assert [len(pack.jobs) for pack in machine.seen] == [3, 3], "no trial is suspected of anything"
    assert sorted(study.trials()["number"]) == list(range(6))
    assert not study.trials()["failure"].fillna("").str.contains("could not be computed").any()


def test_a_failure_after_the_results_changes_nothing(make_study: MakeStudy) -> None:
    study = make_study(trials=2, pack=2)
    with study.driven() as (ledger, _):
        machine = Machine(study, Driver(ledger, 2, 2))
        machine.run()
        machine.driver.fail(machine.seen[0], "the worker died at its end")
        assert machine.driver.is_finished()


@pytest.mark.parametrize("written", [1, 2, 4])
def test_what_a_worker_wrote_before_it_died_counts(make_study: MakeStudy, written: int) -> None:
    study = make_study(trials=4, pack=4)
    with study.driven() as (ledger, _):
        driver = Driver(ledger, 4, 4)
        pack = driver.next_pack()
        assert pack is not None
        driver.begin(pack)
        study.spool.write(compute(study.spec, StubTrainer(study.spec), pack)[:written])
        driver.fail(pack, "the worker process died")
        assert driver.status.ended == written
        while (lone := driver.next_pack()) is not None:
            driver.begin(lone)
            study.spool.write(compute(study.spec, StubTrainer(study.spec), lone))
            driver.fail(lone, "the worker process died")
        assert driver.is_complete
    trials = study.trials()
    assert trials["attempt"].tolist() == [1] * written + [2] * (4 - written), "nothing is computed twice"
    assert not trials["failure"].fillna("").str.contains("could not be computed").any()


def test_the_budget_counts_over_restarts_and_can_grow(make_study: MakeStudy) -> None:
    study = make_study(trials=8, pack=3)
    run_inline(study, packs=2)
    run_inline(study)
    assert len(study.trials()) == 8
    run_inline(study)
    assert len(study.trials()) == 8
    study.budget = 11
    run_inline(study)
    assert study.trials()["number"].tolist() == list(range(11))


def test_a_trial_adopted_again_and_again_runs_alone(make_study: MakeStudy) -> None:
    study = make_study(trials=4, pack=4)
    for expected in ([4], [4], [1, 1, 1, 1]):
        with study.driven() as (ledger, _):
            machine = Machine(study, Driver(ledger, 4, 4))
            while machine.start():
                pass
            assert [len(pack.jobs) for pack in machine.seen] == expected


def test_status_knows_earlier_runs(make_study: MakeStudy) -> None:
    study = make_study(trials=6, pack=3)
    run_inline(study, packs=1)
    seen: list[DriverStatus] = []
    with study.driven() as (ledger, _):
        Machine(study, Driver(ledger, 6, 3, seen.append)).run()
    trials = study.trials()
    best = study.best(1, "accuracy").iloc[0]
    assert seen[0].ended == 3
    assert seen[-1].ended == 6
    assert seen[-1].recorded == 3
    assert seen[-1].failed == (trials["state"] == "FAIL").sum()
    assert seen[-1].best[0] == (best["objectives.accuracy"], best["number"])


ACTIONS = st.lists(st.one_of(st.just("start"), st.integers(0, 5), st.just("crash")), max_size=25)


@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(actions=ACTIONS, poison=st.frozensets(st.integers(0, 9), max_size=3))
def test_any_course_of_events_ends_in_the_same_trials(actions: Sequence[str | int], poison: frozenset[int]) -> None:
    space = SearchSpace.from_dict(toy_document())
    with TemporaryDirectory() as folder:
        kwargs = {"trials": 10, "seed": 4, "trainer": STUB, "resources": Resources(pack=3)}
        study = Study.create(space, name="a", studies=Path(folder), **kwargs)
        course = iter(actions)
        while not _one_life(study, course, poison):
            pass
        trials = study.trials()
        study.close()
    assert trials["number"].tolist() == list(range(10))
    assert set(trials["state"]) <= {"COMPLETE", "FAIL"}
    complete = trials["instances_ok"] + trials["instances_failed"]
    assert {int(n) for n in trials.loc[complete == 0, "number"]} == poison
    assert not trials["params.rate"].map(math.isnan).any()


def _one_life(study: Study, course: object, poison: frozenset[int]) -> bool:
    """A driver's life, to its crash or to the end of the study."""
    with study.driven() as (ledger, _):
        machine = Machine(study, Driver(ledger, study.budget, 3), poison)
        for action in course:  # type: ignore[attr-defined]
            if action == "crash":
                return False
            if action == "start":
                machine.start()
            elif machine.running:
                machine.finish(action)
        machine.run()
        return machine.driver.is_finished()


def test_a_pack_is_independent_of_its_company(make_study: MakeStudy) -> None:
    study = make_study(trials=6)
    with study.driven() as (ledger, _):
        jobs = ledger.propose(6)
    together = compute(study.spec, StubTrainer(study.spec), Pack(0, tuple(jobs)))
    for job, result in zip(jobs, together, strict=True):
        (alone,) = compute(study.spec, StubTrainer(study.spec), Pack(0, (job,)))
        assert alone.instances == result.instances


@pytest.mark.parametrize("size", [1, 3])
def test_seconds_of_a_pack_are_shared(make_study: MakeStudy, size: int) -> None:
    study = make_study()

    class Slow(StubTrainer):
        def train(self, jobs: Sequence[TrialJob]):  # type: ignore[no-untyped-def]
            import time

            time.sleep(0.03)
            return super().train(jobs)

    with study.driven() as (ledger, _):
        jobs = tuple(ledger.propose(size))
    results = compute(study.spec, Slow(study.spec), Pack(0, jobs))
    assert sum(result.seconds or 0 for result in results) == pytest.approx(0.03, abs=0.02)
