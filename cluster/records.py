"""What is kept of jobs: a folder for each, with what was asked for, by which profile, and what its kind adds."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from cluster.errors import ClusterError
from cluster.files import sync_folder, write_atomic
from cluster.job import NAME, JobSpec, Record, Resources
from cluster.profile import Profile

_JOB = "job.json"
_PROFILE = "profile.json"
_HALF_MADE_SECONDS = 60.0
"""A folder without a record for so long is nobody's: its submitter died, or whoever was removing it."""
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

        The folder comes to be with its record in it, by a rename: a submitter that is killed leaves no name taken that
        nothing is known of.

        Raises:
            ClusterError: the name is taken, or nothing can be written there.
        """
        folder = self.folder / spec.name
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
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            new = Path(tempfile.mkdtemp(dir=self.folder, prefix=f".{spec.name}."))
        except OSError as error:
            raise self._cannot_keep(error) from None
        try:
            write_atomic(new / _PROFILE, profile.model_dump_json(indent=2) + "\n")
            write_atomic(new / _JOB, submission.model_dump_json(indent=2) + "\n")
            self._clear(spec.name, now=new.stat().st_mtime)
            new.rename(folder)  # the name is taken by whoever comes first: this replaces no folder but an empty one
        except OSError as error:
            shutil.rmtree(new, ignore_errors=True)
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise self._cannot_keep(error) from None
            raise ClusterError(self._taken(spec.name)) from None
        try:
            sync_folder(self.folder)
            yield folder
        except BaseException:
            self.remove(spec.name)
            raise

    def _cannot_keep(self, error: OSError) -> ClusterError:
        return ClusterError(f"{self.folder}: cannot keep jobs there: {error.strerror}")

    def _taken(self, name: str) -> str:
        if (self.folder / name / _JOB).exists():
            return f"{name}: a job of that name is on record in {self.folder}; choose another name"
        return (
            f"{name}: a job of that name was being made or removed a moment ago; choose another name, or wait a minute"
        )

    def _clear(self, name: str, now: float) -> None:
        """Remove what dead submitters left of a name.

        Args:
            name: of the job.
            now: by the clock that the files' times are of, which on a shared disk is the server's.
        """
        for left in self.folder.glob(f".{name}.*"):
            with suppress(OSError):
                if now - left.stat().st_mtime > _HALF_MADE_SECONDS:
                    shutil.rmtree(left)
        with suppress(OSError):
            # Through the opened folder: if somebody else puts a whole one in its place, that is not touched.
            opened = os.open(self.folder / name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                found = os.listdir(opened)  # noqa: PTH208  a folder that is open has no path
                if _JOB not in found and now - os.fstat(opened).st_mtime > _HALF_MADE_SECONDS:
                    _empty(opened, found)
            finally:
                os.close(opened)

    def names(self, site: str | None = None) -> list[str]:
        """Jobs on record, sorted by name; with ``site`` only those."""
        found = (path.parent.name for path in self.folder.glob(f"*/{_JOB}"))
        names = sorted(name for name in found if NAME.fullmatch(name))  # others are being made or removed
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
        """Remove a job's folder; it is gone whole, and its name is free, before its files are."""
        aside = Path(tempfile.mkdtemp(dir=self.folder, prefix=f".{name}."))
        (self.folder / name).rename(aside)
        shutil.rmtree(aside)


def _empty(folder: int, names: Iterable[str]) -> None:
    for name in names:
        if stat.S_ISDIR(os.lstat(name, dir_fd=folder).st_mode):
            shutil.rmtree(name, dir_fd=folder)
        else:
            os.unlink(name, dir_fd=folder)


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
