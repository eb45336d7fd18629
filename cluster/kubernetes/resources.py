"""The part of the Kubernetes and KubeRay API that is used here, typed: what is misspelt does not get as far as YAML.

Field names are those of the API, in Python's spelling. A test holds the whole against KubeRay's own definitions.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class Part(BaseModel):
    """Base of all parts: an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)

    def plain(self) -> dict[str, Any]:
        """Plain data in the API's spelling, without what was not given."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class SecretKeyRef(Part):
    """One value of a secret."""

    name: str
    key: str


class ValueFrom(Part):
    """Where the value of a variable comes from."""

    secret_key_ref: SecretKeyRef


class EnvVar(Part):
    """A variable."""

    name: str
    value: str | None = None
    value_from: ValueFrom | None = None


class ResourceAmounts(Part):
    """What a container may take, and what it is promised."""

    limits: dict[str, str]
    requests: dict[str, str]


class VolumeMount(Part):
    """Where a container sees a volume."""

    name: str
    mount_path: str
    read_only: bool | None = None


class Capabilities(Part):
    """Rights of the kernel that a container gives up."""

    drop: tuple[str, ...] = ("ALL",)


class ContainerSecurity(Part):
    """A container cannot gain rights that it was not started with."""

    allow_privilege_escalation: bool = False
    capabilities: Capabilities = Capabilities()


class Container(Part):
    """A container of a pod."""

    name: str
    image: str
    resources: ResourceAmounts
    env: tuple[EnvVar, ...] | None = None
    volume_mounts: tuple[VolumeMount, ...] | None = None
    security_context: ContainerSecurity = ContainerSecurity()


class Claim(Part):
    """A PersistentVolumeClaim."""

    claim_name: str


class EmptyDir(Part):
    """A folder in memory, for the life of the pod."""

    medium: Literal["Memory"] = "Memory"
    size_limit: str


class ConfigMapSource(Part):
    """A ConfigMap as files."""

    name: str


class PodVolume(Part):
    """One of the three kinds of volume."""

    name: str
    persistent_volume_claim: Claim | None = None
    empty_dir: EmptyDir | None = None
    config_map: ConfigMapSource | None = None


class LocalReference(Part):
    """Something of the namespace, by name."""

    name: str


class PodSpec(Part):
    """A pod."""

    containers: tuple[Container, ...]
    volumes: tuple[PodVolume, ...] | None = None
    image_pull_secrets: tuple[LocalReference, ...] | None = None
    service_account_name: str | None = None
    automount_service_account_token: bool | None = None
    node_selector: dict[str, str] | None = None
    tolerations: tuple[dict[str, str | int], ...] | None = None
    restart_policy: Literal["Never", "Always"] | None = None
    termination_grace_period_seconds: int


class Metadata(Part):
    """Name and labels."""

    name: str | None = None
    namespace: str | None = None
    labels: dict[str, str] | None = None


class PodTemplate(Part):
    """What pods are made from."""

    metadata: Metadata | None = None
    spec: PodSpec


class HeadGroup(Part):
    """The head of a Ray cluster."""

    ray_start_params: dict[str, str]
    template: PodTemplate


class WorkerGroup(Part):
    """Its workers of one size."""

    group_name: str
    replicas: int
    min_replicas: int
    max_replicas: int
    ray_start_params: dict[str, str]
    template: PodTemplate


class AuthOptions(Part):
    """The operator makes a token and gives it to all pods of the cluster."""

    mode: Literal["token"] = "token"


class Autoscaler(Part):
    """When workers are given back."""

    idle_timeout_seconds: int


class RayClusterSpec(Part):
    """A Ray cluster."""

    ray_version: str
    auth_options: AuthOptions = AuthOptions()
    enable_in_tree_autoscaling: bool
    autoscaler_options: Autoscaler | None = None
    head_group_spec: HeadGroup
    worker_group_specs: tuple[WorkerGroup, ...]


class RayJobSpec(Part):
    """The CRD takes any text as ``submissionMode``; the operator knows these."""

    submission_mode: Literal["K8sJobMode", "SidecarMode"]
    entrypoint: str
    runtime_env_yaml: Annotated[str | None, Field(alias="runtimeEnvYAML")] = None
    backoff_limit: int
    active_deadline_seconds: int | None = None
    pre_running_deadline_seconds: int
    shutdown_after_job_finishes: Literal[True] = True
    ttl_seconds_after_finished: int
    ray_cluster_spec: RayClusterSpec


class RayJob(Part):
    """A Ray cluster for one driver."""

    api_version: Literal["ray.io/v1"] = "ray.io/v1"
    kind: Literal["RayJob"] = "RayJob"
    metadata: Metadata
    spec: RayJobSpec


class ConfigMap(Part):
    """Small files."""

    api_version: Literal["v1"] = "v1"
    kind: Literal["ConfigMap"] = "ConfigMap"
    metadata: Metadata
    immutable: Literal[True] = True
    data: dict[str, str]


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as lines."""

    def represent_text(self, text: str) -> yaml.ScalarNode:
        """One text."""
        style = "|" if "\n" in text else None
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _Dumper.represent_text)


def to_yaml(*resources: Part) -> str:
    """Several resources as the documents of one YAML text."""
    plain = [one.plain() for one in resources]
    return str(yaml.dump_all(plain, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True))
