"""What faults are made of: processes that wait, disks that are small, databases that are locked."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from optimize.study import Study


@contextmanager
def stopped(process: int) -> Iterator[None]:
    """A process that does not go on before the end of the block."""
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Callable[[], None]]:
    """A disk of so many kilobytes at this folder, and a function that makes it large."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}k", "eiann-faults", str(folder)], check=True)
    try:
        yield lambda: subprocess.run(["mount", "-o", "remount,size=64m", str(folder)], check=True) and None
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def is_locked(study: Study) -> bool:
    """Whether somebody is in the middle of a transaction of a study's SQLite file."""
    with sqlite3.connect(study.folder.path / "study.db", timeout=0.2) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.rollback()
        except sqlite3.OperationalError:
            return True
    return False
