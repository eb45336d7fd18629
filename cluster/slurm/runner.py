"""The runner "slurm": a job is a batch job that goes on in further runs, known to Slurm by one or more numbers."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cluster.errors import ClusterError
from cluster.files import write_atomic
from cluster.following import log_lines
from cluster.job import Job, JobSpec, JobState, JobStatus
from cluster.records import Records
from cluster.slurm import scheduler
from cluster.slurm.profile import SlurmProfile
from cluster.slurm.script import LOG, MORE_TO_DO, render

SCRIPT: Final = "job.sh"
IDS: Final = "ids"
RUNS: Final = "runs"
EXIT: Final = "exit"
CANCELLED: Final = "cancelled"
_POLL_SECONDS: Final = 1.0
_ASK_SECONDS: Final = 15.0  # between two questions to Slurm while a log is followed
_END_SECONDS: Final = 120.0  # Slurm's own patience with a job that it ends is 30 s at most sites


@dataclass(frozen=True)
class _Exit:
    """The batch script's last word."""

    code: int
    ended: datetime
    reason: str


@dataclass(frozen=True)
class _Answer:
    """Slurm's numbers of jobs, and what it said of them."""

    numbers: Mapping[str, int]
    queue: Mapping[int, scheduler.QueueEntry]


class SlurmRunner:
    """Runs jobs on Slurm; keeps the contract of `cluster.Runner`.

    A job's folder must be on a disk that the nodes see. It holds, besides the record, ``job.sh``, ``log.txt``, ``ids``
    (the numbers of the job and of its successors), ``runs`` (a line for each run), ``exit`` (the script's last word)
    and the folder of the present run, with the token of its Ray cluster.

    Args:
        profile: of the site.
        folder: where the records lie, one folder per job.
    """

    def __init__(self, profile: SlurmProfile, folder: Path) -> None:
        self.profile = profile
        self.folder = folder.absolute()
        self._records = Records(folder)

    def render(self, spec: JobSpec) -> str:
        """The batch script."""
        return render(spec, self.profile.with_resources(spec.resources), self.folder / spec.name)

    def submit(self, spec: JobSpec) -> Job:
        """Queue the job."""
        script = self.render(spec)
        checked = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)  # noqa: S607
        if checked.returncode != 0:
            complaint = checked.stderr.strip().splitlines()[:1] or ["no reason given"]
            raise ClusterError(f"{spec.name}: the set-up lines of the profile are not bash: {complaint[0]}")
        with self._records.claim(spec, self.profile) as folder:
            write_atomic(folder / SCRIPT, script)
            lost = ""
            try:
                number = scheduler.send(folder / SCRIPT, {**self.profile.environment, **spec.environment})
            except scheduler.NoAnswerError as error:
                lost = str(error)
            except ClusterError as error:
                raise ClusterError(f"{spec.name}: {error}") from None
            else:
                try:
                    write_atomic(folder / IDS, f"{number}\n")
                except OSError:  # nothing runs that is not on record
                    scheduler.cancel([number])
                    raise
            # The answer was lost, perhaps after the job was taken; if that cannot be said either, the record stays.
            if lost and self._has_no_number(spec.name):
                raise ClusterError(f"{spec.name}: {lost}")
        if lost and not self._ids(spec.name):
            raise ClusterError(f"{spec.name}: {lost}; the job may have been taken all the same, see: eiann status")
        return Job(spec.name, self)

    def _has_no_number(self, name: str) -> bool:
        """Whether Slurm says that it has no such job; if it has one, its number is kept."""
        try:
            self._adopt([name])
        except ClusterError:
            return False
        return not self._ids(name)

    def _adopt(self, names: Iterable[str]) -> None:
        """Find the numbers of jobs whose submitter was never told one, or died before it was written.

        Raises:
            ClusterError: Slurm does not answer.
        """
        if not (untold := [name for name in names if not self._ids(name)]):
            return
        numbers = scheduler.by_script()
        for name in untold:
            if number := numbers.get(str(self.folder / name / SCRIPT)):
                write_atomic(self.folder / name / IDS, f"{number}\n")

    def jobs(self) -> list[JobStatus]:
        """Every job of this site on record, in the order of submission; Slurm is asked once, or twice."""
        names = self._records.names(self.profile.site)
        if not names:
            return []
        asked = self._ask(names)
        return sorted((self._status(name, asked) for name in names), key=lambda status: (status.submitted, status.name))

    def status(self, name: str) -> JobStatus:
        """Where the job stands, from Slurm's queue and from what the batch script wrote."""
        self._records.submission(name)
        return self._status(name, self._ask([name]))

    def logs(self, name: str, *, follow: bool = False, tail: int | None = None) -> Iterator[str]:
        """The lines of the job's log, of all its runs."""
        self._records.submission(name)
        asked = -_ASK_SECONDS
        ended = False

        def has_ended() -> bool:
            nonlocal asked, ended
            now = time.monotonic()
            if self._exit(name) is not None or now - asked >= _ASK_SECONDS:
                asked = now
                ended = self.status(name).state.ended
            return ended

        return log_lines(self.folder / name / LOG, has_ended, follow=follow, tail=tail)

    def cancel(self, name: str) -> JobStatus:
        """SIGTERM to the command; the job's end after the profile's grace time; returns when it is gone."""
        status = self.status(name)
        if status.state.ended:
            return status
        (self.folder / name / CANCELLED).touch()  # no further run begins from now on
        if status.state is JobState.RUNNING:
            scheduler.signal_batch(self._ids(name)[-1], "TERM")
            self._wait(name, self.profile.grace_seconds)
        scheduler.cancel(self._ids(name))
        if not self._wait(name, _END_SECONDS):
            raise ClusterError(f"{name}: Slurm was told to end it, and it is not gone after {_END_SECONDS:.0f} s")
        if self._exit(name) is None:
            write_atomic(self.folder / name / EXIT, f"143\n{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}\ncancelled\n")
        return self.status(name)

    def forget(self, name: str) -> None:
        """Remove the record of an ended job."""
        status = self.status(name)
        if not status.state.ended:
            raise ClusterError(f"{name}: is {status.state.value}; cancel it first")
        self._records.remove(name)

    def _ask(self, names: list[str]) -> _Answer:
        """Slurm's queue; and of jobs that it has forgotten and that left no word, what the accounting knows."""
        self._adopt(names)
        numbers = self._numbers(names)
        queue = scheduler.queue()
        while (now := self._numbers(names)) != numbers:  # a job handed over to its successor in between
            numbers, queue = now, scheduler.queue()
        lost = [number for name, number in numbers.items() if number not in queue and self._exit(name) is None]
        return _Answer(numbers, {**scheduler.accounted([number for number in lost if number]), **queue})

    def _numbers(self, names: list[str]) -> dict[str, int]:
        """Slurm's present number of each job; 0 if it has none."""
        return {name: ids[-1] if (ids := self._ids(name)) else 0 for name in names}

    def _status(self, name: str, asked: _Answer) -> JobStatus:
        submission, runs, number = self._records.submission(name), self._runs(name), asked.numbers[name]
        # The queue was read before the exit: a job that ended in between has left its word by now.
        entry, exited = asked.queue.get(number), self._exit(name)
        started = runs[-1] if runs else None
        where = f"Slurm job {number}" + (f", run {len(runs)}" if len(runs) > 1 else "")
        queued = entry is not None and entry.state is JobState.QUEUED
        if exited is not None and not queued:
            state, reason = _outcome(exited)
            detail = f"{where}: {reason}" if reason else where
            return JobStatus(name, state, submission.submitted, started, exited.ended, exited.code, detail)
        if entry is None:
            state, reason = JobState.LOST, "Slurm no longer knows it, and it left no exit code"
            if not number:
                where, reason = "Slurm told no number", "it knows no such job"
        elif entry.state is JobState.DONE:  # not by its own last word
            state, reason = JobState.LOST, "it left no exit code"
        else:
            state, reason = entry.state, _reason(entry)
        detail = f"{where}: {reason}" if reason else where
        return JobStatus(name, state, submission.submitted, None if queued else started, detail=detail)

    def _ids(self, name: str) -> list[int]:
        """Numbers of the job and its successors, the present one last."""
        submitted = [int(line) for line in self._lines(name, IDS) if line.isdigit()]
        # A submitter that was killed at the wrong moment left none; the job itself notes its number too.
        return submitted or [int(line.split()[0]) for line in self._lines(name, RUNS) if line]

    def _runs(self, name: str) -> list[datetime]:
        """When each run began."""
        return [datetime.fromisoformat(line.split()[1]) for line in self._lines(name, RUNS) if len(line.split()) > 1]

    def _exit(self, name: str) -> _Exit | None:
        lines = self._lines(name, EXIT)
        return _Exit(int(lines[0]), datetime.fromisoformat(lines[1]), " ".join(lines[2:])) if len(lines) > 1 else None

    def _lines(self, name: str, file: str) -> list[str]:
        try:
            return (self.folder / name / file).read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return []

    def _wait(self, name: str, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not (ended := self.status(name).state.ended) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        return ended


def _outcome(exited: _Exit) -> tuple[JobState, str]:
    if exited.reason == "cancelled":
        return JobState.CANCELLED, "stopped on request"
    if exited.code == MORE_TO_DO:
        return JobState.TIMEOUT, f"has more to do, and does not go on: {exited.reason}"
    if exited.code:
        return JobState.FAILED, exited.reason or f"exit code {exited.code}"
    return JobState.DONE, exited.reason


def _reason(entry: scheduler.QueueEntry) -> str:
    if entry.state is JobState.RUNNING:
        return "" if entry.word == "RUNNING" else entry.word.lower()
    if entry.state is JobState.TIMEOUT:
        return "ended by its walltime, before the command had finished; a longer signal_seconds gives it more time"
    return entry.reason if entry.state is JobState.QUEUED else f"{entry.word.lower()} {entry.reason}".strip()
