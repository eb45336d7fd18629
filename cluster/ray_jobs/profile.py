"""Profiles of Ray clusters."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath
from typing import Annotated, Final, Literal

from pydantic import Field, field_validator

from cluster.profile import Profile
from cluster.secrets import private_text
from cluster.storage import Place

SHOWN_TO_ALL: Final = (
    "a Ray cluster writes a job's variables into its logs and shows them to all its users; give a secret as a file of "
    "mode 600 on the cluster, e.g. PostgreSQL's password by PGPASSFILE"
)
_ADDRESS: Final = re.compile(r"https?://(\[[0-9a-fA-F:]+\]|[\w.-]+)(:\d{1,5})?/?")


class RayProfile(Profile):
    """A Ray cluster that runs already.

    Args:
        address: of its dashboard, where the Jobs API answers.
        token_file: a file of mode 600 with the cluster's token; left out, ``RAY_AUTH_TOKEN`` or the file named by
            ``RAY_AUTH_TOKEN_PATH``, as Ray's own commands do. Without any, none is sent.
        ca_file: certificates to trust for https.
        studies: where studies lie on the cluster; left out, where they lie here, on a disk that both see.
        working_folder: what the job takes along: relative paths in its command mean files in it. Left out, nothing.
        requirements: packages that the cluster installs for the job, as in a requirements file.
        stop_seconds: how long a job may take to end after it was told to, before it is killed.
    """

    kind: Literal["ray"] = "ray"
    address: str
    token_file: Path | None = None
    ca_file: Path | None = None
    python: Annotated[str, Field(min_length=1)] | None = "python"
    studies: PurePosixPath | None = None
    working_folder: Path | None = None
    requirements: tuple[str, ...] = ()
    stop_seconds: Annotated[int, Field(ge=1, le=3600)] = 60

    @field_validator("address")
    @classmethod
    def _is_an_address(cls, address: str) -> str:
        if not _ADDRESS.fullmatch(address):
            raise ValueError("an address is http://HOST:PORT or https://HOST:PORT, where the dashboard answers")
        return address.rstrip("/")

    @field_validator("token_file", "ca_file")
    @classmethod
    def _is_found_from_everywhere(cls, path: Path | None) -> Path | None:
        if path is not None and not path.expanduser().is_absolute():
            raise ValueError("write the whole path, or one that begins with ~/: jobs are asked for from any folder")
        return path

    @field_validator("studies")
    @classmethod
    def _is_a_whole_path(cls, path: PurePosixPath | None) -> PurePosixPath | None:
        if path is not None and not path.is_absolute():
            raise ValueError("the whole path on the cluster is right")
        return path

    @classmethod
    def secrets_go(cls) -> str:
        """A job's variables are no place for them either."""
        return SHOWN_TO_ALL

    @property
    def remote_studies(self) -> PurePosixPath | None:
        """As the profile says."""
        return self.studies

    @property
    def place(self) -> Place:
        """A node of the cluster, in a copy of the working folder."""
        return Place(passing_folder=True)

    @property
    def files_folder(self) -> PurePosixPath | None:
        """The job's working folder: the cluster's copy of what it took along."""
        return PurePosixPath()

    @property
    def site(self) -> str:
        """One list of jobs for each cluster."""
        return f"ray {self.address}"

    @property
    def ray_address(self) -> str | None:
        """The driver joins the cluster that runs it."""
        return "auto"

    def token(self) -> str | None:
        """The token, read when it is needed and kept nowhere.

        Raises:
            ClusterError: its file is missing, empty, or open to others.
        """
        if self.token_file is not None:
            return private_text(self.token_file, "the token")
        if token := os.environ.get("RAY_AUTH_TOKEN"):
            return token.strip()
        if path := os.environ.get("RAY_AUTH_TOKEN_PATH"):
            return private_text(Path(path), "the token")
        return None
