"""The batch script of a job."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Final

import jinja2

from cluster.job import JobSpec
from cluster.records import working_folder
from cluster.slurm.profile import Restart, SlurmProfile

MORE_TO_DO: Final = 85
"""A command that ends with it was told to finish, has kept what it had, and wants to go on in a further run."""

LOG: Final = "log.txt"
_RAY_SETTINGS: Final = {
    "RAY_health_check_initial_delay_ms": 5000,
    "RAY_health_check_period_ms": 3000,
    "RAY_health_check_timeout_ms": 10000,
    "RAY_health_check_failure_threshold": 4,
    "RAY_grpc_keepalive_time_ms": 10000,
    "RAY_grpc_keepalive_timeout_ms": 20000,
    "RAY_grpc_client_keepalive_time_ms": 10000,
    "RAY_grpc_client_keepalive_timeout_ms": 20000,
    "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": 0,
    "RAY_raylet_start_wait_time_s": 240,
}
_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent),
    undefined=jinja2.StrictUndefined,
    keep_trailing_newline=True,
    autoescape=False,  # noqa: S701  bash, not HTML: what is put in is quoted for it
)
_TEMPLATES.filters["quote"] = shlex.quote


def render(spec: JobSpec, profile: SlurmProfile, folder: Path) -> str:
    """The batch script, whole.

    Args:
        spec: what to run.
        profile: where, with the resources of the job already in it.
        folder: of the job's records.
    """
    return _TEMPLATES.get_template("job.sh.j2").render(
        name=spec.name,
        directives=_directives(spec.name, profile, folder),
        folder=shlex.quote(str(folder)),
        cwd=shlex.quote(str(working_folder(spec))),
        python=shlex.quote(profile.python or sys.executable),
        setup=profile.setup,
        ray_settings=_RAY_SETTINGS,
        variables=sorted({*profile.environment, *spec.environment}),
        cores=profile.cores,
        scratch=profile.scratch,
        interface=profile.network_interface,
        dashboard=profile.dashboard,
        progress=shlex.join(spec.progress) if spec.progress and profile.restart is not Restart.NONE else "",
        stuck_after=profile.stuck_after,
        min_nodes=profile.min_nodes,
        node_wait=profile.node_wait_seconds,
        command=shlex.join(spec.command),
        restart=profile.restart.value,
        max_restarts=profile.max_restarts,
        more_to_do=MORE_TO_DO,
    )


def _directives(name: str, profile: SlurmProfile, folder: Path) -> list[str]:
    gres = f"gpu:{profile.gpu_type}:{profile.gpus}" if profile.gpu_type else f"gpu:{profile.gpus}"
    memory = None if profile.memory_gb is None else f"{round(profile.memory_gb * 1024)}M"
    options = {
        "job-name": name,
        "output": _path(folder / LOG),
        "open-mode": "append",
        "export": "ALL",
        "partition": profile.partition,
        "account": profile.account,
        "qos": profile.qos,
        "nodes": profile.nodes,
        "ntasks-per-node": 1,
        "cpus-per-task": profile.cores,
        "gres": gres if profile.gpus else None,
        "mem": memory,
        "time": profile.walltime,
        "signal": f"B:USR1@{profile.signal_seconds}",
    }
    lines = [f"--{key}={value}" for key, value in options.items() if value is not None]
    lines.append("--requeue" if profile.restart is Restart.REQUEUE else "--no-requeue")
    if profile.nodes > 1:
        lines.append("--no-kill")  # a node less is a smaller cluster, not the end
    return [*lines, *profile.directives]


def _path(path: Path) -> str:
    """As sbatch reads it: ``%`` begins a pattern, a space ends a word."""
    text = str(path).replace("%", "%%")
    return f'"{text}"' if " " in text else text
