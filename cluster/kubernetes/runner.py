"""The runner of the kind ``kubernetes``."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from cluster.errors import ClusterError
from cluster.files import write_atomic
from cluster.job import Job, JobSpec, JobState, JobStatus, Record
from cluster.kubernetes.kubectl import Kubectl
from cluster.kubernetes.manifest import OWNER, check, manifest, object_name
from cluster.kubernetes.profile import KubernetesProfile
from cluster.kubernetes.resources import to_yaml
from cluster.records import Records, read_record

_MANIFEST: Final = "manifest.yaml"
_OBJECT: Final = "kubernetes.json"
_END: Final = "end.json"
_LOG: Final = "log.txt"
_POLL_SECONDS: Final = 2.0
_DELETE_SECONDS: Final = 60

# The operator's view of a job, before and beside Ray's.
_WAITS: Final = frozenset({"", "New", "Initializing", "Waiting"})
_RUNS: Final = frozenset({"Running", "Retrying", "Suspending"})
_STATES: Final = {"SUCCEEDED": JobState.DONE, "STOPPED": JobState.CANCELLED, "FAILED": JobState.FAILED}
_TOO_LATE: Final = frozenset({"DeadlineExceeded", "PreRunningDeadlineExceeded"})


class _Object(Record):
    """``kubernetes.json``: the job's name there."""

    name: str


class _End(Record):
    """``end.json``: how it ended, where that would be forgotten with the object."""

    state: JobState
    ended: datetime
    detail: str


class KubernetesRunner:
    """Runs jobs as RayJobs; keeps the contract of `cluster.Runner`.

    ``render`` needs nothing but the profile; everything else calls kubectl.

    Args:
        profile: of the namespace.
        folder: where the records lie.
    """

    def __init__(self, profile: KubernetesProfile, folder: Path) -> None:
        self.profile = profile
        self.folder = folder.absolute()
        self._records = Records(folder)
        self._kubectl = Kubectl(profile.namespace, profile.context)

    def render(self, spec: JobSpec) -> str:
        """The manifest; ``kubectl create -f`` of it does what `submit` does."""
        check(self.profile, spec)
        return to_yaml(*manifest(self.profile, spec, _new_name(spec.name)))

    def submit(self, spec: JobSpec) -> Job:
        """Create the objects."""
        check(self.profile, spec)
        with self._records.claim(spec, self.profile) as folder:
            name = _new_name(spec.name)
            text = to_yaml(*manifest(self.profile, spec, name))
            write_atomic(folder / _MANIFEST, text)
            write_atomic(folder / _OBJECT, _Object(name=name).model_dump_json() + "\n")
            try:
                self._kubectl.create(text)
            except ClusterError:
                self._undo(text)
                raise
        return Job(spec.name, self)

    def jobs(self) -> list[JobStatus]:
        """Every job of this namespace on record; the cluster is asked once."""
        names = self._records.names(self.profile.site)
        open_ = [name for name in names if self._end(name) is None]
        known = self._kubectl.rayjobs(OWNER) if open_ else {}
        found = [self._judge(name, known.get(self._object(name))) for name in names]
        return sorted(found, key=lambda status: (status.submitted, status.name))

    def status(self, name: str) -> JobStatus:
        """Where the job stands."""
        self._records.submission(name)
        known = {} if self._end(name) else self._kubectl.rayjobs(OWNER)
        return self._judge(name, known.get(self._object(name)))

    def logs(self, name: str, *, follow: bool = False) -> Iterator[str]:
        """What the driver has written; from the record where the job was cancelled."""
        self._records.submission(name)
        return self._lines(name, follow=follow)

    def cancel(self, name: str) -> JobStatus:
        """Keep the log and delete the job with its pods; the operator tells the driver to stop before."""
        status = self.status(name)
        if status.state.ended:
            return status
        folder = self.folder / name
        lines: list[str] = []
        if status.state is JobState.RUNNING:
            try:
                lines = list(self._kubectl.log_lines(*self._log_of(name), follow=False))
            except ClusterError as error:
                lines = [f"(the log could not be kept: {error})"]
        write_atomic(folder / _LOG, "".join(f"{line}\n" for line in lines))
        self._kubectl.delete(self._manifest(name), wait_seconds=self.profile.stop_seconds + _DELETE_SECONDS)
        end = _End(state=JobState.CANCELLED, ended=datetime.now(UTC), detail="stopped on request, its pods deleted")
        write_atomic(folder / _END, end.model_dump_json() + "\n")
        return self.status(name)

    def forget(self, name: str) -> None:
        """Remove the record of an ended job, and its objects."""
        status = self.status(name)
        if not status.state.ended:
            raise ClusterError(f"{name}: is {status.state.value}; cancel it first")
        self._kubectl.delete(self._manifest(name), wait_seconds=_DELETE_SECONDS)
        self._records.remove(name)

    def _undo(self, text: str) -> None:
        """Delete what was created of a manifest before the rest of it was refused."""
        try:
            self._kubectl.delete(text, wait_seconds=_DELETE_SECONDS)
        except ClusterError:
            return  # the first error is the one to be told

    def _manifest(self, name: str) -> str:
        return (self.folder / name / _MANIFEST).read_text(encoding="utf-8")

    def _object(self, name: str) -> str:
        found = read_record(_Object, self.folder / name / _OBJECT)
        return found.name if found else ""

    def _end(self, name: str) -> _End | None:
        return read_record(_End, self.folder / name / _END)

    def _judge(self, name: str, known: Mapping[str, Any] | None) -> JobStatus:
        submitted = self._records.submission(name).submitted
        if (end := self._end(name)) is not None:
            return JobStatus(name, end.state, submitted, ended=end.ended, detail=end.detail)
        if known is None:
            detail = f"namespace {self.profile.namespace} has no such RayJob: somebody deleted it"
            return JobStatus(name, JobState.LOST, submitted, detail=detail)
        return judge(name, submitted, known.get("status") or {})

    def _log_of(self, name: str) -> tuple[str, ...]:
        """What kubectl calls the place where the driver's output is."""
        if self.profile.submission_mode == "K8sJobMode":
            return (f"job/{self._object(name)}",)
        head = f"ray.io/originated-from-cr-name={self._object(name)},ray.io/node-type=head"
        return (f"--selector={head}", "--container=ray-job-submitter")

    def _lines(self, name: str, *, follow: bool) -> Iterator[str]:
        while (state := self.status(name).state) is JobState.QUEUED:
            if not follow:
                return
            time.sleep(_POLL_SECONDS)
        if state is JobState.CANCELLED and (kept := self.folder / name / _LOG).exists():
            yield from kept.read_text(encoding="utf-8").splitlines()
            return
        yield from self._kubectl.log_lines(*self._log_of(name), follow=follow)


