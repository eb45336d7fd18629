"""Ray: started here for one run or joined at an address, quiet, and left without a trace."""

from __future__ import annotations

import atexit
import logging
import math
import os
import secrets
import shutil
import signal
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from eiann.errors import UserError
from optimize.study import Resources

# Read by Ray when it is imported or started: no reports about its use, no loggers and tables of its own beside ours, no
# snapshots of an experiment that our storage makes superfluous, and our handling of signals instead of Ray's.
_ENVIRONMENT: Final[Mapping[str, str]] = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_TQDM": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    # Figures for Prometheus: three ports that answer everybody. Without the first there is one less; Ray knows no
    # switch for the others, and goes on without them where they cannot be opened.
    "RAY_enable_metrics_collection": "0",
    "AUTOSCALER_METRIC_PORT": "-1",
    "DASHBOARD_METRIC_PORT": "-1",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_WARN_INSUFFICENT_RESOURCE_THRESHOLD_S": "1000000000",
    "TUNE_WARN_SLOW_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "1000000000",
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000000",
}
log = logging.getLogger(__name__)

_OBJECT_STORE_BYTES: Final = 100 * 1024**2
_GROWTH: Final[Mapping[str, str]] = {"CPU": "EIANN_RAY_CPUS", "GPU": "EIANN_RAY_GPUS"}
"""Environment variables: what a cluster that grows by itself may come to have."""
_ATTEMPTS: Final = 3


@dataclass(frozen=True)
class Slots:
    """How many packs a cluster runs at once."""

    packs: int


@contextmanager
def ray_cluster(resources: Resources, address: str | None = None) -> Iterator[Slots]:
    """A Ray cluster for the time of the block.

    Args:
        resources: of one pack.
        address: of a running cluster; left out, one is started on this machine and stopped at the end.

    Raises:
        UserError: it cannot be reached, or has not enough resources for a single pack.
    """
    for key, value in _ENVIRONMENT.items():
        os.environ.setdefault(key, value)
    if address is None and "ray" not in sys.modules and "RAY_AUTH_MODE" not in os.environ:
        os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN_PATH=str(_own_token()))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning, module="ray")
        import ray

    if address is None:
        check_here(resources)
    _start(ray, address)
    try:
        machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
        yield Slots(packs_at_once(_grown(machines), resources))
    finally:
        ray.shutdown()


@cache
def _own_token() -> Path:
    """A token for the clusters that this process starts: Ray would take one from the home, readable for everybody.

    One for all of them, for Ray reads it once. It must stand there before Ray is imported.
    """
    folder = Path(tempfile.mkdtemp(prefix="eiann-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    token = folder / "token"
    token.touch(mode=0o600)
    token.write_text(secrets.token_hex(32), encoding="ascii")
    return token


def _grown(machines: Sequence[Mapping[str, float]]) -> Sequence[Mapping[str, float]]:
    """What a cluster has, or what it is said to grow to where that is more: its workers come when packs wait."""
    promised = {kind: float(os.environ.get(name, "0")) for kind, name in _GROWTH.items()}
    has_all = all(sum(machine.get(kind, 0.0) for machine in machines) >= promised[kind] for kind in promised)
    return machines if has_all else [promised]


def check_here(resources: Resources) -> None:
    """Whether this machine can run a pack.

    Raises:
        UserError: it has not enough of something.
    """
    if resources.gpus:
        import torch

        found = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if found < resources.gpus:
            raise UserError(
                f"found --gpus-per-pack {resources.gpus:g} and {found} GPUs on this machine; "
                "leave it out to compute on the CPU, or give the --address of a cluster that has some"
            )
    cpus = available_cpus()
    if cpus < resources.cpus:
        raise UserError(f"found --cpus-per-pack {resources.cpus:g} and {cpus} CPUs on this machine; at most {cpus}")


def available_cpus() -> int:
    """CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _start(ray: Any, address: str | None) -> None:
    handler = signal.getsignal(signal.SIGTERM)
    try:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                _init(ray, address)
                break
            except Exception as error:
                ray.shutdown()
                # Ray has no type for what goes wrong at a start, and waits half a minute for its own processes, which
                # a machine that is busy with something else exceeds. An address was waited for long enough.
                if address is not None or attempt == _ATTEMPTS:
                    raise UserError(_not_started(error, address)) from error
                log.warning("Ray did not start (%s); trying again", _said(error))
    finally:
        # Ray puts its own in its place, which drains this machine for up to half a minute.
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)


def _not_started(error: Exception, address: str | None) -> str:
    if address is not None:
        return f"the Ray cluster at {address} cannot be reached: {_said(error)}"
    return f"Ray did not start on this machine in {_ATTEMPTS} attempts; is it busy with other work? {_said(error)}"


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _init(ray: Any, address: str | None) -> None:
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address is not None:
        ray.init(address=address, **quiet)
        return
    ray.init(
        address="local",
        num_cpus=available_cpus(),
        include_dashboard=False,
        object_store_memory=_OBJECT_STORE_BYTES,
        **quiet,
    )


def packs_at_once(machines: Sequence[Mapping[str, float]], resources: Resources) -> int:
    """How many packs a cluster has room for. A pack lies on one machine, and a share of a GPU on one GPU.

    Args:
        machines: what each has, as Ray counts it.
        resources: of a pack.

    Raises:
        UserError: no machine has room for a single one.

    Example:
        >>> packs_at_once([{"CPU": 8.0, "GPU": 2.0}], Resources(cpus=1, gpus=0.4))
        4
    """
    packs = sum(_packs_on(machine, resources) for machine in machines)
    if packs:
        return packs
    for kind, amount in (("CPU", resources.cpus), ("GPU", resources.gpus)):
        most = max((machine.get(kind, 0.0) for machine in machines), default=0.0)
        if amount > most:
            raise UserError(f"a pack needs {amount:g} {kind}s and no machine of the Ray cluster has more than {most:g}")
    raise UserError(
        f"a pack needs {resources.cpus:g} CPUs and {resources.gpus:g} GPUs, and no machine of the Ray cluster has both"
    )


def _packs_on(machine: Mapping[str, float], resources: Resources) -> int:
    packs = _whole(machine.get("CPU", 0.0) / resources.cpus)
    if not resources.gpus:
        return packs
    gpus = machine.get("GPU", 0.0)
    share = resources.gpus
    return min(packs, _whole(gpus) * _whole(1 / share) if share < 1 else _whole(gpus / share))


def _whole(number: float) -> int:
    """Rounded down, except where only the arithmetic of fractions kept it below."""
    return math.floor(number + 1e-9)
