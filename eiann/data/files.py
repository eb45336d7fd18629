"""Where data files lie, and how they get there.

A file is looked for in the folder that the user names, else in the one of the environment variable ``EIANN_DATA``, else
in the user's cache folder. It is only ever downloaded when asked for, and kept only when its checksum is right.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eiann.errors import UserError

FOLDER_VARIABLE = "EIANN_DATA"
"""Environment variable that names the folder of data files."""


class MissingDataError(UserError):
    """The files of a data set are not on this machine, and nobody asked to download them."""


@dataclass(frozen=True)
class RemoteFile:
    """A published file: its name here, the addresses where it can be had (tried in order), and its SHA-256."""

    name: str
    urls: tuple[str, ...]
    sha256: str


def data_folder(folder: Path | None = None) -> Path:
    """The folder in which data files are looked for: ``folder``, else ``EIANN_DATA``, else the user's cache."""
    if folder is not None:
        return folder.expanduser()
    named = os.environ.get(FOLDER_VARIABLE)
    if named:
        return Path(named).expanduser()
    import pooch

    return Path(pooch.os_cache("eiann"))


def find(names: Sequence[str], places: Sequence[Path]) -> Path | None:
    """The first of ``names`` that exists in the first of ``places`` that has one; None if there is none."""
    for place in places:
        for name in names:
            if (place / name).is_file():
                return place / name
    return None


def missing(dataset: str, files: str, places: Sequence[Path], hint: str = "") -> MissingDataError:
    """The error for a data set whose files are not there: where it looked, and the three ways out."""
    looked = ", ".join(str(place) for place in places)
    return MissingDataError(
        f"data set {dataset!r}: found no {files} in {looked}{hint}; put it there, or name another folder with the "
        f"option 'folder' or the environment variable {FOLDER_VARIABLE}, or give the option download=true"
    )


def fetch(file: RemoteFile, folder: Path) -> Path:
    """Download a file into a folder unless it is there already, and check it.

    Raises:
        UserError: if no address can be reached or the checksum is wrong; nothing is left behind then.
    """
    import pooch

    problems = []
    for url in file.urls:
        try:
            return Path(pooch.retrieve(url, f"sha256:{file.sha256}", fname=file.name, path=folder))
        except (OSError, ValueError) as error:  # no connection, no permission; or a wrong checksum
            problems.append(f"{url}: {' '.join(str(error).split())}")
    raise UserError(f"{file.name}: found no way to download it into {folder} ({'; '.join(problems)})")


def read_bytes(path: Path) -> bytes:
    """All bytes of a file.

    Raises:
        UserError: if it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: found {error.strerror or error}; a readable file is needed") from None
