"""A pack whose trials need not be computed to the end: rungs, stopping, racing, and slots that are filled again.

The instances of a trial are replicas of their own, computed in stages. Only the first stage of every trial is certain:
at its rungs the trial is compared with what earlier trials had there, given up or allowed its next instances. Replicas
come and go in a stream of a few slots; whatever one leaves free, the next one takes.

A decision rests on the trial's own values at the rung and on its yardstick, which is fixed when the trial is proposed.
So it depends neither on the slots, nor on the company in the pack, nor on what takes how long; and what is not given
up has the very result that it would have had without any rules.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from optimize.early import RungValues, hopeless, is_contender
from optimize.objective import EvaluationSettings, InstanceOutcome, Seeds, cost, judge
from optimize.objective.aggregate import aggregated, combine
from optimize.space import ObjectiveSpec, Race, Stopping
from optimize.study import StudySpec, TrialJob, TrialResult
from optimize.tune.pack import Pack
from optimize.tune.trainer import PackTrainer

_KNOWN_AT_SAMPLES = ("accuracy", "loss")
Key = tuple[int, int]


@dataclass(frozen=True)
class ReplicaRequest:
    """One instance of one trial to be trained.

    Attributes:
        key: (number of the trial, position of the instance).
        job: the trial.
        seeds: (network seed, data seed).
    """

    key: Key
    job: TrialJob
    seeds: Seeds


@dataclass(frozen=True)
class RungReport:
    """What a replica had after some training steps.

    Attributes:
        key: of its request.
        steps: taken.
        features: ``accuracy`` in percent and ``loss``, on the validation data.
    """

    key: Key
    steps: int
    features: dict[str, float]


class ReplicaTrainer(Protocol):
    """A trainer that takes replicas one by one; ``PackTrainer`` says what holds for both."""

    def stream(self, source: ReplicaSource, *, slots: int, rungs: Sequence[int]) -> Iterator[str]:
        """Train what the source has, at most so many at a time.

        Args:
            source: asked for the next replica whenever a slot is free, told of reports and of outcomes.
            slots: replicas at a time.
            rungs: numbers of training steps after which a replica is reported.

        Yields:
            The name of the executor, after each replica that has ended.
        """
        ...


class ReplicaSource(Protocol):
    """Where replicas come from, and what becomes of them."""

    def next(self) -> ReplicaRequest | None:
        """The next replica, or ``None`` if there is none before others have ended."""
        ...

    def decide(self, reports: Sequence[RungReport]) -> Iterator[Hashable]:
        """Keys of replicas to be stopped."""
        ...

    def receive(self, key: Key, outcome: InstanceOutcome | None) -> None:
        """A replica has ended; without outcome if it was stopped."""
        ...


@dataclass
class _Course:
    """How far one trial is."""

    job: TrialJob
    released: int = 0
    outcomes: dict[int, InstanceOutcome] = field(default_factory=dict)
    reports: dict[int, dict[int, dict[str, float]]] = field(default_factory=dict)
    rungs: list[RungValues] = field(default_factory=list)
    stopped: str | None = None
    over: bool = False


class StagedPack:
    """Source of the replicas of a pack, and its judge.

    Args:
        jobs: its trials.
        settings: how they are evaluated.
        stopping, race: the rules; at least one of them.
    """

    def __init__(
        self, jobs: Sequence[TrialJob], settings: EvaluationSettings, stopping: Stopping | None, race: Race | None
    ) -> None:
        self._settings = settings
        self._stopping = stopping
        self._race = race
        self._courses = {job.number: _Course(job) for job in jobs}
        self._waiting = deque(job.number for job in jobs)
        self._open = [job.number for job in jobs]
        self._ready: deque[ReplicaRequest] = deque()
        self._at_samples = tuple(name for name in settings.objectives if name in _KNOWN_AT_SAMPLES) or ("loss",)

    # ---------------------------------------------------------------------------------------------------- replicas

    def next(self) -> ReplicaRequest | None:
        """Further instances of trials that were begun, then the next trial."""
        if not self._ready and self._waiting:
            self._release(self._courses[self._waiting.popleft()])
        return self._ready.popleft() if self._ready else None

    def decide(self, reports: Sequence[RungReport]) -> Iterator[Hashable]:
        """All replicas of those trials that are given up at a rung of samples."""
        for report in reports:
            number, position = report.key
            course = self._courses[number]
            # Instances of later stages follow a decision that was about more than their samples.
            if course.over or self._stopping is None or position >= self._stages(course)[0]:
                continue
            here = course.reports.setdefault(report.steps, {})
            here[position] = report.features
            if len(here) < self._stages(course)[0]:
                continue
            values = self._values_at_samples(report.steps, [here[i] for i in sorted(here)])
            if values is None:
                continue
            course.rungs.append(values)
            course.stopped = hopeless(values, course.job.yardstick, self._stopping)
            if course.stopped is not None:
                course.over = True
                yield from ((number, i) for i in range(course.released))

    def receive(self, key: Key, outcome: InstanceOutcome | None) -> None:
        """Take an instance's outcome; behind the last one of a stage it is decided how the trial goes on."""
        number, position = key
        course = self._courses[number]
        if outcome is None or course.over:
            return
        course.outcomes[position] = outcome
        if len(course.outcomes) == course.released:
            self._end_stage(course)

    def _release(self, course: _Course) -> None:
        """Let the instances of the next stage be trained."""
        until = next(stage for stage in self._stages(course) if stage > course.released)
        for position in range(course.released, until):
            seeds = course.job.seeds[position]
            self._ready.append(ReplicaRequest((course.job.number, position), course.job, seeds))
        course.released = until

    def _stages(self, course: _Course) -> list[int]:
        """Numbers of instances after which something is decided; the last is all of them."""
        total = len(course.job.seeds)
        stages = {total}
        if self._stopping is not None:
            stages.update(self._stopping.instances)
        if self._race is not None:
            stages.update(range(self._race.first, total, self._race.step))
        return sorted(stage for stage in stages if stage <= total)

    # ---------------------------------------------------------------------------------------------------- decisions

    def _end_stage(self, course: _Course) -> None:
        outcomes = self._outcomes(course)
        done, total = len(outcomes), len(course.job.seeds)
        verdict = judge(outcomes, self._settings)
        if verdict.objectives is None:
            course.over = True
            return
        values = self._values(outcomes, verdict.objectives)
        course.rungs.append(values)
        yardstick = course.job.yardstick
        if done == total:
            course.over = True
        elif self._stopping is not None and done in self._stopping.instances:
            course.stopped = hopeless(values, yardstick, self._stopping)
            course.over = course.stopped is not None
        if not course.over and self._race is not None and done >= self._race.first:
            course.over = not is_contender(values, yardstick, self._race)
        if not course.over:
            self._release(course)

    def _values(self, outcomes: Sequence[InstanceOutcome], objectives: tuple[float, ...]) -> RungValues:
        specs = self._settings.objectives
        rows = tuple(
            tuple(cost(name, outcome.features[name], spec) for name, spec in specs.items()) for outcome in outcomes
        )
        return RungValues(kind="instances", at=len(outcomes), costs=objectives, instances=rows)

    def _values_at_samples(self, steps: int, found: Sequence[dict[str, float]]) -> RungValues | None:
        specs = {name: self._settings.objectives.get(name, ObjectiveSpec()) for name in self._at_samples}
        rows = tuple(tuple(cost(name, features[name], spec) for name, spec in specs.items()) for features in found)
        if not all(math.isfinite(value) for row in rows for value in row):
            return None
        costs = tuple(
            cost(name, combine([features[name] for features in found], spec, name), spec)
            for name, spec in specs.items()
        )
        return RungValues(kind="samples", at=steps, costs=costs, instances=rows)

    # ---------------------------------------------------------------------------------------------------- results

    def known(self) -> list[TrialJob]:
        """Trials that have ended since this was asked last; whatever comes now does not change their results."""
        ended = [number for number in self._open if self._courses[number].over]
        self._open = [number for number in self._open if not self._courses[number].over]
        return [self._courses[number].job for number in ended]

    def result(self, job: TrialJob) -> tuple[tuple[InstanceOutcome, ...], str | None, tuple[RungValues, ...]]:
        """Outcomes of the instances that were finished, why the trial was given up, and its rungs."""
        course = self._courses[job.number]
        return self._outcomes(course), course.stopped, tuple(course.rungs)

    def _outcomes(self, course: _Course) -> tuple[InstanceOutcome, ...]:
        # Of a trial given up in mid-stage, which ones had ended by then would depend on the slots.
        if course.stopped is not None and course.rungs[-1].kind == "samples":
            return ()
        return tuple(course.outcomes[i] for i in sorted(course.outcomes))


