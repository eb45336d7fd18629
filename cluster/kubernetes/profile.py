"""Profiles of Kubernetes namespaces."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from cluster.job import Record
from cluster.profile import Profile
from cluster.storage import Place

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", max_length=253)]
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Count = Annotated[int, Field(ge=0)]
Cores = Annotated[float, Field(gt=0, le=1024)]
Gigabytes = Annotated[float, Field(gt=0, allow_inf_nan=False)]

FILES: Final = PurePosixPath("/eiann-job")
"""Where the files that travel with a job are found in its pods."""


def _mount(path: PurePosixPath) -> PurePosixPath:
    if not path.is_absolute() or path == PurePosixPath("/") or ".." in path.parts:
        raise ValueError("an absolute folder such as /studies is right")
    return path


class Head(Record):
    """The pod of the head, on which the driver runs; it trains nothing."""

    cpus: Cores = 2
    memory_gb: Gigabytes = 8


class Workers(Record):
    """The pods that train.

    Args:
        min, max: how many; between them the autoscaler decides, by the packs that wait.
        cpus, memory_gb: of each.
        gpus: of each; ``gpu_resource`` is what the device plugin calls them.
        node_selector: labels of the nodes that they may run on.
        tolerations: taints of nodes that they put up with, as Kubernetes writes them.
        idle_seconds: after which a worker without work is given back.
    """

    min: Count = 0
    max: Annotated[int, Field(ge=1)] = 4
    cpus: Cores = 4
    memory_gb: Gigabytes = 8
    gpus: Count = 0
    gpu_resource: str = "nvidia.com/gpu"
    node_selector: dict[str, str] = {}
    tolerations: tuple[dict[str, str | int], ...] = ()
    idle_seconds: Annotated[int, Field(ge=10)] = 120

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.min > self.max:
            raise ValueError(f"min is {self.min} and max {self.max}; at most max is right")
        return self


class Volume(Record):
    """A claim on a volume that outlives pods: studies lie on it.

    Args:
        claim: name of the PersistentVolumeClaim.
        mount: where pods see it.
        shared: whether pods of several nodes may mount it (ReadWriteMany). Then workers write their results there
            themselves; otherwise the driver writes all of them.
    """

    claim: Name
    mount: Annotated[PurePosixPath, AfterValidator(_mount)] = PurePosixPath("/studies")
    shared: bool = False


class SecretKey(Record):
    """One value of a Kubernetes secret."""

    name: Name
    key: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]+$")]


class KubernetesProfile(Profile):
    """A namespace with the KubeRay operator.

    Args:
        namespace: of everything that is made.
        context: of kubectl; left out, the current one.
        image: with this package and Ray in it.
        ray_version: of the image.
        image_pull_secret, service_account: where the cluster wants them.
        head, workers: the pods.
        volume: for the studies.
        secrets: variables whose values come from secrets of the namespace; only the driver's pod gets them.
        labels: of the RayJob, e.g. ``kueue.x-k8s.io/queue-name``.
        retries: how often a job that failed, with its pods, is started again; the study goes on where it was.
        walltime_seconds: after which the job is stopped, whatever it does, waiting included.
        start_seconds: after which it has failed if its pods have not come.
        keep_seconds: for which the pods of an ended job stay, so that people can look at them.
        stop_seconds: how long the driver may take to end after it was told to.
        submission_mode: how the operator starts the driver: by a pod beside the cluster, or within the head's.
    """

    kind: Literal["kubernetes"] = "kubernetes"
    namespace: Name
    context: str | None = None
    image: Annotated[str, StringConstraints(pattern=r"^\S+$", min_length=1)]
    python: Annotated[str, Field(min_length=1)] | None = "python"
    ray_version: Annotated[str, StringConstraints(pattern=r"^\d+\.\d+\.\d+$")] = "2.60.0"
    image_pull_secret: Name | None = None
    service_account: Name | None = None
    head: Head = Head()
    workers: Workers = Workers()
    volume: Volume
    secrets: dict[Variable, SecretKey] = {}
    labels: dict[str, str] = {}
    retries: Count = 3
    walltime_seconds: Annotated[int, Field(gt=0)] | None = None
    start_seconds: Annotated[int, Field(gt=0)] = 1800
    keep_seconds: Count = 300
    stop_seconds: Annotated[int, Field(ge=1, le=3600)] = 60
    submission_mode: Literal["K8sJobMode", "SidecarMode"] = "K8sJobMode"

    @model_validator(mode="after")
    def _says_once(self) -> Self:
        if both := sorted(self.environment.keys() & self.secrets.keys()):
            raise ValueError(f"environment and secrets both have {both[0]}; once is right")
        return self

    @classmethod
    def secrets_go(cls) -> str:
        """Kubernetes has secrets of its own."""
        return TAKE_SECRETS

    @property
    def remote_studies(self) -> PurePosixPath | None:
        """On the volume."""
        return self.volume.mount

    @property
    def place(self) -> Place:
        """A pod, of which nothing stays but the volume."""
        return Place(volume=self.volume.mount, several_writers=self.volume.shared)

    @property
    def site(self) -> str:
        """One list of jobs for each namespace."""
        return f"kubernetes {self.context or ''}/{self.namespace}"

    @property
    def ray_address(self) -> str | None:
        """The driver joins the cluster whose head it runs on."""
        return "auto"

    @property
    def files_folder(self) -> PurePosixPath | None:
        """A ConfigMap, mounted."""
        return FILES


TAKE_SECRETS: Final = "name a secret of the namespace: secrets: {PGPASSWORD: {name: eiann-db, key: password}}"
