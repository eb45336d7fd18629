"""The runner "here": a job is a process of this machine that outlives the terminal it was started from."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from cluster.errors import ClusterError
from cluster.following import POLL_SECONDS, log_lines
from cluster.job import Job, JobSpec, JobState, JobStatus, Record
from cluster.process import ProcessId
from cluster.profile import Profile
from cluster.records import Records, read_record, working_folder
from cluster.storage import Place
from cluster.supervise import EXIT, LOG, PROCESS

_START_SECONDS = 120.0  # generous: the home of a busy machine may be a network disk


class HereProfile(Profile):
    """This machine.

    Args:
        grace_seconds: how long a job may take to end after it was told to, before it is killed.
    """

    kind: Literal["here"] = "here"
    grace_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 30.0

    @property
    def place(self) -> Place:
        """This machine."""
        return Place(submitter=True)


class _Processes(Record):
    """``process.json``, written by the supervisor when the command has started."""

    supervisor: ProcessId | None
    command: ProcessId | None
    started: datetime

    def alive(self) -> bool:
        return any(process is not None and process.alive() for process in (self.supervisor, self.command))


class _Exit(Record):
    """``exit.json``, the supervisor's last word."""

    code: int
    reason: str | None
    ended: datetime


class HereRunner:
    """Runs jobs on this machine; keeps the contract of `cluster.Runner`.

    Args:
        profile: what all jobs share.
        folder: where the records lie, one folder per job; made when the first job is submitted.

    Example:
        >>> import tempfile
        >>> runner = HereRunner(HereProfile(kind="here"), Path(tempfile.mkdtemp()))
        >>> job = runner.submit(JobSpec(name="greet", command=("echo", "hello")))
        >>> list(job.logs(follow=True)), job.status().state.value
        (['hello'], 'done')
    """

    def __init__(self, profile: HereProfile, folder: Path) -> None:
        self.profile = profile
        self.folder = folder.absolute()
        self._records = Records(folder)

    def render(self, spec: JobSpec) -> str:
        """The command line, the folder and the names of the variables."""
        variables = sorted({*self.profile.environment, *spec.environment})
        return "\n".join(
            [
                "on this machine, detached from the terminal:",
                f"  cd {shlex.quote(str(working_folder(spec)))}",
                *(f"  export {name}=..." for name in variables),
                f"  {shlex.join(spec.command)}",
                f"records and log: {self.folder / spec.name}",
            ]
        )

    def submit(self, spec: JobSpec) -> Job:
        """Start the command; returns when it runs."""
        _check(spec)
        with self._records.claim(spec, self.profile) as folder:
            self._start(spec, folder)
        return Job(spec.name, self)

    def jobs(self) -> list[JobStatus]:
        """Every job on record, in the order of submission."""
        found = (self.status(name) for name in self._records.names(self.profile.site))
        return sorted(found, key=lambda status: (status.submitted, status.name))

    def status(self, name: str) -> JobStatus:
        """Where the job stands, from its records and the processes that they name."""
        submission = self._records.submission(name)
        processes = read_record(_Processes, self.folder / name / PROCESS)
        running = processes is not None and processes.alive()
        # Read after the look at the processes: a job that ended in between has left its exit code by now.
        exited = read_record(_Exit, self.folder / name / EXIT)
        started = processes.started if processes else None
        if exited is not None:
            state, detail = _outcome(exited)
            return JobStatus(name, state, submission.submitted, started, exited.ended, exited.code, detail)
        if running:
            return JobStatus(name, JobState.RUNNING, submission.submitted, started)
        if processes is None and datetime.now(UTC).timestamp() - submission.submitted.timestamp() < _START_SECONDS:
            return JobStatus(name, JobState.QUEUED, submission.submitted, detail="is being started")
        detail = "its process is gone and left no exit code: it was killed, or the machine went down"
        return JobStatus(name, JobState.LOST, submission.submitted, started, detail=detail)

    def logs(self, name: str, *, follow: bool = False, tail: int | None = None) -> Iterator[str]:
        """The lines of the job's log; with ``tail`` only the last so many of those written by now."""
        self._records.submission(name)
        return log_lines(self.folder / name / LOG, lambda: self.status(name).state.ended, follow=follow, tail=tail)

    def cancel(self, name: str) -> JobStatus:
        """SIGTERM to the job, SIGKILL after the profile's grace time; returns when it is gone."""
        self._records.submission(name)
        processes = read_record(_Processes, self.folder / name / PROCESS)
        if processes is None or self.status(name).state.ended:
            return self.status(name)
        if processes.supervisor is not None and processes.supervisor.send(signal.SIGTERM):
            self._wait(name, self.profile.grace_seconds + _START_SECONDS)
        elif processes.command is not None:  # someone killed the supervisor alone: stop what it left
            processes.command.send(signal.SIGTERM)
            if not self._wait(name, self.profile.grace_seconds):
                processes.command.send_group(signal.SIGKILL)
                self._wait(name, _START_SECONDS)
        return self.status(name)

    def forget(self, name: str) -> None:
        """Remove the record of an ended job."""
        status = self.status(name)
        if not status.state.ended:
            raise ClusterError(f"{name}: is {status.state.value}; cancel it first")
        self._records.remove(name)

    def _start(self, spec: JobSpec, folder: Path) -> None:
        environment = {**self.profile.environment, **spec.environment}
        # -P: a folder named like one of our packages in the job's working folder is not imported instead of it.
        command = [sys.executable, "-P", "-m", "cluster.supervise"]
        command += ["--grace", str(self.profile.grace_seconds)]
        if spec.resources.walltime is not None:
            command += ["--walltime", str(spec.resources.walltime)]
        command += [str(folder), "--", *spec.command]
        try:
            answer = subprocess.run(
                command,
                cwd=working_folder(spec),
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                timeout=_START_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ClusterError(f"{spec.name}: the command did not start within {_START_SECONDS:.0f} s") from None
        if answer.returncode != 0:
            reason = answer.stderr.strip().splitlines()[-1:] or ["no reason given"]
            raise ClusterError(f"{spec.name}: the command did not start: {reason[0]}")

    def _wait(self, name: str, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not (ended := self.status(name).state.ended) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        return ended


def _check(spec: JobSpec) -> None:
    """Refuse what this machine cannot give."""
    wanted, cores = spec.resources, len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    if wanted.nodes > 1:
        raise ClusterError(f"{spec.name}: asks for {wanted.nodes} nodes; kind 'here' has 1")
    if wanted.cpus is not None and wanted.cpus > cores:
        raise ClusterError(f"{spec.name}: asks for {wanted.cpus} cores; this machine has {cores}")
    if not working_folder(spec).is_dir():
        raise ClusterError(f"{spec.name}: the folder to run in, {working_folder(spec)}, does not exist")


def _outcome(exited: _Exit) -> tuple[JobState, str]:
    if exited.reason == "cancelled":
        return JobState.CANCELLED, "stopped on request"
    if exited.reason == "walltime":
        return JobState.TIMEOUT, "stopped at its walltime"
    if exited.code < 0:
        return JobState.FAILED, f"killed by {signal.Signals(-exited.code).name}"
    return (JobState.FAILED, f"exit code {exited.code}") if exited.code else (JobState.DONE, "")
