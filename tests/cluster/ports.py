"""What processes listen on, from /proc, and whether a stranger is let in there without a token."""

from __future__ import annotations

import http.client
import ipaddress
import json
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import grpc

_LISTEN = "0A"
_SERVICES = (
    "NodeInfoGcsService/GetAllNodeInfo",
    "NodeManagerService/GetSystemConfig",
    "ObjectManagerService/Push",
    "CoreWorkerService/PushTask",
    "ReporterService/GetTraceback",
    "RayletDriver/ClusterInfo",
)
"""A call of each service that Ray offers over gRPC."""


@dataclass(frozen=True, order=True)
class Port:
    """A listening socket."""

    host: str
    port: int

    @property
    def loopback(self) -> bool:
        address = ipaddress.ip_address(self.host)
        return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def listening(pids: Iterable[int]) -> list[Port]:
    """The listening sockets of processes."""
    inodes = set()
    for pid in pids:
        with suppress(OSError):
            for link in Path(f"/proc/{pid}/fd").iterdir():
                with suppress(OSError):
                    target = str(link.readlink())
                    if target.startswith("socket:["):
                        inodes.add(target[8:-1])
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTEN and fields[9] in inodes:
                found.add(_port(fields[1]))
    return sorted(found)


def of_jobs() -> list[int]:
    """Processes of jobs of Slurm on this host, but for Slurm's own, whose ports ask for its credentials."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            in_job = entry.name.isdigit() and b"SLURM_JOB_ID=" in entry.joinpath("environ").read_bytes()
            if in_job and entry.joinpath("comm").read_text().strip() not in ("srun", "slurmstepd"):
                found.append(int(entry.name))
    return found


def children(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for parent in found:
        with suppress(OSError):
            found += [int(child) for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
    return found


def answer(port: Port) -> str:
    """What a stranger is told there: ``refused`` where every door asks for a token."""
    address = ipaddress.ip_address(port.host)
    address = getattr(address, "ipv4_mapped", None) or address
    host = "127.0.0.1" if address.is_unspecified else str(address)
    if (code := _http(host, port.port)) is not None:
        return "refused" if code in (401, 403) else f"answers HTTP with {code}"
    place = f"[{host}]" if ":" in host else host
    codes = [_grpc(f"{place}:{port.port}", service) for service in _SERVICES]
    if "OK" in codes:
        return "answers gRPC"
    return "refused" if "UNAUTHENTICATED" in codes else f"says {sorted(set(codes))}"


def _http(host: str, port: int) -> int | None:
    connection = http.client.HTTPConnection(host, port, timeout=10)
    try:
        connection.request("GET", "/metrics")
        return connection.getresponse().status
    except (http.client.HTTPException, OSError):
        return None
    finally:
        connection.close()


def _grpc(address: str, service: str) -> str:
    with grpc.insecure_channel(address) as channel:
        try:
            channel.unary_unary(f"/ray.rpc.{service}")(b"", timeout=10)
        except grpc.RpcError as error:
            return str(error.code().name)
    return "OK"


def _port(text: str) -> Port:
    """From ``0100007F:1F90``: words of 32 bits in the byte order of the machine."""
    address, _, port = text.partition(":")
    words = [bytes.fromhex(address[i : i + 8])[::-1] for i in range(0, len(address), 8)]
    return Port(str(ipaddress.ip_address(b"".join(words))), int(port, 16))


if __name__ == "__main__":  # on a node, which is another network: what the ports of its jobs say, as JSON
    said = {f"{port.host} {port.port}": answer(port) for port in listening(of_jobs()) if not port.loopback}
    sys.stdout.write(json.dumps(said))
