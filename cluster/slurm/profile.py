"""What a site's file says about its Slurm."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from cluster.job import Resources
from cluster.profile import Profile
from cluster.walltime import seconds_of, slurm_time

_MARGIN_SECONDS = 30  # for stopping Ray and telling Slurm, after the driver
_LONGEST_SCRATCH = 40  # a socket's path has 107 bytes, and Ray's part of it takes 60


class Restart(StrEnum):
    """What becomes of a job that has more to do when its walltime comes."""

    REQUEUE = "requeue"
    SUCCESSOR = "successor"
    NONE = "none"


def _directive(text: str) -> str:
    if not text.startswith("-"):
        raise ValueError("an option of sbatch is right, such as --constraint=a100")
    return text


def _walltime(value: str) -> str:
    return slurm_time(seconds_of(value))


def _scratch(value: str) -> str:
    if not value.startswith(("/", "$")):
        raise ValueError("an absolute folder, or a variable such as $TMPDIR, is right")
    if len(value) > _LONGEST_SCRATCH:
        raise ValueError(f"at most {_LONGEST_SCRATCH} characters are right: paths of sockets are short")
    return value


Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.,:+@=\[\]-]+$")]
Line = Annotated[str, StringConstraints(pattern=r"^[^\n\r]+$")]
Seconds = Annotated[int, Field(ge=0)]
Count = Annotated[int, Field(gt=0)]


class SlurmProfile(Profile):
    """A Slurm site, or one of its partitions.

    Args:
        partition: left out, the site's default; so are ``account`` and ``qos``.
        nodes: of the allocation.
        min_nodes: with how many a run begins if the others have not come after ``node_wait_seconds``.
        cores: per node.
        gpus: per node, of ``gpu_type`` if there are several.
        memory_gb: per node, in GiB.
        walltime: of one run: ``30`` (minutes), ``12:00:00`` or ``2-00:00:00``.
        setup: lines of bash that bring what the job needs: modules, environments. One that fails ends the job.
        network_interface: through which the nodes talk; left out, the one that the host's name means.
        scratch: a short folder on the node's own disk. A variable such as ``$TMPDIR`` is looked up there.
        directives: further options of sbatch.
        restart: requeue, successor (for sites that forbid requeue), or none.
        max_restarts: after so many restarts the job stops, whatever is left to do.
        stuck_after: runs in a row that brought nothing, after which it stops.
        signal_seconds: how long before the walltime the driver is told to finish. Slurm may be a minute early.
        node_wait_seconds: how long to wait for the nodes' part of the Ray cluster.
        grace_seconds: how long a job that is cancelled may take to end.
        dashboard: Ray's, on the loopback of the first node.
    """

    kind: Literal["slurm"] = "slurm"
    partition: Word | None = None
    account: Word | None = None
    qos: Word | None = None
    nodes: Count = 1
    min_nodes: Count = 1
    cores: Count = 1
    gpus: Annotated[int, Field(ge=0)] = 0
    gpu_type: Word | None = None
    memory_gb: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    walltime: Annotated[str, Field(coerce_numbers_to_str=True), AfterValidator(_walltime)] | None = None
    setup: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    network_interface: Word | None = None
    scratch: Annotated[Line, AfterValidator(_scratch)] = "/tmp"  # noqa: S108  a private folder is made in it
    directives: tuple[Annotated[Line, AfterValidator(_directive)], ...] = ()
    restart: Restart = Restart.REQUEUE
    max_restarts: Annotated[int, Field(ge=0)] = 50
    stuck_after: Count = 2
    signal_seconds: Annotated[int, Field(ge=10)] = 180
    node_wait_seconds: Seconds = 300
    grace_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 30.0
    dashboard: bool = False

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.min_nodes > self.nodes:
            raise ValueError(f"min_nodes is {self.min_nodes} and nodes {self.nodes}; at most nodes is right")
        if self.gpu_type is not None and not self.gpus:
            raise ValueError("gpu_type needs gpus: how many on each node")
        if self.walltime is not None and self.signal_seconds >= seconds_of(self.walltime):
            raise ValueError(f"signal_seconds is {self.signal_seconds} and walltime {self.walltime}; less is right")
        return self

    @property
    def ray_address(self) -> str | None:
        """The batch script names the cluster in ``RAY_ADDRESS``."""
        return "auto"

    @property
    def seconds_to_finish(self) -> float | None:
        """What is left of the time between signal and walltime when Ray has been stopped."""
        return max(self.signal_seconds / 2, float(self.signal_seconds - _MARGIN_SECONDS))

    def with_resources(self, wanted: Resources) -> SlurmProfile:
        """The profile with what a job asks for in place of its own: whatever is not left to the site."""
        given = {
            "nodes": wanted.nodes if "nodes" in wanted.model_fields_set else None,
            "cores": wanted.cpus,
            "gpus": wanted.gpus if "gpus" in wanted.model_fields_set else None,
            "memory_gb": wanted.memory_gb,
            "walltime": None if wanted.walltime is None else slurm_time(wanted.walltime),
        }
        changes = {key: value for key, value in given.items() if value is not None}
        return SlurmProfile.model_validate({**self.model_dump(), **changes})
