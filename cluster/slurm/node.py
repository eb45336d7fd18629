"""Ray on one node of an allocation: ``python -m cluster.slurm.node``, started by the batch script on every node.

The first task starts the head and writes its address into the run's folder for the others. Every task writes a file
``up.N`` there when its node has joined, or ``down.N`` when it cannot (see `cluster.slurm.gather`). SIGTERM stops Ray
and ends the task.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Event, Thread
from types import FrameType
from typing import Final

from cluster.files import write_atomic

ADDRESS: Final = "address"
STEP: Final = "step"
UP: Final = "up."
DOWN: Final = "down."
_PREFIX: Final = "eiann-"
_LOCK: Final = "lock"
_SETTLED_SECONDS: Final = 600  # younger folders may still be on their way to a lock
_ATTEMPTS: Final = 3
_FALLS_SECONDS: Final = (
    600  # Ray's node gives its agents 15 s to import Python from a slow disk; the next time is quicker
)
_PORTS: Final = (
    "node-manager",
    "object-manager",
    "dashboard-agent-listen",
    "dashboard-agent-grpc",
    "runtime-env-agent",
    "metrics-export",
)
_STARTED: Final = "Ray runtime started"
_OBJECT_STORE_BYTES: Final = 200 * 1024**2
_SIOCGIFADDR: Final = 0x8915
_POLL_SECONDS: Final = 0.1


class NodeError(Exception):
    """Ray cannot be started here, and why."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run Ray on this node until SIGTERM, or until it ends by itself."""
    parser = argparse.ArgumentParser(description="Ray on one node (used by the batch script).")
    parser.add_argument("run", type=Path, help="folder of this run, on the shared disk")
    parser.add_argument("--cpus", type=int, required=True)
    parser.add_argument("--scratch", default=tempfile.gettempdir(), help="folder on the node's own disk")
    parser.add_argument("--interface", help="network interface")
    parser.add_argument("--dashboard", action="store_true")
    options = parser.parse_args(arguments)
    task = int(os.environ.get("SLURM_PROCID", "0"))
    os.umask(0o077)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # a walltime signal is for the command
    stop = _stop_on_term()
    if task == 0:
        write_atomic(options.run / STEP, os.environ.get("SLURM_STEP_ID", "0"))
    try:
        scratch = Path(os.path.expandvars(options.scratch))
        sweep(scratch)
        with private_folder(scratch) as temporary:
            node = RayNode(options.run, task, temporary, address_of(options.interface), options.cpus, options.dashboard)
            return node.serve(stop)
    except (NodeError, OSError) as error:
        sys.stderr.write(f"{socket.gethostname()}: {error}\n")
        write_atomic(options.run / f"{DOWN}{task}", socket.gethostname())
        return 1


class _RayletFellError(Exception):
    """Ray's own process of this node died before it had joined."""


class RayNode:
    """Ray's processes on this node.

    Args:
        run: folder of the run.
        task: 0 for the head.
        temporary: Ray's own folder.
        ip: of this node.
        cpus: that Ray may give away.
        dashboard: whether the head has one.
    """

    def __init__(self, run: Path, task: int, temporary: Path, ip: str, cpus: int, dashboard: bool) -> None:
        self._run = run
        self._task = task
        self._temporary = temporary
        self._ip = ip
        self._cpus = cpus
        self._dashboard = dashboard

    def serve(self, stop: list[int]) -> int:
        """Start Ray and stay with it; its exit code."""
        deadline, failures = time.monotonic() + _FALLS_SECONDS, 0
        while failures < _ATTEMPTS:  # somebody may take a port between our look and Ray's
            try:
                started, code = self._serve_once(stop)
            except _RayletFellError:
                failures += time.monotonic() > deadline
                sys.stderr.write("Ray's node process fell while it started; once more\n")
                continue
            if started or stop or code == 0:
                return code
            failures += 1
        raise NodeError("ray start failed again and again; see the lines above")

    def _serve_once(self, stop: list[int]) -> tuple[bool, int]:
        head, ports = self._task == 0, free_ports(self._ip, 3 + len(_PORTS))
        gcs = f"{self._ip}:{ports[0]}" if head else self._head(stop)
        if gcs is None:
            return False, 0
        command = self._command(gcs, ports)
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        started = Event()
        reader = Thread(target=_pass_on, args=(process, started), daemon=True)
        reader.start()
        published = False
        try:
            while (code := process.poll()) is None:
                if stop:
                    process.terminate()
                    return published, _ended(process)
                if not started.is_set() and _raylet_fell(process.pid):
                    # `ray start` would wait for it as long as it waits for a slow one: most of the job's patience.
                    _kill_with_children(process)
                    raise _RayletFellError
                if started.is_set() and not published:
                    published = True
                    if head:
                        write_atomic(self._run / ADDRESS, gcs)
                    write_atomic(self._run / f"{UP}{self._task}", socket.gethostname())
                time.sleep(_POLL_SECONDS)
        finally:
            if process.poll() is None:
                process.kill()
            reader.join(timeout=5)
        return published, code

    def _head(self, stop: list[int]) -> str | None:
        """The head's address, once it is there; None if the job was stopped before."""
        file = self._run / ADDRESS
        while not stop:
            with contextlib.suppress(FileNotFoundError):
                return file.read_text(encoding="ascii")
            time.sleep(_POLL_SECONDS)
        return None

    def _command(self, gcs: str, ports: Sequence[int]) -> list[str]:
        beside = Path(sys.executable).parent / "ray"
        ray = str(beside) if beside.exists() else shutil.which("ray")
        if ray is None:
            raise NodeError(f"there is no command ray, neither beside {sys.executable} nor in PATH")
        first, dashboard, client, *others = ports
        command = [ray, "start", "--block", "--disable-usage-stats", "--log-style=record"]
        command += [f"--num-cpus={self._cpus}", f"--num-gpus={visible_gpus()}"]
        command += [f"--object-store-memory={_OBJECT_STORE_BYTES}", f"--temp-dir={self._temporary}"]
        # Nothing at the numbers that Ray takes by default: other jobs of this node may have them. And nothing left to
        # its agents to choose: a node waits for each of them, and gives up on a busy machine.
        command += [f"--node-ip-address={self._ip}", "--min-worker-port=0", "--max-worker-port=0"]
        command += [f"--{name}-port={port}" for name, port in zip(_PORTS, others, strict=True)]
        command += ["--include-log-monitor=false"]  # logs of workers are looked at where they are
        if self._task == 0:
            command += ["--head", f"--port={first}", f"--ray-client-server-port={client}"]
            command += [f"--include-dashboard={str(self._dashboard).lower()}"]
            return [*command, "--dashboard-host=127.0.0.1", f"--dashboard-port={dashboard}"]
        return [*command, f"--address={gcs}"]


