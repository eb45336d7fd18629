"""What is submitted, and what is known of it afterwards."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from cluster.errors import ClusterError

if TYPE_CHECKING:
    from cluster.runner import Runner

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Record(BaseModel):
    """Base of everything that is written to or read from a file: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Resources(Record):
    """What a job asks for; None leaves it to the site.

    ``cpus``, ``gpus`` and ``memory_gb`` (GiB) are per node; ``walltime`` is in seconds.
    """

    nodes: Annotated[int, Field(gt=0)] = 1
    cpus: Annotated[int, Field(gt=0)] | None = None
    gpus: Annotated[int, Field(ge=0)] = 0
    memory_gb: Annotated[float, Field(gt=0)] | None = None
    walltime: Annotated[float, Field(gt=0)] | None = None


class JobSpec(Record):
    """A command line to run.

    Args:
        name: the job's name among those of its folder: letters, digits and ``. _ -``.
        command: the program and its arguments, passed on as they are, through no shell.
        cwd: the folder it runs in; None means the submitter's.
        environment: variables on top of the submitter's. Only their names are recorded: values may be passwords.
        resources: what it needs.
        files: small text files that travel with the job where it shares no disk with the submitter, by name; it finds
            them in the folder that `cluster.Profile.files_folder` says.
        progress: a command line that prints how far the job is. Where jobs are restarted it is asked before each run:
            the same answer again and again means that the job is stuck.

    Raises:
        ClusterError: the name is none.
    """

    name: str
    command: Annotated[tuple[str, ...], Field(min_length=1)]
    cwd: Path | None = None
    environment: dict[str, str] = Field(default={}, repr=False)
    resources: Resources = Resources()
    files: dict[str, str] = Field(default={}, repr=False)
    progress: tuple[str, ...] = ()

    @field_validator("name")
    @classmethod
    def _is_a_name(cls, name: str) -> str:
        if not NAME.fullmatch(name):
            raise ClusterError(
                f"found {name!r} as a job's name; letters, digits, '.', '_' and '-' are right, a letter or digit first"
            )
        return name


class JobState(StrEnum):
    """Where a job stands.

    ``LOST``: it vanished without leaving an exit code, killed or with the machine. ``UNKNOWN``: its scheduler does not
    answer.
    """

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMEOUT = "timeout"
    LOST = "lost"
    UNKNOWN = "unknown"

    @property
    def ended(self) -> bool:
        """Whether nothing of the job runs or will run."""
        return self not in (JobState.QUEUED, JobState.RUNNING, JobState.UNKNOWN)


@dataclass(frozen=True)
class JobStatus:
    """A job at one moment. ``exit_code`` is negative for a signal, as in ``subprocess``; times are in UTC."""

    name: str
    state: JobState
    submitted: datetime
    started: datetime | None = None
    ended: datetime | None = None
    exit_code: int | None = None
    detail: str = ""


@dataclass(frozen=True)
class Job:
    """A handle: a name and the runner that knows it. Dropping it stops nothing; the name alone finds the job again."""

    name: str
    runner: Runner

    def status(self) -> JobStatus:
        """See `Runner.status`."""
        return self.runner.status(self.name)

    def logs(self, *, follow: bool = False) -> Iterator[str]:
        """See `Runner.logs`."""
        return self.runner.logs(self.name, follow=follow)

    def cancel(self) -> JobStatus:
        """See `Runner.cancel`."""
        return self.runner.cancel(self.name)
