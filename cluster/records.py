"""What is kept of jobs: a folder for each, with what was asked for, by which profile, and what its kind adds."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from cluster.errors import ClusterError
from cluster.files import write_atomic
from cluster.job import NAME, JobSpec, Record, Resources
from cluster.profile import Profile

_JOB = "job.json"
_PROFILE = "profile.json"
Model = TypeVar("Model", bound=Record)


class Submission(Record):
    """``job.json``: what was asked for, and where. Of the environment only the names."""

    kind: str = "here"
    site: str = "here"
    name: str
    command: tuple[str, ...]
    cwd: Path
    variables: tuple[str, ...]
    resources: Resources
    submitted: datetime


class Records:
    """Jobs of all kinds in one folder, by name.

    Only the user may look into the folder of a job: there are tokens and addresses in some of them.

    Args:
        folder: with a folder for each job; made when the first job is submitted.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()

    @contextmanager
    def claim(self, spec: JobSpec, profile: Profile) -> Iterator[Path]:
        """A new job's folder, with its record; gone again if the block raises.

        Raises:
            ClusterError: the name is taken, or nothing can be written there.
        """
        folder = self.folder / spec.name
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            folder.mkdir(mode=0o700)  # the name is taken by whoever makes the folder
        except FileExistsError:
            raise ClusterError(
                f"{spec.name}: a job of that name is on record in {self.folder}; choose another name"
            ) from None
        except OSError as error:
            raise ClusterError(f"{self.folder}: cannot keep jobs there: {error.strerror}") from None
        try:
            submission = Submission(
                kind=profile.kind,
                site=profile.site,
                name=spec.name,
                command=spec.command,
                cwd=working_folder(spec),
                variables=tuple(sorted({*profile.environment, *spec.environment})),
                resources=spec.resources,
                submitted=datetime.now(UTC),
            )
            write_atomic(folder / _PROFILE, profile.model_dump_json(indent=2) + "\n")
            write_atomic(folder / _JOB, submission.model_dump_json(indent=2) + "\n")
            yield folder
        except BaseException:
            shutil.rmtree(folder)
            raise

    def names(self, site: str | None = None) -> list[str]:
        """Jobs on record, sorted by name; with ``site`` only those."""
        names = sorted(path.parent.name for path in self.folder.glob(f"*/{_JOB}"))
        return [name for name in names if site is None or self.submission(name).site == site]

    def submission(self, name: str) -> Submission:
        """What was asked for.

        Raises:
            ClusterError: no job of that name is on record.
        """
        found = read_record(Submission, self.folder / name / _JOB) if NAME.fullmatch(name) else None
        if found is None:
            raise ClusterError(f"{name}: no such job in {self.folder}; known: {', '.join(self.names()) or 'none'}")
        return found

    def profile_file(self, name: str) -> Path:
        """Where the profile that a job was submitted with is kept, as JSON."""
        return self.folder / name / _PROFILE

    def remove(self, name: str) -> None:
        """Remove a job's folder."""
        shutil.rmtree(self.folder / name)


def working_folder(spec: JobSpec) -> Path:
    """Where the job's command runs."""
    return (spec.cwd or Path.cwd()).resolve()


def read_record(model: type[Model], path: Path) -> Model | None:
    """A record of a job, or None where it was not written yet.

    Raises:
        ClusterError: the file holds something else.
    """
    try:
        return model.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (json.JSONDecodeError, ValidationError) as error:
        raise ClusterError(f"not a record of a job: {str(error).splitlines()[0]}", location=str(path)) from None
