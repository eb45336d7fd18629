"""Which process something belongs to, and whether that process is gone."""

from __future__ import annotations

import os
import socket
from pathlib import Path


def identity(process: int) -> str:
    """A process, such that another one with its number is not taken for it: machine, boot, process space, start."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    space = Path("/proc/self/ns/pid")
    if not boot.exists() or not space.exists():
        return f"{socket.gethostname()} - - {process} -"
    started = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
    return f"{socket.gethostname()} {boot.read_text().strip()} {space.stat().st_ino} {process} {started}"


def is_gone(holder: str) -> bool:
    """Whether a process of this very machine has ended; of others nothing is known.

    Example:
        >>> is_gone(identity(os.getpid())), is_gone("elsewhere boot 1 7 1")
        (False, False)
    """
    parts = holder.split()
    if len(parts) != 5 or "-" in parts or parts[:3] != identity(os.getpid()).split()[:3]:
        return False
    try:
        return identity(int(parts[3])) != holder
    except (FileNotFoundError, ProcessLookupError):
        return True
