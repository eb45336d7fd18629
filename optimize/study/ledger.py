"""Every trial exactly once: proposing trials, taking them up again after a stop, and recording their results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from optuna.trial import FrozenTrial, TrialState

from optimize.early import RungValues, Yardsticks
from optimize.space.document import Value
from optimize.study.jobs import TrialJob
from optimize.study.spec import StudySpec
from optimize.study.spool import Spool, TrialResult
from optimize.study.storage import Ending, TrialStorage
from optimize.study.suggest import Suggester, by_id

RESULT: Final = "result"
"""Trial attribute: everything of the ``TrialResult`` that the storage does not hold already."""
ATTEMPT: Final = "attempt"
"""Trial attribute: the attempt that was made last, or is being made."""
RELEASED: Final = "released"
"""Trial attribute: the attempt during which its driver stopped as it should."""
DEATHS: Final = "deaths"
"""Trial attribute: drivers that ended without a word while it was being computed."""
ASKED_AFTER: Final = "asked_after"
"""Trial attribute: how many trials had ended when it was proposed; with ``ENDED_AS`` it gives the order of events."""
ENDED_AS: Final = "ended_as"
"""Trial attribute: 1 for the first trial to end, and so on."""
TORN: Final = "the proposal was interrupted before its parameters were complete"

_IN_STORAGE: Final = frozenset({"schema_version", "study_id", "number", "params"})


def as_stored(result: TrialResult) -> dict[str, Any]:
    """A result as the trial's attribute ``RESULT``: without what the storage has already."""
    left_out = _IN_STORAGE if result.rungs else _IN_STORAGE | {"rungs"}
    return result.model_dump(mode="json", exclude=set(left_out), exclude_none=True)


