"""What a driver decides, wherever packs are computed: which trials form the next one, and what comes of each."""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from eiann.errors import UserError
from optimize.study import Ledger, TrialJob, TrialResult
from optimize.tune.pack import Pack

log = logging.getLogger(__name__)

_FAILED_STARTS: Final = 10
_FAILED_STARTS_PER_SLOT: Final = 5
"""Workers in a row that could not be started, while none computes, until the run ends: it is not for the trials. The
second is for machines of which some fail at once, before the others have loaded anything."""
_ALONE_FROM: Final = 2
"""Drivers that ended without a word from which on a trial runs alone: it may be what takes them down."""


class PackFailure(Enum):
    """Why a pack has no results; the number is how many attempts a trial has that ends so, in a pack or alone.

    A trainer that raises does so again, most likely; a second chance is for a machine that was short of something.
    Workers also die for reasons of their machine, and of those a trial may meet two.
    """

    RAISED = 2
    DIED = 3


@dataclass(frozen=True)
class DriverStatus:
    """Where a driver stands; what is shown to people.

    Attributes:
        budget: trials that the study shall have.
        ended: trials that ended, of any state.
        failed: those of them that failed.
        recorded: trials that ended in this run.
        running: packs that are being computed.
        best: lowest value of each objective, and the number of its trial.
        last_failure: of the last failed trial.
        seconds: since the start of this run.
        stopping: why no further packs are started, or ``None``.
    """

    budget: int
    ended: int
    failed: int = 0
    recorded: int = 0
    running: int = 0
    best: tuple[tuple[float, int], ...] = ()
    last_failure: str | None = None
    seconds: float = 0.0
    stopping: str | None = None

    @property
    def seconds_left(self) -> float | None:
        """Estimate from the pace of this run."""
        if not self.recorded:
            return None
        return (self.budget - self.ended) * self.seconds / self.recorded


