"""The runner of the kind ``ray``."""

from __future__ import annotations

import contextlib
import json
import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cluster.errors import ClusterError
from cluster.files import write_atomic
from cluster.job import Job, JobSpec, JobState, JobStatus, Record
from cluster.ray_jobs.client import RayJob, RayJobsClient, RayUnreachableError
from cluster.ray_jobs.package import Package, pack
from cluster.ray_jobs.profile import RayProfile
from cluster.ray_jobs.request import check, job_request
from cluster.records import Records, read_record, working_folder

_AT_CLUSTER: Final = "ray.json"
_END: Final = "end.json"
_LOG: Final = "log.txt"
_STATES: Final = {
    "PENDING": JobState.QUEUED,
    "RUNNING": JobState.RUNNING,
    "SUCCEEDED": JobState.DONE,
    "FAILED": JobState.FAILED,
    "STOPPED": JobState.CANCELLED,
}
_POLL_SECONDS: Final = (0.5, 5.0)
"""From the first look to the later ones: the whole log is sent each time."""
_MARGIN_SECONDS: Final = 60.0


class _AtCluster(Record):
    """``ray.json``: the job's name at the cluster."""

    submission_id: str


class _End(Record):
    """``end.json``: how it ended, written when that is first seen, for the time after the cluster has forgotten it."""

    state: JobState
    started: datetime | None
    ended: datetime | None
    exit_code: int | None
    detail: str


