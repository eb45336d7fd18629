"""A real Slurm on this machine's loopback: several slurmd, told apart by name and port, with GPUs that are none.

Needs root and Debian's slurm packages. Nothing of the system is touched: configuration, keys and states lie in one
folder, ports are free ones, and every process is ended by the pid that it was started with.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "scontrol", "sinfo")
START_SECONDS = 90

CONFIGURATION = """\
ClusterName=loopback
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.sock,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
MpiDefault=none
SwitchType=switch/none
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,bf_interval=1,sched_interval=2
ReturnToService=2
KillWait=5
SlurmctldTimeout=60
SlurmdTimeout=60
MessageTimeout=30
SlurmdParameters=config_overrides
GresTypes=gpu
"""


def lacking() -> str:
    """The reason why it cannot run here, or nothing."""
    absent = [program for program in PROGRAMS if shutil.which(program) is None]
    return "" if os.geteuid() == 0 and not absent else "needs root and Debian's slurm packages"


class LoopbackSlurm:
    """The running thing.

    Args:
        nodes: how many slurmd.
        cpus: of each.
        gpus: of each; device files that are copies of /dev/null.
    """

    def __init__(self, nodes: int = 2, cpus: int = 4, gpus: int = 2) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))  # short: a socket lies in it
        self.configuration = self.folder / "slurm.conf"
        self._processes: list[subprocess.Popen[bytes]] = []
        self._names = [f"n{i + 1}" for i in range(nodes)]
        self._write(cpus, gpus)

    def start(self) -> None:
        """Start everything; returns when all nodes are idle."""
        environment = {**os.environ, "SLURM_CONF": str(self.configuration)}
        key, seed = self.folder / "munge.key", self.folder / "munge.seed"
        munge = ["munged", "--foreground", "--force", f"--socket={self.folder}/munge.sock", f"--key-file={key}"]
        munge += [f"--pid-file={self.folder}/munged.pid", f"--seed-file={seed}", f"--log-file={self.folder}/munged.log"]
        self._run(munge, environment)
        self._until((self.folder / "munge.sock").exists, "munged")
        self._run(["slurmctld", "-D", "-f", str(self.configuration)], environment)
        for name in self._names:
            (self.folder / f"spool-{name}").mkdir()
            self._run(["slurmd", "-D", "-f", str(self.configuration), "-N", name], environment)
        self._until(lambda: self._idle(environment), "the nodes to be idle")

    def stop(self) -> None:
        """End all jobs and every process; nothing is left."""
        environment = {**os.environ, "SLURM_CONF": str(self.configuration)}
        with suppress(subprocess.TimeoutExpired):
            subprocess.run(["scancel", "--me"], env=environment, timeout=30, capture_output=True, check=False)
            self._until(lambda: not self._squeue(environment), "the jobs to end", seconds=30)
        for process in reversed(self._processes):
            process.terminate()
        for process in self._processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for pid in self._step_managers():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _write(self, cpus: int, gpus: int) -> None:
        host = socket.gethostname().partition(".")[0]
        with ExitStack() as held:
            sockets = [held.enter_context(socket.socket()) for _ in range(len(self._names) + 1)]
            for one in sockets:
                one.bind(("127.0.0.1", 0))
            ports = [one.getsockname()[1] for one in sockets]
        text = CONFIGURATION.format(host=host, folder=self.folder, ports=ports)
        for name, port in zip(self._names, ports[1:], strict=True):
            place = f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port}"
            text += f"{place} CPUs={cpus} RealMemory=2000 Gres=gpu:{gpus} State=UNKNOWN\n"
        text += "PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO\n"
        self.configuration.write_text(text)
        for gpu in range(gpus):
            os.mknod(self.folder / f"gpu{gpu}", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        names = ",".join(self._names)
        (self.folder / "gres.conf").write_text(f"NodeName={names} Name=gpu File={self.folder}/gpu[0-{gpus - 1}]\n")
        (self.folder / "state").mkdir()
        key = self.folder / "munge.key"
        key.touch(mode=0o600)
        key.write_bytes(secrets.token_bytes(256))
        self.folder.chmod(0o755)

    def _run(self, command: list[str], environment: dict[str, str]) -> None:
        output = (self.folder / f"{len(self._processes)}.out").open("wb")
        with output:
            self._processes.append(
                subprocess.Popen(
                    command,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            )

    def _idle(self, environment: dict[str, str]) -> bool:
        answer = subprocess.run(
            ["sinfo", "--noheader", "--format=%T %D"], env=environment, capture_output=True, text=True, check=False
        )
        return answer.stdout.strip() == f"idle {len(self._names)}"

    def _squeue(self, environment: dict[str, str]) -> str:
        answer = subprocess.run(
            ["squeue", "--noheader"], env=environment, capture_output=True, text=True, timeout=30, check=False
        )
        return answer.stdout.strip()

    def _until(self, condition, what: str, seconds: float = START_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                outputs = [path.read_text(errors="replace")[-500:] for path in sorted(self.folder.glob("*.out"))]
                raise TimeoutError(f"waited {seconds} s for {what}: {outputs}")
            time.sleep(0.1)

    def _step_managers(self) -> list[int]:
        """Processes that slurmd leaves to a job's step: those with our configuration in their environment."""
        mine = f"SLURM_CONF={self.configuration}".encode()
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if (folder / "comm").read_text().strip() == "slurmstepd" and mine in (folder / "environ").read_bytes():
                    found.append(int(folder.name))
        return found