class Driver:
    """Forms packs and takes their results.

    Args:
        ledger: of the study.
        budget: trials that the study shall have in the end; trials of any state that ended count.
        pack_size: trials in a pack.
        watch: told the status after every change.
    """

    def __init__(
        self, ledger: Ledger, budget: int, pack_size: int, watch: Callable[[DriverStatus], None] = lambda _status: None
    ) -> None:
        self._ledger = ledger
        self._pack_size = pack_size
        self._watch = watch
        self._alone = deque(job for job in ledger.adopted if job.deaths >= _ALONE_FROM)
        self._adopted = deque(job for job in ledger.adopted if job.deaths < _ALONE_FROM)
        self._running: dict[int, Pack] = {}
        self._begun: set[int] = set()
        self._failures: Counter[tuple[int, PackFailure]] = Counter()
        self._failed_starts = 0
        self._status = DriverStatus(budget=budget, ended=ledger.ended)
        self._clock = time.monotonic()
        if ledger.adopted:
            log.info("taking up %d trials of an earlier run", len(ledger.adopted))

    @property
    def status(self) -> DriverStatus:
        """Where it stands now."""
        running = len(self._running)
        return replace(
            self._status,
            ended=self._ledger.ended,
            failed=self._ledger.failures,
            best=self._ledger.best,
            running=running,
            seconds=time.monotonic() - self._clock,
        )

    @property
    def is_complete(self) -> bool:
        """Whether the study has its budget."""
        return not self._running and not self._alone and not self._adopted and self._open <= 0

    @property
    def is_stopping(self) -> bool:
        """Whether no further packs are started."""
        return self._status.stopping is not None

    def is_finished(self) -> bool:
        """Whether nothing is being done, and nothing is left to do or nothing more shall be."""
        return not self._running if self.is_stopping else self.is_complete

    def stop_starting(self, reason: str) -> None:
        """Start no further packs. Those that are being computed may finish; the rest is for the next run."""
        self._status = replace(self._status, stopping=reason)
        self._watch(self.status)

    def leave(self, more: Iterable[TrialJob] = ()) -> None:
        """Leave what is not computed to the next run, as no fault of these trials.

        Args:
            more: trials besides those that run or wait here.
        """
        running = (job for pack in self._running.values() for job in pack.jobs)
        self._ledger.release([*running, *self._adopted, *self._alone, *more])

    @property
    def _open(self) -> int:
        """Trials that the budget still allows to propose."""
        waiting = len(self._alone) + len(self._adopted) + sum(len(pack.jobs) for pack in self._running.values())
        return self._status.budget - self._ledger.ended - waiting

    def next_pack(self) -> Pack | None:
        """The next pack, or ``None`` if there is none now."""
        if self.is_stopping:
            jobs = []
        elif self._adopted:
            jobs = [self._adopted.popleft() for _ in range(min(self._pack_size, len(self._adopted)))]
        elif self._open > 0:
            jobs = self._propose()
        elif self._alone:
            jobs = [self._alone.popleft()]
        else:
            jobs = []
        if not jobs:
            return None
        pack = Pack(self._ledger.next_pack, tuple(jobs))
        self._ledger.next_pack += 1
        self._running[pack.number] = pack
        log.info("%s: trials %s", pack, ", ".join(str(job.number) for job in pack.jobs))
        self._watch(self.status)
        return pack

    def begin(self, pack: Pack) -> None:
        """A worker takes the pack."""
        self._begun.add(pack.number)
        self._failed_starts = 0

    def receive(self, pack: Pack, results: Iterable[TrialResult]) -> None:
        """Record the results of a pack."""
        self._end(pack)
        for result in self._ledger.record(results):
            self._count(result)
        self._watch(self.status)

    def fail(self, pack: Pack, reason: str, how: PackFailure = PackFailure.DIED) -> None:
        """A pack could not be computed: its trials run again, each alone; one that was alone too often has failed.

        A worker that died after its results were durable has computed them all the same: they are recorded. One that
        never took the pack, since it could not be started or sat idle on a machine that is gone, says nothing about
        trials.

        Raises:
            UserError: no worker can be started. The trials are left as they are, for a run on better machines.
        """
        begun = pack.number in self._begun
        if not self._end(pack):
            return  # Its results are here already; what failed came after them.
        if not begun:
            self._give_back(pack, reason)
            return
        kept = [result for job in pack.jobs if (result := self._ledger.spooled(job.number)) is not None]
        if kept:
            log.info("%s failed (%s) after it had written %d results", pack, reason, len(kept))
            self.receive(pack, kept)
        done = {result.number for result in kept}
        left = [job for job in pack.jobs if job.number not in done]
        if not left:
            return
        self._failures.update((job.number, how) for job in left)
        if len(pack.jobs) == 1 and self._failures[left[0].number, how] >= how.value:
            failed = self._ledger.failed(left[0], f"could not be computed: {reason}")
            self.receive(pack, [failed.model_copy(update={"pack": pack.number})])
            return
        log.warning("%s failed (%s); its trials run again, each alone", pack, reason)
        self._alone.extend(self._ledger.retry(job) for job in left)
        self._watch(self.status)

    def _give_back(self, pack: Pack, reason: str) -> None:
        self._failed_starts += 1
        patience = max(_FAILED_STARTS, _FAILED_STARTS_PER_SLOT * (1 + len(self._running)))
        if self._failed_starts >= patience and not self._begun:
            self.leave(pack.jobs)
            raise UserError(f"no worker can be started, after {self._failed_starts} attempts: {reason}")
        log.warning("%s was not begun (%s)", pack, reason)
        first = pack.jobs[0]
        was_alone = len(pack.jobs) == 1 and (self._has_failed(first) or first.deaths >= _ALONE_FROM)
        (self._alone if was_alone else self._adopted).extendleft(reversed(pack.jobs))
        self._watch(self.status)

    def _has_failed(self, job: TrialJob) -> bool:
        return any(self._failures[job.number, how] for how in PackFailure)

    def _end(self, pack: Pack) -> bool:
        """Whether the pack was running until now."""
        self._begun.discard(pack.number)
        return self._running.pop(pack.number, None) is not None

    def _propose(self) -> list[TrialJob]:
        while (wanted := min(self._pack_size, self._open)) > 0:
            if jobs := self._ledger.propose(wanted):
                return jobs
        return []

    def _count(self, result: TrialResult) -> None:
        self._status = replace(self._status, recorded=self._status.recorded + 1)
        if result.stopped is not None:
            log.info("trial %d: %s", result.number, result.stopped)
        elif result.objectives is None:
            log.info("trial %d failed: %s", result.number, result.failure)
            self._status = replace(self._status, last_failure=f"trial {result.number}: {result.failure}")
