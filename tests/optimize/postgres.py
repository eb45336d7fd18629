"""A throw-away PostgreSQL server from the system's packages, in a folder and on a socket of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

_SETTINGS = {
    "shared_buffers": "16MB",
    "max_connections": "40",
    "fsync": "off",
    "full_page_writes": "off",
}
_USER = "postgres"  # what the packages make for it; the server refuses to run as root


class PostgresServer:
    """A running server. It ends with ``stop``; everything of it is in one folder.

    Args:
        durable: whether it waits for its disk; tests need not.
        enter: a command that its programs are started with, as ``nsenter`` into another network.
        address: where it listens besides its socket; there it wants the password.
        password: of the user ``lab``.
    """

    def __init__(
        self, *, durable: bool = False, enter: Sequence[str] = (), address: str = "", password: str = ""
    ) -> None:
        self._durable = durable
        self._enter = enter
        self._address = address
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
        if not found:
            pytest.skip("needs PostgreSQL: apt-get install postgresql")
        self._programs = found[-1].parent
        self.folder = Path(tempfile.mkdtemp(prefix="eiann-pg-"))
        try:
            self._begin(password)
        except BaseException:
            # Nobody has it yet who could remove it.
            with suppress(RuntimeError):
                self.remove()
            raise

    def _begin(self, password: str) -> None:
        if os.getuid() == 0:
            shutil.chown(self.folder, _USER)
        self._run("initdb", "-U", "lab", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C")
        if self._address:
            with (self.folder / "data" / "pg_hba.conf").open("a") as file:
                file.write(f"host all lab {self._address}/24 scram-sha-256\n")
        self.start()
        if password:
            command = f"ALTER ROLE lab PASSWORD '{password}'"
            self._run("psql", "-h", str(self.folder), "-U", "lab", "-c", command, "postgres")

    def url(self, database: str = "postgres") -> str:
        """A storage URL."""
        return f"postgresql://lab@{self._address}/{database}" + ("" if self._address else f"?host={self.folder}")

    def start(self) -> None:
        """Start; returns when it answers."""
        settings = {**_SETTINGS, "unix_socket_directories": str(self.folder), "listen_addresses": self._address}
        if self._durable:
            settings |= {"fsync": "on", "full_page_writes": "on"}
        options = " ".join(f"-c {key}='{value}'" for key, value in settings.items())
        self._run("pg_ctl", "-w", "-t", "120", "-l", str(self.folder / "log.txt"), "-o", options, "start")

    def stop(self, *, mode: str = "immediate") -> None:
        """Stop: ``immediate`` is as if the machine had gone down, ``fast`` cuts all connections in order."""
        self._run("pg_ctl", "-w", "-t", "120", "-m", mode, "stop")

    def create(self, database: str) -> str:
        """Make a database, and return its URL."""
        self._run("createdb", "-h", str(self.folder), "-U", "lab", database)
        return self.url(database)

    def remove(self) -> None:
        """Stop, and remove the folder."""
        try:
            self.stop()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> None:
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "PGDATA": str(self.folder / "data")}
        become = ["setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups"] if os.getuid() == 0 else []
        done = subprocess.run(
            [*self._enter, *become, str(self._programs / program), *arguments],
            env=environment,
            cwd=self.folder,
            # The server keeps what it is given for as long as it runs.
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=180,
            check=False,
        )
        if done.returncode:
            log = self.folder / "log.txt"
            raise RuntimeError(f"{program}: exit code {done.returncode}; {log.read_text() if log.exists() else ''}")