def compute_staged(spec: StudySpec, trainer: PackTrainer, pack: Pack) -> Iterator[list[TrialResult]]:
    """Train a pack under the rules of its space, and judge its trials; each is yielded when it has ended."""
    document, settings = spec.search_space.document, spec.evaluation
    staged = StagedPack(pack.jobs, settings, document.stopping, document.race)
    steps = settings.run.steps * settings.run.epochs
    shares = document.stopping.samples if document.stopping else ()
    rungs = sorted({max(1, round(share * steps)) for share in shares})
    stream = _streaming(trainer).stream(staged, slots=_slots(document.stopping, document.race, pack), rungs=rungs)
    started, clock = datetime.now(UTC), time.perf_counter()
    executor = "none"
    ended = False
    while not ended:
        try:
            executor = next(stream)
        except StopIteration:  # Trials that no network can be built from end without a replica.
            ended = True
        if known := staged.known():
            seconds, finished = (time.perf_counter() - clock) / len(known), datetime.now(UTC)
            yield [
                _result(spec, pack, staged, job).model_copy(
                    update={"executor": executor, "seconds": seconds, "started": started, "finished": finished}
                )
                for job in known
            ]
            clock = time.perf_counter()  # Whoever asked may have taken time.


def _result(spec: StudySpec, pack: Pack, staged: StagedPack, job: TrialJob) -> TrialResult:
    settings = spec.evaluation
    outcomes, stopped, values = staged.result(job)
    verdict = judge(outcomes, settings)
    return TrialResult(
        study_id=spec.study_id,
        number=job.number,
        attempt=job.attempt,
        params=dict(job.params),
        instances=outcomes,
        features=aggregated(outcomes, settings),
        objectives=None if stopped else verdict.objectives,
        failure=None if stopped else verdict.failure,
        stopped=stopped,
        rungs=values,
        pack=pack.number,
        device=settings.device,
    )


def _slots(stopping: Stopping | None, race: Race | None, pack: Pack) -> int:
    if stopping is not None and stopping.slots is not None:
        return stopping.slots
    total = len(pack.jobs[0].seeds)
    first: int = min([total, *(stopping.instances if stopping else ()), *([race.first] if race else ())])
    return len(pack.jobs) * first


def _streaming(trainer: PackTrainer) -> ReplicaTrainer:
    if not hasattr(trainer, "stream"):
        raise TypeError(f"found {type(trainer).__name__}; stopping early needs a trainer with a method 'stream'")
    return trainer  # type: ignore[return-value]
