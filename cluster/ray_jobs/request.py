"""What is sent for a job."""

from __future__ import annotations

import shlex
from typing import Any, Final

from cluster.errors import ClusterError
from cluster.job import JobSpec, Resources
from cluster.ray_jobs.profile import SHOWN_TO_ALL, RayProfile
from cluster.secrets import secret_names

_STOP_SECONDS: Final = "RAY_JOB_STOP_WAIT_TIME_S"


def check(spec: JobSpec) -> None:
    """Refuse what a Ray cluster cannot give.

    Raises:
        ClusterError: resources of its own, or a secret among the variables.
    """
    if spec.resources != Resources():
        asked = ", ".join(spec.resources.model_dump(exclude_defaults=True))
        raise ClusterError(f"{spec.name}: asks for {asked}; a Ray cluster that runs already has what it has")
    if names := secret_names(spec.environment):
        raise ClusterError(f"{spec.name}: environment.{names[0]}: {SHOWN_TO_ALL}")


def job_request(profile: RayProfile, spec: JobSpec, submission_id: str, working_dir: str | None) -> dict[str, Any]:
    """The body of the request.

    Args:
        profile: of the cluster.
        spec: of the job.
        submission_id: the job's name at the cluster.
        working_dir: where the cluster finds the working folder.
    """
    variables = {
        **profile.environment,
        **spec.environment,
        # Ray kills a job 3 s after telling it to stop; a driver that has packs to write needs more.
        _STOP_SECONDS: str(profile.stop_seconds),
    }
    runtime_env: dict[str, Any] = {"env_vars": variables}
    if working_dir is not None:
        runtime_env["working_dir"] = working_dir
    if profile.requirements:
        runtime_env["pip"] = list(profile.requirements)
    return {
        # Ray hands this to a shell; exec lets its SIGTERM reach the command itself, once.
        "entrypoint": f"exec {shlex.join(spec.command)}",
        "submission_id": submission_id,
        "metadata": {"job_name": spec.name},
        "runtime_env": runtime_env,
    }
