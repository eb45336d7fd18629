"""The runner "here": a job is a process of this machine that outlives the terminal it was started from."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from cluster.errors import ClusterError
from cluster.files import write_atomic
from cluster.job import NAME, Job, JobSpec, JobState, JobStatus, Record, Resources
from cluster.process import ProcessId
from cluster.profile import HereProfile
from cluster.supervise import EXIT, LOG, PROCESS

_JOB = "job.json"
_POLL_SECONDS = 0.1
Model = TypeVar("Model", bound=Record)
_START_SECONDS = 120.0  # generous: the home of a busy machine may be a network disk


class _Submission(Record):
    """``job.json``: what was asked for. Of the environment only the names."""

    name: str
    command: tuple[str, ...]
    cwd: Path
    variables: tuple[str, ...]
    resources: Resources
    submitted: datetime


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

    def render(self, spec: JobSpec) -> str:
        """The command line, the folder and the names of the variables."""
        variables = sorted({*self.profile.environment, *spec.environment})
        return "\n".join(
            [
                "on this machine, detached from the terminal:",
                f"  cd {shlex.quote(str(_cwd(spec)))}",
                *(f"  export {name}=..." for name in variables),
                f"  {shlex.join(spec.command)}",
                f"records and log: {self.folder / spec.name}",
            ]
        )

    def submit(self, spec: JobSpec) -> Job:
        """Start the command; returns when it runs."""
        _check(spec)
        folder = self.folder / spec.name
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            folder.mkdir()  # the name is taken by whoever makes the folder
        except FileExistsError:
            state = self.status(spec.name).state.value if folder.is_dir() else "in the way"
            raise ClusterError(
                f"{spec.name}: a job of that name is {state} in {self.folder}; choose another name"
            ) from None
        except OSError as error:
            raise ClusterError(f"{self.folder}: cannot keep jobs there: {error.strerror}") from None
        try:
            self._start(spec, folder)
        except ClusterError:
            shutil.rmtree(folder)
            raise
        return Job(spec.name, self)

    def jobs(self) -> list[JobStatus]:
        """Every job on record, in the order of submission."""
        names = [path.parent.name for path in self.folder.glob(f"*/{_JOB}")]
        return sorted((self.status(name) for name in names), key=lambda status: (status.submitted, status.name))

    def status(self, name: str) -> JobStatus:
        """Where the job stands, from its records and the processes that they name."""
        submission = self._submission(name)
        processes = _read(_Processes, self.folder / name / PROCESS)
        running = processes is not None and processes.alive()
        # Read after the look at the processes: a job that ended in between has left its exit code by now.
        exited = _read(_Exit, self.folder / name / EXIT)
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
        self._submission(name)
        return self._lines(name, follow=follow, tail=tail)

    def cancel(self, name: str) -> JobStatus:
        """SIGTERM to the job, SIGKILL after the profile's grace time; returns when it is gone."""
        self._submission(name)
        processes = _read(_Processes, self.folder / name / PROCESS)
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
        shutil.rmtree(self.folder / name)

    def _start(self, spec: JobSpec, folder: Path) -> None:
        environment = {**self.profile.environment, **spec.environment}
        submission = _Submission(
            name=spec.name,
            command=spec.command,
            cwd=_cwd(spec),
            variables=tuple(sorted(environment)),
            resources=spec.resources,
            submitted=datetime.now(UTC),
        )
        write_atomic(folder / _JOB, submission.model_dump_json(indent=2) + "\n")
        # -P: a folder named like one of our packages in the job's working folder is not imported instead of it.
        command = [sys.executable, "-P", "-m", "cluster.supervise"]
        command += ["--grace", str(self.profile.grace_seconds)]
        if spec.resources.walltime is not None:
            command += ["--walltime", str(spec.resources.walltime)]
        command += [str(folder), "--", *spec.command]
        try:
            answer = subprocess.run(
                command,
                cwd=submission.cwd,
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

    def _submission(self, name: str) -> _Submission:
        submission = _read(_Submission, self.folder / name / _JOB) if NAME.fullmatch(name) else None
        if submission is None:
            known = sorted(path.parent.name for path in self.folder.glob(f"*/{_JOB}"))
            raise ClusterError(f"{name}: no such job in {self.folder}; known: {', '.join(known) or 'none'}")
        return submission

    def _wait(self, name: str, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not (ended := self.status(name).state.ended) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        return ended

    def _lines(self, name: str, *, follow: bool, tail: int | None) -> Iterator[str]:
        log = self.folder / name / LOG
        while follow and not log.exists() and not self.status(name).state.ended:
            time.sleep(_POLL_SECONDS)
        if not log.exists():
            return
        with log.open(encoding="utf-8", errors="replace") as file:
            if tail is not None:
                yield from (line.rstrip("\n") for line in deque(file, maxlen=tail))
            rest = ""
            while True:
                # Asked before reading: what it wrote until it ended is read in this round.
                last_round = not follow or self.status(name).state.ended
                *lines, rest = (rest + file.read()).split("\n")
                yield from lines
                if last_round:
                    break
                time.sleep(_POLL_SECONDS)
            if rest:
                yield rest


def _cwd(spec: JobSpec) -> Path:
    return (spec.cwd or Path.cwd()).resolve()


def _check(spec: JobSpec) -> None:
    """Refuse what this machine cannot give."""
    wanted, cores = spec.resources, len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    if wanted.nodes > 1:
        raise ClusterError(f"{spec.name}: asks for {wanted.nodes} nodes; kind 'here' has 1")
    if wanted.cpus is not None and wanted.cpus > cores:
        raise ClusterError(f"{spec.name}: asks for {wanted.cpus} cores; this machine has {cores}")
    if not _cwd(spec).is_dir():
        raise ClusterError(f"{spec.name}: the folder to run in, {_cwd(spec)}, does not exist")


def _outcome(exited: _Exit) -> tuple[JobState, str]:
    if exited.reason == "cancelled":
        return JobState.CANCELLED, "stopped on request"
    if exited.reason == "walltime":
        return JobState.TIMEOUT, "stopped at its walltime"
    if exited.code < 0:
        return JobState.FAILED, f"killed by {signal.Signals(-exited.code).name}"
    return (JobState.FAILED, f"exit code {exited.code}") if exited.code else (JobState.DONE, "")


def _read(model: type[Model], path: Path) -> Model | None:
    """The record, or None where it was not written yet."""
    try:
        return model.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (json.JSONDecodeError, ValidationError) as error:
        raise ClusterError(f"not a record of a job: {str(error).splitlines()[0]}", location=str(path)) from None