class Ledger:
    """What a driver does to the storage of a study.

    Whoever makes one holds the study's lease. Making it settles what an earlier driver left: spooled results are told,
    complete RUNNING trials wait in ``adopted`` with their parameters, incomplete ones are told as failed.

    The rule for results: one counts if it belongs to this study, if its trial has not ended, and if its parameters are
    those of the trial. The first that counts is recorded and never changed; a later one of an abandoned attempt is
    refused. Since a result is a function of specification, parameters and seeds, it does not matter which came first.

    Args:
        spec: of the study.
        storage: of the study.
        spool: its durable results.

    Attributes:
        adopted: trials of an earlier driver that wait to be computed.
        ended: trials that ended, of any state.
        failures: of these, those that failed.
        best: lowest value of each objective so far, and the number of its trial; empty without a complete trial.
        next_pack: the number that the next pack gets.
    """

    def __init__(self, spec: StudySpec, storage: TrialStorage, spool: Spool) -> None:
        self._spec = spec
        self._storage = storage
        self._spool = spool
        self._seeds = spec.search_space.instances
        self._suggester = Suggester(spec.search_space, spec.sampler, spec.seed, spec.points)
        self._ids: dict[int, int] = {}
        self._running: dict[int, Mapping[str, Value]] = {}
        self._yardsticks = Yardsticks()
        self.adopted: list[TrialJob] = []
        self.ended = 0
        self.failures = 0
        self.best: tuple[tuple[float, int], ...] = ()
        self.next_pack = 0
        self._settle()

    # ------------------------------------------------------------------------------------------------- proposing

    def propose(self, count: int) -> list[TrialJob]:
        """New trials, RUNNING in the storage when this returns.

        A trial for which the conditions of the space could not be satisfied has failed and is not among them.
        """
        proposals = []
        attributes: dict[str, Any] = {}
        for _ in range(count):
            proposal = self._suggester.propose()
            proposal.trial.user_attrs = {ATTEMPT: 1, ASKED_AFTER: self.ended}
            proposals.append(proposal)
            attributes.update(proposal.study_attributes)
        # Together: a descendant without the record of its parents would propose differently after a restart.
        ids = self._storage.create([proposal.trial for proposal in proposals], by_id(attributes, self._ids.__getitem__))
        jobs = []
        yardstick = self._yardsticks.after(self.ended)
        for proposal, trial_id in zip(proposals, ids, strict=True):
            number = proposal.trial.number
            self._ids[number] = trial_id
            self._running[number] = proposal.trial.params
            if proposal.unsatisfied:
                self._fail(number, f"no point was found that satisfies {proposal.unsatisfied!r}")
            else:
                jobs.append(TrialJob(number, 1, proposal.trial.params, self._seeds, yardstick))
        return jobs

    def retry(self, job: TrialJob) -> TrialJob:
        """The same trial as its next attempt, noted in the storage."""
        self._storage.set_trial_attribute(self._ids[job.number], ATTEMPT, job.attempt + 1)
        return replace(job, attempt=job.attempt + 1)

    def release(self, jobs: Iterable[TrialJob]) -> None:
        """Note of trials that are not computed any more that this is no fault of theirs: the run stops as it should."""
        self._storage.set_trial_attributes(RELEASED, {self._ids[job.number]: job.attempt for job in jobs})

    def failed(self, job: TrialJob, reason: str) -> TrialResult:
        """The result of a trial that could not be computed."""
        return TrialResult(
            study_id=self._spec.study_id,
            number=job.number,
            attempt=job.attempt,
            params=dict(job.params),
            failure=reason,
            finished=datetime.now(UTC),
        )

    # ------------------------------------------------------------------------------------------------- recording

    def record(self, results: Iterable[TrialResult]) -> list[TrialResult]:
        """Make results durable, tell them, and return those that were recorded now."""
        counting = [result for result in results if self.refusal(result) is None]
        self._spool.write(counting)
        endings = []
        infeasible: set[int] = set()
        for position, result in enumerate(counting, start=self.ended + 1):
            state = _ending_of(result)
            complete = state is TrialState.COMPLETE
            violations = self._spec.evaluation.violations(result.features) if complete else ()
            sampler_attrs = self._suggester.tell(result.number, state, result.objectives, violations)
            user_attrs = {RESULT: as_stored(result), ENDED_AS: position}
            self._yardsticks.add(position, result.rungs, complete=complete)
            if any(excess > 0 for excess in violations):
                infeasible.add(result.number)
            endings.append(Ending(self._ids[result.number], state, result.objectives, user_attrs, sampler_attrs))
        told = self._storage.end(endings)
        recorded = [result for result, now in zip(counting, told, strict=True) if now]
        for result in counting:
            del self._running[result.number]
        for result in recorded:
            objectives = None if result.number in infeasible else result.objectives
            self._count(result.number, objectives, failed=result.failure is not None)
        return recorded

    def refusal(self, result: TrialResult) -> str | None:
        """Why a result does not count, or ``None``."""
        if result.study_id != self._spec.study_id:
            return "it belongs to another study"
        params = self._running.get(result.number)
        if params is None:
            return f"trial {result.number} is not running; its result was recorded before"
        if dict(params) != result.params:
            return f"its parameters are not those of trial {result.number}"
        return None

    def spooled(self, number: int) -> TrialResult | None:
        """The durable result of a trial that nobody told of, if there is one and it counts."""
        for path in self._spool.attempts(number):
            result = self._spool.load(path)
            if result is not None and self.refusal(result) is None:
                return result
        return None

    # ------------------------------------------------------------------------------------------------- taking over

    def _settle(self) -> None:
        trials = self._storage.trials()
        self._ids = {trial.number: _id_of(trial) for trial in trials}
        numbers = {trial_id: number for number, trial_id in self._ids.items()}
        self._suggester.restore(trials, by_id(self._storage.system_attributes(), numbers.__getitem__))
        for trial in trials:
            if trial.state.is_finished():
                self._count(trial.number, self._ranked(trial), failed=trial.state is TrialState.FAIL)
                self._measure_by(trial)
        self.next_pack = 1 + max((trial.user_attrs.get(RESULT, {}).get("pack", -1) for trial in trials), default=-1)
        self._spool.clean()
        left = [trial for trial in trials if not trial.state.is_finished()]
        self._running = {trial.number: trial.params for trial in left}
        spooled: list[TrialResult] = []
        adopted: list[TrialJob] = []
        for trial in left:
            result = self.spooled(trial.number)
            if result is not None:
                spooled.append(result)
            elif not self._is_whole(trial):
                self._fail(trial.number, TORN)
            else:
                attempt = int(trial.user_attrs.get(ATTEMPT, 1))
                deaths = int(trial.user_attrs.get(DEATHS, 0)) + (trial.user_attrs.get(RELEASED) != attempt)
                yardstick = self._yardsticks.after(int(trial.user_attrs.get(ASKED_AFTER, 0)))
                adopted.append(TrialJob(trial.number, attempt + 1, trial.params, self._seeds, yardstick, deaths))
        for key, attribute in ((ATTEMPT, "attempt"), (DEATHS, "deaths")):
            self._storage.set_trial_attributes(key, {self._ids[job.number]: getattr(job, attribute) for job in adopted})
        self.adopted += adopted
        self.record(sorted(spooled, key=lambda result: (str(result.finished), result.number)))
        self.next_pack = max(self.next_pack, *(1 + (result.pack or 0) for result in spooled), 0)

    def _measure_by(self, trial: FrozenTrial) -> None:
        """Let later trials be measured by one that ended in an earlier run."""
        rungs = trial.user_attrs.get(RESULT, {}).get("rungs", ())
        complete = trial.state is TrialState.COMPLETE
        values = tuple(RungValues.model_validate(rung) for rung in rungs)
        self._yardsticks.add(int(trial.user_attrs.get(ENDED_AS, 0)), values, complete=complete)

    def _ranked(self, trial: FrozenTrial) -> tuple[float, ...] | None:
        """The objectives of a trial that can be the best: a complete one within all constraints."""
        if trial.state is not TrialState.COMPLETE:
            return None
        features = trial.user_attrs.get(RESULT, {}).get("features", {})
        within = all(excess <= 0 for excess in self._spec.evaluation.violations(features))
        return tuple(trial.values) if within else None

    def _count(self, number: int, objectives: tuple[float, ...] | None, *, failed: bool) -> None:
        self.ended += 1
        self.failures += failed
        if objectives is None:
            return
        here = tuple((value, number) for value in objectives)
        self.best = tuple(map(min, self.best, here)) if self.best else here

    def _is_whole(self, trial: FrozenTrial) -> bool:
        return set(self._spec.search_space.active(trial.params)) - set(self._spec.search_space.fixed) == set(
            trial.params
        )

    def _fail(self, number: int, reason: str) -> None:
        job = TrialJob(number, 1, self._running[number], self._seeds)
        self.record([self.failed(job, reason)])


def _ending_of(result: TrialResult) -> TrialState:
    if result.stopped is not None:
        return TrialState.PRUNED
    return TrialState.FAIL if result.objectives is None else TrialState.COMPLETE


def _id_of(trial: FrozenTrial) -> int:
    # Optuna hands out ids of trials in no other way.
    return int(trial._trial_id)  # noqa: SLF001
