"""A real Ray head with its Jobs server, for a test: own folder, own ports, own token, ended by its own process id."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import requests

SECONDS = 180
ATTEMPTS = 3
STARTED = "Ray runtime started"


@dataclass(frozen=True)
class Head:
    """Where it is, and what opens it."""

    address: str
    token: str
    token_file: Path
    folder: Path
    pid: int

    def processes(self) -> list[int]:
        """Everything that belongs to it: processes that name its folder, which is its own."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                named = entry.joinpath("cmdline").read_bytes() + entry.joinpath("environ").read_bytes()
            except OSError:
                continue
            if os.fsencode(str(self.folder)) in named:
                found.append(int(entry.name))
        return found


@contextmanager
def ray_head(cpus: int = 1) -> Iterator[Head]:
    """Start one and wait until its Jobs server answers. Ray gives a start up after 30 s, too few on a busy machine."""
    for attempt in range(ATTEMPTS):
        with _one_head(cpus) as (head, process, log):
            if _has_started(head, process, log):
                yield head
                return
            assert attempt + 1 < ATTEMPTS, log.read_text()


@contextmanager
def _one_head(cpus: int) -> Iterator[tuple[Head, subprocess.Popen[bytes], Path]]:
    # A path of a UNIX socket has 107 bytes; pytest's own folders are too long for Ray.
    folder = Path(tempfile.mkdtemp(prefix="er-"))
    token = secrets.token_hex(32)
    token_file = folder / "token"
    token_file.touch(mode=0o600)
    token_file.write_text(token)
    port = _free_port()
    # All ports are given: a node waits for every agent that chooses its own, and gives up on a busy machine.
    given = ("node-manager", "object-manager", "dashboard-agent-listen", "dashboard-agent-grpc", "runtime-env-agent")
    command = [
        str(Path(sys.executable).with_name("ray")), "start", "--head", "--block", f"--port={_free_port()}",
        "--dashboard-host=127.0.0.1", f"--dashboard-port={port}", f"--ray-client-server-port={_free_port()}",
        *(f"--{name}-port={_free_port()}" for name in (*given, "metrics-export")),
        "--min-worker-port=0", "--max-worker-port=0", f"--temp-dir={folder / 't'}", "--include-log-monitor=false",
        f"--num-cpus={cpus}", "--num-gpus=0", "--object-store-memory=100000000", "--disable-usage-stats",
    ]  # fmt: skip
    environment = {**os.environ, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token_file)}
    # No ports of metrics, which ask for no token; as in the jobs on Slurm and the Ray of a search on one machine.
    environment |= {"RAY_enable_metrics_collection": "0", "AUTOSCALER_METRIC_PORT": "-1", "DASHBOARD_METRIC_PORT": "-1"}
    log = folder / "out"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, env=environment, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, umask=0o077
        )
    head = Head(f"http://127.0.0.1:{port}", token, token_file, folder, process.pid)
    try:
        yield head, process, log
    finally:
        _end(head, process)
        shutil.rmtree(folder, ignore_errors=True)


def _has_started(head: Head, process: subprocess.Popen[bytes], log: Path) -> bool:
    """Whether it has, once that is known: its processes are all there, and the one that starts jobs among them."""
    deadline = time.monotonic() + SECONDS
    opening = {"Authorization": f"Bearer {head.token}"}
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(requests.exceptions.RequestException):
            answers = requests.get(f"{head.address}/api/jobs/", headers=opening, timeout=5).ok
            agent = list(head.folder.glob("t/session_latest/dashboard_agent_listen_port_*"))
            if answers and agent and STARTED in log.read_text():
                return True
        time.sleep(0.2)
    return False


def _end(head: Head, process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(3)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    while left := head.processes():  # some of them drain for half a minute; they are known by the folder, which is ours
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