def judge(name: str, submitted: datetime, found: Mapping[str, Any]) -> JobStatus:
    """A job's status from what stands under ``status`` of its RayJob."""
    phase = str(found.get("jobDeploymentStatus") or "")
    info = found.get("rayJobInfo") or {}
    started = _time(info.get("startTime")) or (_time(found.get("startTime")) if phase not in _WAITS else None)
    ended = _time(found.get("endTime")) or _time(info.get("endTime"))
    reason, message = str(found.get("reason") or ""), " ".join(str(found.get("message") or "").split())
    detail = ": ".join(part for part in (reason, message[:200]) if part)
    if phase in _WAITS:
        return JobStatus(name, JobState.QUEUED, submitted, detail=detail or "its pods are being started")
    if phase in _RUNS:
        again = f"attempt {int(found.get('failed') or 0) + 1}" if found.get("failed") else ""
        return JobStatus(name, JobState.RUNNING, submitted, started, detail=detail or again)
    if phase == "Suspended":
        return JobStatus(name, JobState.CANCELLED, submitted, started, ended, detail="suspended, its pods deleted")
    state = _STATES.get(str(found.get("jobStatus") or ""), JobState.FAILED)
    if phase == "Failed":
        state = JobState.TIMEOUT if reason in _TOO_LATE else JobState.FAILED
    done = state is JobState.DONE
    return JobStatus(name, state, submitted, started, ended, 0 if done else None, "" if done else detail)


def _new_name(name: str) -> str:
    return object_name(name, secrets.token_hex(3))


def _time(text: object) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) and text else None
