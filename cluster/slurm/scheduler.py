"""Slurm's commands: what is asked of them, and how their answers are read."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cluster.errors import ClusterError
from cluster.job import JobState

_SECONDS: Final = 60
_LATE: Final = "timed out"
"""What Slurm's commands say when the controller did not answer them in time."""
_WORDS: Final = {
    JobState.QUEUED: "PENDING CONFIGURING REQUEUED REQUEUE_HOLD REQUEUE_FED SPECIAL_EXIT",
    JobState.RUNNING: "RUNNING COMPLETING SUSPENDED STOPPED RESIZING SIGNALING STAGE_OUT",
    JobState.DONE: "COMPLETED",
    JobState.CANCELLED: "CANCELLED PREEMPTED",
    JobState.TIMEOUT: "TIMEOUT DEADLINE",
}
_STATES: Final = {word: state for state, words in _WORDS.items() for word in words.split()}


class NoAnswerError(ClusterError):
    """Slurm did not answer in time: what was asked for may have happened or not."""


@dataclass(frozen=True)
class QueueEntry:
    """What Slurm says of a job: its state in Slurm's word and in ours, and a reason where it has one."""

    word: str
    reason: str = ""

    @property
    def state(self) -> JobState:
        """Our word; whatever else Slurm calls an end is a failure."""
        return _STATES.get(self.word, JobState.FAILED)


def send(script: Path, environment: Mapping[str, str]) -> int:
    """Submit a batch script; the job's number.

    Args:
        script: the file.
        environment: variables on top of ours.

    Raises:
        NoAnswerError: Slurm may have taken it or not.
        ClusterError: Slurm refuses, in its words.
    """
    # Of a job in which we may be running ourselves nothing is to be inherited.
    own = {key: value for key, value in os.environ.items() if key == "SLURM_CONF" or not key.startswith("SLURM_")}
    own.pop("SBATCH_EXPORT", None)
    answer = _run(["sbatch", "--parsable", str(script)], {**own, **environment})
    if answer.returncode != 0:
        if _LATE in answer.stderr:
            raise NoAnswerError(f"Slurm does not answer: {_complaint(answer)}")
        raise ClusterError(f"Slurm refuses the job: {_complaint(answer)}")
    return int(answer.stdout.strip().partition(";")[0])


def by_script() -> dict[str, int]:
    """The numbers of this user's jobs that wait or run, by their batch scripts; one call.

    A name would not tell them apart: jobs of other folders may have it, and a directive may change it.

    Raises:
        ClusterError: Slurm does not answer.
    """
    answer = _run(["squeue", "--me", "--noheader", "--format=%A|%T|%o"])
    if answer.returncode != 0:
        raise ClusterError(f"Slurm does not answer: {_complaint(answer)}")
    fields = [line.split("|", 2) for line in answer.stdout.splitlines() if line.count("|") >= 2]
    # Without those that have ended: they may be older ones of the same folder, whose record was removed.
    return {script.strip(): int(number) for number, word, script in fields if not QueueEntry(word).state.ended}


def queue() -> dict[int, QueueEntry]:
    """All jobs of this user that Slurm still has in mind, by number; one call.

    Raises:
        ClusterError: Slurm does not answer.
    """
    answer = _run(["squeue", "--me", "--states=all", "--noheader", "--format=%A|%T|%r"])
    if answer.returncode != 0:
        raise ClusterError(f"Slurm does not answer: {_complaint(answer)}")
    fields = (line.split("|", 2) for line in answer.stdout.splitlines() if line.count("|") >= 2)
    return {int(number): QueueEntry(word, "" if reason == "None" else reason) for number, word, reason in fields}


def accounted(jobs: Sequence[int]) -> dict[int, QueueEntry]:
    """What the site's accounting still knows of jobs that the queue has forgotten; nothing where there is none."""
    if not jobs or shutil.which("sacct") is None:
        return {}
    numbers = ",".join(map(str, jobs))
    answer = _run(["sacct", "--jobs", numbers, "--allocations", "--noheader", "--parsable2", "--format=JobIDRaw,State"])
    if answer.returncode != 0:
        return {}
    fields = (line.split("|") for line in answer.stdout.splitlines() if line.count("|") == 1)
    return {int(number): QueueEntry(state.split()[0]) for number, state in fields if number.isdigit() and state}


def signal_batch(job: int, name: str) -> None:
    """Signal the batch script alone, if it runs."""
    _run(["scancel", f"--signal={name}", "--batch", str(job)])


def cancel(jobs: Sequence[int]) -> None:
    """End jobs, whatever state they are in; one call.

    Raises:
        ClusterError: Slurm does not answer.
    """
    answer = _run(["scancel", *map(str, jobs)])
    # Of one that is over and forgotten Slurm says that its number is invalid.
    if answer.returncode != 0 and "Invalid job id" not in answer.stderr:
        raise ClusterError(f"Slurm does not cancel the job: {_complaint(answer)}")


def _run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise ClusterError(f"{command[0]}: there is no such command here; Slurm's are on its login nodes") from None
    except subprocess.TimeoutExpired:
        raise NoAnswerError(f"{command[0]}: no answer from Slurm within {_SECONDS} s") from None


def _complaint(answer: subprocess.CompletedProcess[str]) -> str:
    """What a command says on standard error, without its own name."""
    lines = [line.partition(": error: ")[2] or line for line in answer.stderr.splitlines() if line.strip()]
    return "; ".join(lines) or f"exit code {answer.returncode}"
