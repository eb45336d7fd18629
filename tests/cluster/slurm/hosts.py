"""Hosts that are none: Linux namespaces with an address, a name, a process list and a scratch disk each; Slurm on top.

Run as ``python hosts.py FOLDER`` it is the first process of them all, and of each host: whoever ends it ends
everything, and nothing of the machine's own network, names or processes is touched. Needs root.

    Hosts (a test)
      `- outer (PID, network and mount namespace): bridge, munged, slurmctld; the "login node"
           `- n1, n2, ... (a namespace of each kind): eth0, slurmd
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

NETWORK = "10.78.0"
LOGIN = f"{NETWORK}.254"
TOOLS = ("sbatch", "squeue", "scancel", "scontrol", "sinfo", "srun")
PROGRAMS = (*TOOLS, "munged", "slurmctld", "slurmd", "unshare", "nsenter", "setpriv", "ip", "mount")

CONFIGURATION = """\
ClusterName=hosts
SlurmctldHost=login({login})
SlurmctldPort=16817
SlurmdPort=16818
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
SlurmdTimeout=20
MessageTimeout=20
SlurmdParameters=config_overrides
"""

# The tests are outside, Slurm's commands must be inside; jobs inherit the PATH from outside, without these wrappers.
WRAPPER = """\
#!/bin/bash
export SLURM_CONF='{folder}/slurm.conf' PATH="${{PATH#'{tools}':}}"
exec nsenter --target "$(<'{folder}/login.pid')" --net --wd="$PWD" -- {tool} "$@"
"""


def lacking() -> str:
    """The reason why they cannot be made here, or nothing."""
    absent = [program for program in PROGRAMS if shutil.which(program) is None]
    if os.geteuid() != 0 or absent:
        return "needs root, iproute2 and Debian's slurm packages"
    allowed = subprocess.run(
        ["unshare", "--net", "--mount", "--pid", "--fork", "true"], capture_output=True, check=False
    )
    return "" if allowed.returncode == 0 else "needs the right to make namespaces (CAP_SYS_ADMIN)"


# ------------------------------------------------------------------------------------------------------- from outside


class Hosts:
    """Two or more hosts with Slurm on them.

    Args:
        nodes: how many.
        cpus: of each.
    """

    def __init__(self, nodes: int = 2, cpus: int = 2) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="hosts-", dir="/tmp"))  # short: sockets lie in it
        self.scratch = self.folder / "s"  # on every node another disk
        self.tools = self.folder / "bin"
        self.configuration = self.folder / "slurm.conf"
        self._names = [f"n{i + 1}" for i in range(nodes)]
        self._outer: subprocess.Popen[bytes] | None = None
        self._write(cpus)

    def start(self, seconds: float = 120) -> None:
        """Start them; returns when all nodes are idle."""
        with (self.folder / "outer.out").open("wb") as output:
            self._outer = subprocess.Popen(
                _unshare("--net", "--mount", "--pid", script=("outer", str(self.folder), *self._names)),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + seconds
        _until((self.folder / "up").exists, "the outer namespace", deadline)
        (self.folder / "login.pid").write_text(str(_child(self._outer.pid)))
        idle = f"idle {len(self._names)}"
        _until(lambda: self.ask("sinfo", "--noheader", "--format=%T %D") == idle, "the nodes to be idle", deadline)

    def stop(self) -> None:
        """End everything: the first process of a namespace takes the others with it."""
        if self._outer is not None:
            self._outer.kill()
            self._outer.wait()
            # the kernel ends what is inside on its own time
            _until(lambda: not self._inside(), "the namespaces to end", time.monotonic() + 30)
        shutil.rmtree(self.folder, ignore_errors=True)

    def ask(self, *command: str) -> str:
        """What one of Slurm's commands prints."""
        answer = subprocess.run([self.tools / command[0], *command[1:]], capture_output=True, text=True, check=False)
        return answer.stdout.strip()

    def power_off(self, name: str) -> None:
        """As if the plug were pulled: every process of the node is gone at once."""
        os.kill(self._first_process(name), signal.SIGKILL)

    def cut(self, name: str) -> None:
        """Pull the node's network cable."""
        self._link(name, "down")

    def heal(self, name: str) -> None:
        """Plug it in again."""
        self._link(name, "up")

    def inside(self, name: str, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command on a node."""
        enter = ["nsenter", "--target", str(self._first_process(name)), "--net", "--uts", "--mount", "--pid", "--"]
        return subprocess.run([*enter, *command], capture_output=True, text=True, check=False)

    def enter(self) -> list[str]:
        """What a command begins with that shall run in the network of the login node."""
        return ["nsenter", "--target", (self.folder / "login.pid").read_text(), "--net", "--"]

    def _link(self, name: str, state: str) -> None:
        subprocess.run([*self.enter(), "ip", "link", "set", f"v-{name}", state], check=True)

    def _first_process(self, name: str) -> int:
        for child in _children(int((self.folder / "login.pid").read_text())):
            if name.encode() in Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0"):
                return _child(child)
        raise LookupError(f"there is no {name}")

    def _inside(self) -> bool:
        login = self.folder / "login.pid"
        return login.exists() and Path(f"/proc/{login.read_text()}").exists()

    def _write(self, cpus: int) -> None:
        for part in ("state", "bin", "s"):
            (self.folder / part).mkdir()
        addresses = {name: f"{NETWORK}.{i + 1}" for i, name in enumerate(self._names)}
        text = CONFIGURATION.format(folder=self.folder, login=LOGIN)
        for name, address in addresses.items():
            (self.folder / f"spool-{name}").mkdir()
            text += f"NodeName={name} NodeAddr={address} CPUs={cpus} RealMemory=4000 State=UNKNOWN\n"
        text += "PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO\n"
        self.configuration.write_text(text)
        names = {"localhost": "127.0.0.1", "login": LOGIN, **addresses}
        (self.folder / "hosts").write_text("".join(f"{address} {name}\n" for name, address in names.items()))
        (self.folder / "addresses.json").write_text(json.dumps(addresses))
        key = self.folder / "munge.key"
        key.touch(mode=0o600)
        key.write_bytes(secrets.token_bytes(256))
        self.folder.chmod(0o755)
        for tool in TOOLS:
            wrapper = self.tools / tool
            wrapper.write_text(WRAPPER.format(folder=self.folder, tools=self.tools, tool=shutil.which(tool)))
            wrapper.chmod(0o755)


def _unshare(*kinds: str, script: Sequence[str]) -> list[str]:
    # Whoever made a namespace takes it along, however he ends.
    alone = ["setpriv", "--pdeathsig", "KILL", "unshare", *kinds]
    return [*alone, "--uts", "--fork", "--kill-child", "--mount-proc", sys.executable, __file__, *script]


def _children(pid: int) -> list[int]:
    with suppress(FileNotFoundError):
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def _child(pid: int) -> int:
    """The process that ``unshare`` forks, as seen from the caller."""
    _until(lambda: bool(_children(pid)), "a namespace", time.monotonic() + 30)
    return _children(pid)[0]


def _until(condition: Callable[[], bool], what: str, deadline: float) -> None:
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited too long for {what}")
        time.sleep(0.05)


# -------------------------------------------------------------------------------------------------------- from inside


def _do(*command: object) -> None:
    subprocess.run([str(part) for part in command], check=True)


def _serve(command: Sequence[object], log: Path) -> None:
    with log.open("ab") as output:
        subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=output, stderr=output)


def _reap() -> None:
    """What a first process owes the others: bury their dead, for ever."""
    while True:
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.1)


def outer(folder: Path, names: Sequence[str]) -> None:
    """The login node."""
    _do("mount", "--make-rprivate", "/")
    _do("mount", "--bind", folder / "hosts", "/etc/hosts")
    _do("hostname", "login")
    _do("ip", "link", "set", "lo", "up")
    _do("ip", "link", "add", "bridge0", "type", "bridge")
    _do("ip", "address", "add", f"{LOGIN}/24", "dev", "bridge0")
    _do("ip", "link", "set", "bridge0", "up")
    os.environ["SLURM_CONF"] = str(folder / "slurm.conf")
    munge = ["munged", "--foreground", "--force", f"--socket={folder}/munge.sock", f"--key-file={folder}/munge.key"]
    munge += [f"--pid-file={folder}/munged.pid", f"--seed-file={folder}/munge.seed", f"--log-file={folder}/munged.log"]
    _serve(munge, folder / "munged.out")
    _until((folder / "munge.sock").exists, "munged", time.monotonic() + 30)
    _serve(["slurmctld", "-D"], folder / "slurmctld.out")
    addresses = json.loads((folder / "addresses.json").read_text())
    for name in names:
        with (folder / f"{name}.out").open("ab") as output:
            host = subprocess.Popen(
                _unshare("--net", "--mount", "--pid", script=("node", str(folder), name, addresses[name])),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        first = _child(host.pid)
        _do("ip", "link", "add", f"v-{name}", "type", "veth", "peer", "name", "eth0", "netns", first)
        _do("ip", "link", "set", f"v-{name}", "master", "bridge0", "up")
    (folder / "up").touch()
    _reap()


def node(folder: Path, name: str, address: str) -> None:
    """A compute node."""
    _do("mount", "-t", "tmpfs", "scratch", folder / "s")
    _do("hostname", name)
    _do("ip", "link", "set", "lo", "up")
    _until(Path("/proc/net/dev").exists, "proc", time.monotonic() + 30)
    _until(lambda: "eth0" in Path("/proc/net/dev").read_text(), "the cable", time.monotonic() + 30)
    _do("ip", "address", "add", f"{address}/24", "dev", "eth0")
    _do("ip", "link", "set", "eth0", "up")
    _serve(["slurmd", "-D", "-N", name], folder / f"{name}.out")
    _reap()


if __name__ == "__main__":
    role, place, *rest = sys.argv[1:]
    if role == "outer":
        outer(Path(place), rest)
    else:
        node(Path(place), *rest)
