"""From a profile and a job to the manifest that is applied."""

from __future__ import annotations

import re
import shlex
from typing import Final

import yaml

from cluster.errors import ClusterError
from cluster.job import JobSpec, Resources
from cluster.kubernetes.profile import FILES, TAKE_SECRETS, KubernetesProfile
from cluster.kubernetes.resources import (
    Autoscaler,
    Claim,
    ConfigMap,
    ConfigMapSource,
    Container,
    EmptyDir,
    EnvVar,
    HeadGroup,
    LocalReference,
    Metadata,
    Part,
    PodSpec,
    PodTemplate,
    PodVolume,
    RayClusterSpec,
    RayJob,
    RayJobSpec,
    ResourceAmounts,
    SecretKeyRef,
    ValueFrom,
    VolumeMount,
    WorkerGroup,
)
from cluster.secrets import secret_names

OWNER: Final = "app.kubernetes.io/managed-by=eiann"
"""The label by which jobs are found again."""

# KubeRay makes names of pods and services from the job's; it takes 47 characters.
_LONGEST_NAME: Final = 47
_LARGEST_FILES: Final = 900 * 1024  # a ConfigMap takes 1 MiB
_STUDIES: Final = "studies"
_FILES: Final = "job-files"
_SHM: Final = "shm"
_SHM_SIZE: Final = "1Gi"


def object_name(name: str, suffix: str) -> str:
    """The job's name as Kubernetes takes it: lower case, digits and hyphens, not too long.

    Example:
        >>> object_name("Dale_backprop.v2", "1f3a")
        'dale-backprop-v2-1f3a'
    """
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    plain = plain if plain[:1].isalpha() else f"job-{plain}"
    return f"{plain[: _LONGEST_NAME - len(suffix) - 1].rstrip('-')}-{suffix}"


def check(profile: KubernetesProfile, spec: JobSpec) -> None:
    """Refuse what a manifest cannot say, or must not.

    Raises:
        ClusterError: resources that belong into the profile, a secret among the variables, or files that are too large.
    """
    if spec.resources != Resources():
        asked = ", ".join(spec.resources.model_dump(exclude_defaults=True))
        raise ClusterError(f"{spec.name}: asks for {asked}; on Kubernetes that stands in the profile: head, workers")
    if names := secret_names(spec.environment):
        raise ClusterError(
            f"{spec.name}: environment has {names[0]}, and a manifest is no place for its value; {TAKE_SECRETS}"
        )
    if (size := sum(len(text.encode()) for text in spec.files.values())) > _LARGEST_FILES:
        raise ClusterError(
            f"{spec.name}: its files have {size // 1024} KiB and a ConfigMap takes {_LARGEST_FILES // 1024}; "
            f"put them on the volume, below {profile.volume.mount}"
        )


def manifest(profile: KubernetesProfile, spec: JobSpec, name: str) -> tuple[Part, ...]:
    """The resources of a job: a RayJob, and before it a ConfigMap where files travel with it.

    Args:
        profile: of the namespace.
        spec: of the job.
        name: of the objects, see `object_name`.
    """
    manager, _, owner = OWNER.partition("=")
    # The job's own name as an annotation would do; as a label people can select it.
    labels = {**profile.labels, manager: owner, "eiann/job": spec.name[:63].strip("._-")}
    metadata = Metadata(name=name, namespace=profile.namespace, labels=labels)
    job = RayJob(
        metadata=metadata,
        spec=RayJobSpec(
            submission_mode=profile.submission_mode,
            # The operator hands this to a shell; exec lets a SIGTERM reach the command itself, once.
            entrypoint=f"exec {shlex.join(spec.command)}",
            runtime_env_yaml=_runtime_env(profile, spec),
            backoff_limit=profile.retries,
            active_deadline_seconds=profile.walltime_seconds,
            pre_running_deadline_seconds=profile.start_seconds,
            ttl_seconds_after_finished=profile.keep_seconds,
            ray_cluster_spec=_cluster(profile, name if spec.files else None),
        ),
    )
    if not spec.files:
        return (job,)
    return ConfigMap(metadata=metadata, data=dict(spec.files)), job


