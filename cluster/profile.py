"""What every profile has: one typed YAML file per site that says how jobs are run there."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from cluster.job import Record


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