def _pass_on(process: subprocess.Popen[str], started: Event) -> None:
    """Pass on what ``ray start`` prints, and notice the line that it prints when its node has joined.

    That its ports listen is not enough: on a busy machine it may give up after that.
    """
    assert process.stdout is not None
    with process.stdout as output:
        for line in output:
            sys.stdout.write(line)
            sys.stdout.flush()
            if _STARTED in line:
                started.set()


def _raylet_fell(ray_start: int) -> bool:
    """Whether the process that is Ray's node is dead and not buried: it gives up where its agents are late."""
    for child in _children(ray_start):
        with contextlib.suppress(OSError):
            name, _, rest = Path(f"/proc/{child}/stat").read_text(encoding="ascii").rpartition(")")
            if name.endswith("(raylet") and rest.split()[0] == "Z":
                return True
    return False


def _kill_with_children(process: subprocess.Popen[str]) -> None:
    for child in _children(process.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    process.kill()
    process.wait()


def _children(process: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    return []


def visible_gpus() -> int:
    """GPUs that Slurm hands out on this node. The list that it leaves is Ray's to share out."""
    listed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if listed is not None:
        return len([one for one in listed.split(",") if one and one != "NoDevFiles"])
    return int(os.environ.get("SLURM_GPUS_ON_NODE") or 0)


def address_of(interface: str | None) -> str:
    """This node's address: of the interface, or of the host's name, or of the first interface that is not loopback.

    Raises:
        NodeError: there is none.
    """
    names = [name for _, name in socket.if_nameindex()]
    if interface is not None:
        found = _interface_address(interface) if interface in names else None
        if found is None:
            raise NodeError(f"network_interface {interface!r} has no address here; there are: {', '.join(names)}")
        return found
    with contextlib.suppress(OSError):
        for *_, place in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET):
            if not str(place[0]).startswith("127."):  # what some systems make of their own name
                return str(place[0])
    addresses = (_interface_address(name) for name in names)
    return next((one for one in addresses if one and not one.startswith("127.")), "127.0.0.1")


def _interface_address(name: str) -> str | None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            answer = fcntl.ioctl(asking, _SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
        except OSError:
            return None
    return socket.inet_ntoa(answer[20:24])


def free_ports(ip: str, count: int) -> list[int]:
    """Ports that nobody has at this moment, all different."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind((ip, 0))
        return [int(one.getsockname()[1]) for one in sockets]


@contextlib.contextmanager
def private_folder(scratch: Path) -> Iterator[Path]:
    """A new folder for this user alone, locked while the block runs and removed after it.

    Its name is short, as sockets need, and nobody can guess it and be there first.
    """
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=scratch))
    try:
        with (folder / _LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep(scratch: Path) -> None:
    """Remove this user's folders that nobody holds any more: a node that fell, or a job that was killed, left them."""
    for folder in scratch.glob(f"{_PREFIX}*"):
        try:
            found = folder.lstat()
            if found.st_uid != os.getuid() or folder.is_symlink() or time.time() - found.st_mtime < _SETTLED_SECONDS:
                continue
            with (folder / _LOCK).open("r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:  # in use, or another task was quicker
            continue


def _stop_on_term() -> list[int]:
    """A list that is empty until SIGTERM comes."""
    came: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        came.append(number)

    signal.signal(signal.SIGTERM, note)
    return came


def _ended(process: subprocess.Popen[str]) -> int:
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