class RayRunner:
    """Runs jobs on a Ray cluster; keeps the contract of `cluster.Runner`.

    Nothing of the cluster is asked before it has to be: a runner can be made, and `render` used, without it.

    Args:
        profile: of the cluster.
        folder: where the records lie.
    """

    def __init__(self, profile: RayProfile, folder: Path) -> None:
        self.profile = profile
        self.folder = folder.absolute()
        self._records = Records(folder)

    def render(self, spec: JobSpec) -> str:
        """The request, and the files that go with it; values of variables that are not the profile's are left out."""
        check(spec)
        package = self._package(spec)
        shown = spec.model_copy(update={"environment": dict.fromkeys(spec.environment, "...")})
        request = job_request(self.profile, shown, _new_id(spec.name), package.uri if package else None)
        lines = [f"POST {self.profile.address}/api/jobs/", json.dumps(request, indent=2)]
        if package:
            lines += [f"with a package of {len(package.files)} files, {_size(package)}:"]
            lines += [f"  {name}" for name in package.files]
        return "\n".join(lines)

    def submit(self, spec: JobSpec) -> Job:
        """Upload the working folder and submit."""
        check(spec)
        package = self._package(spec)
        client = self._client()
        with self._records.claim(spec, self.profile) as folder:
            client.version()
            if package is not None and not client.has_package(package.name):
                client.put_package(package.name, package.content)
            submission_id = _new_id(spec.name)
            write_atomic(folder / _AT_CLUSTER, _AtCluster(submission_id=submission_id).model_dump_json() + "\n")
            request = job_request(self.profile, spec, submission_id, package.uri if package else None)
            lost = ""
            try:
                client.submit(request)
            except RayUnreachableError as error:
                # The answer was lost, perhaps after the job was taken: nothing may run that is not on record.
                try:
                    known = client.job(submission_id)
                except ClusterError:
                    lost = str(error)
                else:
                    if known is None:
                        raise
        if lost:
            raise ClusterError(f"{spec.name}: {lost}; the job may have been taken all the same, see: eiann status")
        return Job(spec.name, self)

    def jobs(self) -> list[JobStatus]:
        """Every job of this cluster on record; the cluster is asked once."""
        names = self._records.names(self.profile.site)
        open_ = [name for name in names if self._end(name) is None]
        known = self._client().jobs() if open_ else {}
        found = [self._judge(name, known.get(self._id(name))) for name in names]
        return sorted(found, key=lambda status: (status.submitted, status.name))

    def status(self, name: str) -> JobStatus:
        """Where the job stands."""
        self._records.submission(name)
        submission_id = self._id(name)
        known = self._client().job(submission_id) if submission_id and self._end(name) is None else None
        return self._judge(name, known)

    def logs(self, name: str, *, follow: bool = False) -> Iterator[str]:
        """What the job has written; from the record where the cluster has forgotten it."""
        self._records.submission(name)
        return self._lines(name, follow=follow)

    def cancel(self, name: str) -> JobStatus:
        """SIGTERM to the job, SIGKILL after the profile's time; returns when it is gone."""
        status = self.status(name)
        if status.state.ended:
            return status
        self._client().stop(self._id(name))
        deadline = time.monotonic() + self.profile.stop_seconds + _MARGIN_SECONDS
        while not (status := self.status(name)).state.ended:
            if time.monotonic() > deadline:
                raise ClusterError(f"{name}: was told to stop and still runs; see: eiann logs {name}")
            time.sleep(_POLL_SECONDS[0])
        return status

    def forget(self, name: str) -> None:
        """Remove the record of an ended job, at the cluster too if it can be reached."""
        status = self.status(name)
        if not status.state.ended:
            raise ClusterError(f"{name}: is {status.state.value}; cancel it first")
        with contextlib.suppress(RayUnreachableError):  # a cluster that is gone remembers nothing
            self._client().delete(self._id(name))
        self._records.remove(name)

    def _client(self) -> RayJobsClient:
        return RayJobsClient(self.profile.address, self.profile.token(), self.profile.ca_file)

    def _package(self, spec: JobSpec) -> Package | None:
        own = self.profile.working_folder
        if own is None and not spec.files:
            return None
        root = None if own is None else working_folder(spec) / own.expanduser()
        private = (self.profile.token_file, self.profile.ca_file)
        left_out = {path.expanduser().resolve() for path in private if path is not None}
        return pack(root, more=spec.files, leave_out=frozenset({*left_out, self.folder.resolve()}))

    def _id(self, name: str) -> str:
        found = read_record(_AtCluster, self.folder / name / _AT_CLUSTER)
        return found.submission_id if found else ""

    def _end(self, name: str) -> _End | None:
        return read_record(_End, self.folder / name / _END)

    def _judge(self, name: str, known: RayJob | None) -> JobStatus:
        """The status, from the record of its end or from what the cluster says; an end is recorded when first seen."""
        submitted = self._records.submission(name).submitted
        end = self._end(name)
        if end is None and known is not None:
            state = _STATES.get(known.status, JobState.UNKNOWN)
            if not state.ended:
                detail = known.message if state is not JobState.RUNNING else ""
                return JobStatus(name, state, submitted, _time(known.started), detail=detail)
            end = _ended(known, state)
            self._remember(name, end)
        if end is None:
            detail = f"{self.profile.address} knows no such job: the cluster was started anew, or somebody deleted it"
            return JobStatus(name, JobState.LOST, submitted, detail=detail)
        return JobStatus(name, end.state, submitted, end.started, end.ended, end.exit_code, end.detail)

    def _remember(self, name: str, end: _End) -> None:
        """Keep how it ended, and its log."""
        try:
            write_atomic(self.folder / name / _LOG, self._client().log(self._id(name)))
        except ClusterError:
            return  # asked again next time
        write_atomic(self.folder / name / _END, end.model_dump_json() + "\n")

    def _lines(self, name: str, *, follow: bool) -> Iterator[str]:
        seen = 0
        pause, longest = _POLL_SECONDS
        rest = ""
        while True:
            # Asked before reading: what it wrote until it ended is read in this round.
            last_round = not follow or self.status(name).state.ended
            text = self._log(name)
            new, seen = text[seen:], len(text)
            *lines, rest = (rest + new).split("\n")
            yield from lines
            if last_round:
                break
            pause = _POLL_SECONDS[0] if lines else min(longest, pause * 1.5)
            time.sleep(pause)
        if rest:
            yield rest

    def _log(self, name: str) -> str:
        kept = self.folder / name / _LOG
        if kept.exists() and self._end(name) is not None:
            return kept.read_text(encoding="utf-8", errors="replace")
        return self._client().log(self._id(name))


def _new_id(name: str) -> str:
    """The job's name at the cluster, which others use too: a name can be given again after `forget`."""
    return f"{name}-{secrets.token_hex(4)}"


def _ended(known: RayJob, state: JobState) -> _End:
    detail = "stopped on request" if state is JobState.CANCELLED else ""
    if state is JobState.FAILED:
        # Where the command ran, Ray's message is a repetition of its log.
        detail = known.message[:300] if known.exit_code is None else f"exit code {known.exit_code}"
    return _End(
        state=state,
        started=_time(known.started),
        ended=_time(known.ended),
        exit_code=0 if state is JobState.DONE and known.exit_code is None else known.exit_code,
        detail=detail,
    )


def _time(milliseconds: int | None) -> datetime | None:
    return None if not milliseconds else datetime.fromtimestamp(milliseconds / 1000, tz=UTC)


def _size(package: Package) -> str:
    return f"{len(package.content) / 1024:.0f} KiB"
