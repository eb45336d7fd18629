"""All jobs of a folder, whatever kind of cluster each of them was sent to."""

from __future__ import annotations

from pathlib import Path

from cluster.errors import ClusterError
from cluster.job import Job, JobSpec, JobState, JobStatus
from cluster.kinds import read_profile, runner_for
from cluster.profile import Profile
from cluster.records import Records
from cluster.runner import Runner


class Jobs:
    """Jobs by name; each is asked for where it was sent.

    Args:
        folder: with their records; made when the first job is submitted.

    Example:
        >>> import tempfile
        >>> from cluster.here import HereProfile
        >>> jobs = Jobs(Path(tempfile.mkdtemp()))
        >>> job = jobs.submit(HereProfile(), JobSpec(name="greet", command=("echo", "hello")))
        >>> list(jobs.find("greet").logs(follow=True)), [status.name for status in jobs.all()]
        (['hello'], ['greet'])
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self._records = Records(folder)

    def submit(self, profile: Profile, spec: JobSpec) -> Job:
        """See `Runner.submit`."""
        return runner_for(profile, self.folder).submit(spec)

    def has(self, name: str) -> bool:
        """Whether a job of that name is on record."""
        return name in self._records.names()

    def find(self, name: str) -> Job:
        """The job of that name.

        Raises:
            ClusterError: there is none.
        """
        self._records.submission(name)
        return Job(name, self._runner(name))

    def all(self) -> list[JobStatus]:
        """Every job, in the order of submission; each scheduler is asked once.

        One that does not answer does not hide the jobs of others: its own are of state ``unknown``.
        """
        by_site: dict[str, str] = {self._records.submission(name).site: name for name in self._records.names()}
        found = [status for site, name in by_site.items() for status in self._of_site(site, name)]
        return sorted(found, key=lambda status: (status.submitted, status.name))

    def forget(self, name: str) -> None:
        """See `Runner.forget`."""
        self.find(name).runner.forget(name)

    def _of_site(self, site: str, name: str) -> list[JobStatus]:
        try:
            return self._runner(name).jobs()
        except ClusterError as error:
            asked = [self._records.submission(other) for other in self._records.names(site)]
            return [JobStatus(one.name, JobState.UNKNOWN, one.submitted, detail=str(error)) for one in asked]

    def _runner(self, name: str) -> Runner:
        path = self._records.profile_file(name)
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise ClusterError(f"cannot read the job's profile: {error.strerror}", location=str(path)) from None
        return runner_for(read_profile(text, path), self.folder)
