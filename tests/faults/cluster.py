"""Ray clusters of two machines on one: a head, and a second raylet that may not see the studies and may be killed."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from secrets import token_hex

import psutil

_START = "from ray.scripts.scripts import main; main()"
_ATTEMPTS = 3


class TwoMachines:
    """A Ray cluster on loopback whose machines are process groups of their own.

    Args:
        hidden: a folder that the second machine does not see, as if it had no shared disk; needs root.
        resources: options of ``ray start`` for both machines.
    """

    def __init__(self, hidden: Path | None = None, resources: Sequence[str] = ("--num-cpus=1",)) -> None:
        # Paths of sockets must be short.
        self.folder = Path(tempfile.mkdtemp(prefix="eiann-"))
        self._hidden = hidden
        self._resources = resources
        self._port = _free_port()
        self.address = f"127.0.0.1:{self._port}"
        token = self.folder / "token"
        token.touch(mode=0o600)
        token.write_text(token_hex(32))
        self.environment = {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(token),
            "EIANN_SPOOL": str(self.folder),
            "OMP_NUM_THREADS": "1",
        }
        """What everything that has to do with this cluster has in its environment."""
        self._started: list[subprocess.Popen[bytes]] = []
        try:
            self.head = self._patiently("--head", f"--port={self._port}", "--include-dashboard=false")
            self.second = self._patiently(f"--address={self.address}", hide=True)
        except BaseException:
            # Interrupted: nobody has it who would remove it.
            self.remove()
            raise

    def kill(self, machine: subprocess.Popen[bytes]) -> None:
        """SIGKILL of a machine: the raylet and all its workers at once."""
        family = psutil.Process(machine.pid).children(recursive=True) if machine.poll() is None else []
        for process in [*family]:
            _send(process, signal.SIGKILL)
        if machine.poll() is None:
            os.killpg(machine.pid, signal.SIGKILL)
        machine.wait(60)

    def remove(self) -> None:
        """End everything, and remove the folder."""
        for machine in reversed(self._started):
            self.kill(machine)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self, *options: str, hide: bool = False) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", _START, "start", "--block", "--node-ip-address=127.0.0.1"]
        command += ["--object-store-memory=80000000", "--disable-usage-stats", *self._resources, *options]
        if "--head" in options:
            command += [f"--temp-dir={self.folder}"]
        if hide and self._hidden is not None:
            mount = f'mount -t tmpfs eiann-hidden {self._hidden} && exec "$@"'
            command = ["unshare", "--mount", "sh", "-c", mount, "sh", *command]
        with (self.folder / "start.txt").open("ab") as log:
            machine = subprocess.Popen(
                command,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._started.append(machine)
        return machine

    def _patiently(self, *options: str, hide: bool = False) -> subprocess.Popen[bytes]:
        """Ray gives its own processes half a minute; on a busy machine that may not be enough."""
        log = self.folder / "start.txt"
        for _ in range(_ATTEMPTS):
            started = log.read_text().count("Ray runtime started") if log.exists() else 0
            machine = self._start(*options, hide=hide)
            limit = time.monotonic() + 180
            while machine.poll() is None and time.monotonic() < limit:
                if log.read_text().count("Ray runtime started") > started:
                    return machine
                time.sleep(0.2)
            self.kill(machine)
        raise RuntimeError(f"Ray did not start: {log.read_text()}")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _send(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
