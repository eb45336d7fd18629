"""The contract that every kind of cluster keeps; a shared suite of tests holds each of them to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from cluster.job import Job, JobSpec, JobStatus


class Runner(Protocol):
    """Runs command lines somewhere, known by name, and remembers them in a folder that the caller chose.

    * All that a runner knows lies in that folder and at the scheduler: a second runner on the same folder, in another
      process or after a restart, answers the same.
    * A name belongs to one job until `forget`. `submit` refuses a name that is taken.
    * A job lives on when the submitter ends, however it ends.
    * Values of environment variables are passed to the job and written nowhere.
    * What goes wrong for a reason that the user can mend is a `ClusterError` of one line.
    """

    def render(self, spec: JobSpec) -> str:
        """Exactly what `submit` would send, for people to read; sends nothing."""
        ...

    def submit(self, spec: JobSpec) -> Job:
        """Start or queue the job; it is on record when this returns, and nothing is left behind when this raises.

        But for one case: where the scheduler may have taken the job and its answer was lost, the record stays, for
        nothing may run that is not on record.

        Raises:
            ClusterError: the name is taken, the resources cannot be had, or the command cannot be started; or nobody
                can say whether it was.
        """
        ...

    def jobs(self) -> list[JobStatus]:
        """Every job on record that was sent to the profile's site, in the order of submission."""
        ...

    def status(self, name: str) -> JobStatus:
        """Where the job stands now.

        Raises:
            ClusterError: no job of that name is on record.
        """
        ...

    def logs(self, name: str, *, follow: bool = False) -> Iterator[str]:
        """The lines that the job has written so far, without line ends; with ``follow`` until it has ended."""
        ...

    def cancel(self, name: str) -> JobStatus:
        """Stop the job and wait until it is gone; a job that has ended stays as it is."""
        ...

    def forget(self, name: str) -> None:
        """Remove the record of an ended job, its log included.

        Raises:
            ClusterError: it still runs or waits.
        """
        ...
