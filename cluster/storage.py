"""Which storage of a study fits which kind of cluster, judged from its URL.

Only the driver opens a study's storage. So the question is not how many nodes a job has, but whether the driver of the
next run, wherever it starts, finds what the driver of this one wrote, and whether two of them can be kept apart.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from cluster.secrets import password_in_url, without_password

_FILE: Final = re.compile(r"^(?P<kind>sqlite|journal):(?P<rest>.*)$")
_SERVER: Final = re.compile(r"^[A-Za-z][\w+.-]*://(?:[^/@]*@)?(?P<host>\[[^\]]*\]|[^/:?]*)")
_LOOPBACK: Final = re.compile(r"^(localhost|127(\.\d+){3}|\[::1\]|0\.0\.0\.0|)$")
_OF_ONE_MACHINE: Final = ("/tmp", "/var/tmp", "/dev/shm", "/run", "/proc")  # noqa: S108  refused, not used


@dataclass(frozen=True)
class Place:
    """Where a driver runs, as far as a storage is concerned.

    Attributes:
        submitter: the driver runs on the machine that submits.
        volume: the only folder there that outlives a job; None where any folder but a temporary one does.
        passing_folder: the job runs in a copy of its working folder, which vanishes with it.
        several_writers: two drivers at once may reach a file there, on two nodes that do not see each other.
    """

    submitter: bool = False
    volume: PurePosixPath | None = None
    passing_folder: bool = False
    several_writers: bool = False

    def refusal(self, url: str | None, studies: PurePosixPath) -> str | None:
        """Why a study must not be stored like this, in words; None if it may.

        Args:
            url: of the storage; None means SQLite in the study's folder.
            studies: where studies lie there.

        Example:
            >>> Place().refusal("postgresql://me@localhost/eiann", PurePosixPath("/data/me/studies"))
            'the host localhost is the node that the driver happens to run on; name the host of the database'
        """
        if self.submitter:
            return None
        if url is not None and password_in_url(url):
            return (
                f"a password in {without_password(url)} would stand in process lists and files; leave it out and give "
                "it in PGPASSWORD, or in ~/.pgpass with mode 600"
            )
        file = None if url is None else _FILE.match(url)
        if url is not None and file is None:
            return self._refusal_of_server(url)
        if file is None:
            return self._refusal_of_file("SQLite", studies, chosen=False)
        kind = "SQLite" if file["kind"] == "sqlite" else "a journal"
        path = file["rest"].removeprefix("///") if file["kind"] == "sqlite" else file["rest"]
        return self._refusal_of_file(kind, PurePosixPath(path), chosen=True)

    def _refusal_of_server(self, url: str) -> str | None:
        found = _SERVER.match(url)
        if found is None:
            found_this = "something else" if "@" in url else repr(url)  # with a password in it, perhaps
            return f"found {found_this}; postgresql://USER@HOST/DATABASE or journal:/PATH is right"
        if _LOOPBACK.fullmatch(found["host"]) and "host=" not in url:
            host = found["host"] or "that is left out"
            return f"the host {host} is the node that the driver happens to run on; name the host of the database"
        return None

    def _refusal_of_file(self, kind: str, path: PurePosixPath, *, chosen: bool) -> str | None:
        """``chosen``: by a URL. Of the folder of studies, a job that does not see it notices at once."""
        if not path.is_absolute() and (self.passing_folder or self.volume is not None):
            return f"found the path {path} for {kind}; the whole path on the cluster is right"
        if self.volume is not None and not path.is_relative_to(self.volume):
            return (
                f"{path} is on the pod's own disk and vanishes with it; a folder below {self.volume}, where the volume "
                "is, or PostgreSQL is right"
            )
        for folder in _OF_ONE_MACHINE:
            if chosen and path.is_relative_to(folder):
                return f"{path} exists on one machine only and not for long; a folder on a shared disk is right"
        if kind == "SQLite" and self.several_writers:
            return (
                "SQLite's locks do not hold between nodes that mount one volume, and a pod that was given up may still "
                f"write; storage: journal:{self.volume or '/shared'}/NAME.journal or PostgreSQL is right"
            )
        return None
