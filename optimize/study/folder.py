"""Where things are in a study's folder, and how such a folder comes to be: whole or not at all."""

from __future__ import annotations

import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import sqlalchemy

from eiann.crash import crash_point
from eiann.errors import UserError
from optimize.files import TEMPORARY, check_can_be_made, sync_path

SPEC: Final = "spec.yaml"
DATABASE: Final = "study.db"
LEFT_AFTER_SECONDS: Final = 3600
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_UNFINISHED: Final = re.compile(rf"\.{_NAME.pattern}\.[0-9a-f]{{8}}{re.escape(TEMPORARY)}")


@dataclass(frozen=True)
class StudyFolder:
    """Paths of a study's folder.

    Example:
        >>> StudyFolder(Path("studies/demo")).results.as_posix()
        'studies/demo/results'
    """

    path: Path

    @property
    def spec(self) -> Path:
        """The frozen specification."""
        return self.path / SPEC

    @property
    def results(self) -> Path:
        """Durable results, one file for each attempt at a trial."""
        return self.path / "results"

    @property
    def tables(self) -> Path:
        """Derived tables."""
        return self.path / "tables"

    @property
    def best(self) -> Path:
        """Exported networks."""
        return self.path / "best"

    @property
    def logs(self) -> Path:
        """What drivers have to say."""
        return self.path / "logs"

    def url(self, storage: str | None) -> str:
        """URL of the study's storage; by default SQLite in this folder."""
        if storage is not None:
            return storage
        database = str((self.path / DATABASE).absolute())
        return sqlalchemy.URL.create("sqlite", database=database).render_as_string(hide_password=False)


def check_name(name: str) -> str:
    """The name, if it can be one of a folder.

    Raises:
        UserError: it cannot.
    """
    if not _NAME.fullmatch(name):
        raise UserError(f"found the study name {name!r}; it has letters, digits, '.', '_' and '-', and starts with one")
    return name


def check_free(studies: Path, name: str) -> Path:
    """The folder that a new study of this name will have.

    Raises:
        UserError: there is one already, it cannot be made, or the name cannot be one of a folder.
    """
    path = studies / check_name(name)
    check_can_be_made(path)
    if path.exists():
        raise UserError(
            f"study {name!r} exists in {studies}; choose another --name, or go on with: eiann resume {path}"
        )
    return path


def _remove_leftovers(studies: Path) -> None:
    """Folders whose makers were killed: making one takes seconds, so none that is an hour old is being made."""
    for folder in studies.glob(f".*{TEMPORARY}"):
        if not _UNFINISHED.fullmatch(folder.name):
            continue
        with suppress(FileNotFoundError):  # another maker got its name, or cleared it away
            if folder.stat().st_mtime < time.time() - LEFT_AFTER_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def new_folder(studies: Path, name: str) -> Iterator[StudyFolder]:
    """A folder under a temporary name, which gets its own name at the end of the block or vanishes after an error.

    Raises:
        UserError: there is a study of that name.
    """
    path = check_free(studies, name)
    _remove_leftovers(studies)
    parents = [folder for folder in (studies, *studies.parents) if not folder.exists()]
    temporary = studies / f".{name}.{secrets.token_hex(4)}{TEMPORARY}"
    made = temporary
    try:
        for part in ("results", "tables", "best", "logs"):
            (temporary / part).mkdir(parents=True)
        yield StudyFolder(temporary)
        crash_point("study.filled")
        try:
            temporary.rename(path)
        except OSError as error:
            raise UserError(f"study {name!r} came to exist in {studies} meanwhile; choose another --name") from error
        made = path
        crash_point("study.renamed")
        sync_path(studies)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        for folder in parents:
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        raise
