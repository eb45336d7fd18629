"""What every profile has: one typed YAML file per site that says how jobs are run there."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated

from pydantic import Field, field_validator

from cluster.job import Record
from cluster.secrets import password_in_url, secret_names
from cluster.storage import Place


class Profile(Record):
    """Base of the profiles; each kind adds its own fields in its own file, and joins the table `cluster.kinds.KINDS`.

    Args:
        kind: which kind of cluster.
        environment: variables that every job gets.
        python: the Python that has this package there; left out, the one that submits. For images and for set-up lines
            that bring an environment of their own.
        storage: URL for the study's storage.
    """

    kind: str
    environment: dict[str, str] = {}
    python: Annotated[str, Field(min_length=1)] | None = None
    storage: Annotated[str, Field(min_length=1)] | None = None

    @field_validator("environment")
    @classmethod
    def _without_secrets(cls, environment: dict[str, str]) -> dict[str, str]:
        if names := secret_names(environment):
            raise ValueError(
                f"the variable {names[0]} is a secret by its name, and profiles are shown around; {cls.secrets_go()}"
            )
        return environment

    @field_validator("storage")
    @classmethod
    def _without_password(cls, storage: str | None) -> str | None:
        if storage is not None and password_in_url(storage):
            raise ValueError(
                "a URL without a password is right; that comes from PGPASSWORD, or ~/.pgpass with mode 600"
            )
        return storage

    @classmethod
    def secrets_go(cls) -> str:
        """Where a job's secrets come from, for an error."""
        return "export it before you submit"

    @property
    def site(self) -> str:
        """What profiles whose jobs are known to the same scheduler have in common: it is asked once for all of them."""
        return self.kind

    @property
    def ray_address(self) -> str | None:
        """The ``--address`` for a driver that runs as a job here; None where it starts a Ray of its own."""
        return None

    @property
    def seconds_to_finish(self) -> float | None:
        """How long the driver may take after the signal that announces the walltime; None where there is no such."""
        return None

    @property
    def remote_studies(self) -> PurePosixPath | None:
        """Where studies lie on a site that does not share the submitter's disk; None where they lie as they do here."""
        return None

    @property
    def files_folder(self) -> PurePosixPath | None:
        """Where a job finds the files that travelled with it; None where it finds them where they are."""
        return None

    @property
    def place(self) -> Place:
        """Where a driver runs, as far as its storage is concerned."""
        return Place()