def _runtime_env(profile: KubernetesProfile, spec: JobSpec) -> str:
    workers = profile.workers
    variables = {
        **profile.environment,
        **spec.environment,
        "RAY_JOB_STOP_WAIT_TIME_S": str(profile.stop_seconds),
        # The driver counts on what the autoscaler may bring, not on what is there when it starts.
        "EIANN_RAY_CPUS": f"{workers.max * workers.cpus:g}",
        "EIANN_RAY_GPUS": f"{workers.max * workers.gpus}",
    }
    return str(yaml.safe_dump({"env_vars": variables}, sort_keys=False))


def _cluster(profile: KubernetesProfile, files: str | None) -> RayClusterSpec:
    workers = profile.workers
    grows = workers.min != workers.max
    return RayClusterSpec(
        ray_version=profile.ray_version,
        enable_in_tree_autoscaling=grows,
        autoscaler_options=Autoscaler(idle_timeout_seconds=workers.idle_seconds) if grows else None,
        # No CPUs: packs go to the workers, and the driver is never short of time.
        head_group_spec=HeadGroup(
            ray_start_params={"num-cpus": "0", "dashboard-host": "0.0.0.0"},  # noqa: S104  the operator asks it, with the token
            template=PodTemplate(spec=_head(profile, files)),
        ),
        worker_group_specs=(
            WorkerGroup(
                group_name="workers",
                replicas=workers.min,
                min_replicas=workers.min,
                max_replicas=workers.max,
                ray_start_params={"num-cpus": f"{max(1, int(workers.cpus))}"},
                template=PodTemplate(spec=_worker(profile)),
            ),
        ),
    )


def _head(profile: KubernetesProfile, files: str | None) -> PodSpec:
    secrets = tuple(
        EnvVar(name=name, value_from=ValueFrom(secret_key_ref=SecretKeyRef(name=found.name, key=found.key)))
        for name, found in profile.secrets.items()
    )
    amounts = _amounts(profile.head.cpus, profile.head.memory_gb)
    pod = _pod(profile, "ray-head", amounts, secrets, volume=True, files=files)
    # The operator wants this of a head that holds the driver's own container too.
    return pod.model_copy(update={"restart_policy": "Never" if profile.submission_mode == "SidecarMode" else None})


def _worker(profile: KubernetesProfile) -> PodSpec:
    workers = profile.workers
    amounts = _amounts(workers.cpus, workers.memory_gb, {workers.gpu_resource: workers.gpus} if workers.gpus else {})
    pod = _pod(profile, "ray-worker", amounts, (), volume=profile.volume.shared, files=None)
    return pod.model_copy(
        update={
            "node_selector": dict(workers.node_selector) or None,
            "tolerations": workers.tolerations or None,
            "automount_service_account_token": False,
        }
    )


def _pod(
    profile: KubernetesProfile,
    container: str,
    amounts: ResourceAmounts,
    secrets: tuple[EnvVar, ...],
    *,
    volume: bool,
    files: str | None,
) -> PodSpec:
    mounts = [VolumeMount(name=_SHM, mount_path="/dev/shm")]  # noqa: S108  where Ray keeps objects
    volumes = [PodVolume(name=_SHM, empty_dir=EmptyDir(size_limit=_SHM_SIZE))]
    if volume:
        mounts.append(VolumeMount(name=_STUDIES, mount_path=str(profile.volume.mount)))
        volumes.append(PodVolume(name=_STUDIES, persistent_volume_claim=Claim(claim_name=profile.volume.claim)))
    if files is not None:
        mounts.append(VolumeMount(name=_FILES, mount_path=str(FILES), read_only=True))
        volumes.append(PodVolume(name=_FILES, config_map=ConfigMapSource(name=files)))
    return PodSpec(
        containers=(
            Container(
                name=container,
                image=profile.image,
                resources=amounts,
                env=(EnvVar(name="RAY_USAGE_STATS_ENABLED", value="0"), *secrets),
                volume_mounts=tuple(mounts),
            ),
        ),
        volumes=tuple(volumes),
        image_pull_secrets=(LocalReference(name=profile.image_pull_secret),) if profile.image_pull_secret else None,
        service_account_name=profile.service_account,
        termination_grace_period_seconds=profile.stop_seconds + 30,
    )


def _amounts(cpus: float, memory_gb: float, more: dict[str, int] | None = None) -> ResourceAmounts:
    """Limits equal to requests: a pod that is promised less than it takes is the first to be thrown out."""
    amounts = {"cpu": f"{cpus:g}", "memory": f"{round(memory_gb * 1024)}Mi"}
    amounts |= {name: str(count) for name, count in (more or {}).items()}
    return ResourceAmounts(limits=amounts, requests=amounts)
