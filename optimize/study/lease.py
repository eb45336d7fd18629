"""One driver for a study: a lease in its storage, kept alive by heartbeats, taken over when its holder is gone."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import socket
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self
from uuid import uuid4

from sqlalchemy.exc import SQLAlchemyError

from eiann.errors import UserError
from optimize.study.process import identity, is_gone
from optimize.study.storage import TrialStorage

log = logging.getLogger(__name__)

KEY: Final = "driver"
HEARTBEAT_S: Final = 10.0
STALE_S: Final = 60.0
_LOOK_S: Final = 1.0
# Of file systems without such locks: NFS without its lock service, Lustre mounted without flock.
_NO_LOCKS: Final = frozenset({errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP})


class StudyBusyError(UserError):
    """Another driver runs this study."""


class Lease:
    """The right to run a study, held from ``with`` to its end.

    Two guards stand one behind the other. A lock on a file of the study folder refuses a second driver on the same
    machine at once, and vanishes with its process however that ends. A record in the storage refuses drivers of other
    machines and other folders; it is renewed every ``HEARTBEAT_S`` seconds, and counts as abandoned when it was seen to
    stay as it is for ``STALE_S``. A record of this very folder on this very machine is abandoned if both had the file
    lock; and one of a process that has ended here, anyhow. Some network file systems know no such lock: there the
    record alone decides.

    Clocks of different machines decide only whether a new driver waits at all, not who may write: the storage is
    guarded by the lease's token, and a driver that wakes up after it was replaced is refused by its next write.

    Raises:
        StudyBusyError: on entering, when another driver holds it.
    """

    def __init__(self, storage: TrialStorage, folder: Path, *, heartbeat: float = HEARTBEAT_S) -> None:
        self._storage = storage
        self._folder = folder
        self._heartbeat = heartbeat
        self._file: IO[str] | None = None
        """Open while it is locked."""
        self._record: dict[str, Any] = {}
        self._ended = threading.Event()
        self._lost = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def lost(self) -> bool:
        """Whether another driver took over; then nothing may be written any more."""
        return self._lost.is_set()

    def __enter__(self) -> Self:
        self._lock_file()
        try:
            self._take()
        except BaseException:
            self._unlock_file()
            raise
        self._storage.guard(KEY, self._record["token"])
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join(timeout=self._heartbeat)
        self._storage.guard(KEY, None)
        try:
            if not self.lost:
                self._storage.swap(KEY, self._record, None)
        finally:
            self._unlock_file()

    def _lock_file(self) -> None:
        path = self._folder / "driver.lock"
        file = path.open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read().strip() or "another process"
            file.close()
            message = f"study {self._folder.name!r} is being run by {holder}; wait for its end or stop it first"
            raise StudyBusyError(message) from error
        except OSError as error:
            file.close()
            if error.errno not in _NO_LOCKS:
                raise
            log.warning("%s cannot be locked (%s); only the storage keeps drivers apart", path, error.strerror)
            return
        file.seek(0)
        file.truncate()
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        self._file = file

    def _unlock_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _take(self) -> None:
        found = self._storage.attributes().get(KEY)
        if found is not None and not self._is_gone(found):
            if abs(time.time() - found["renewed"]) <= STALE_S:
                raise self._busy(found)
            found = self._watch(found)
        self._record = {
            "token": uuid4().hex,
            "host": socket.gethostname(),
            "folder": str(self._folder.resolve()),
            "process": os.getpid(),
            "identity": identity(os.getpid()),
            "locked": self._file is not None,
            "renewed": time.time(),
        }
        if not self._storage.swap(KEY, found, self._record):
            raise StudyBusyError(f"study {self._folder.name!r} was started by another program at this moment")

    def _is_gone(self, found: dict[str, Any]) -> bool:
        """Whether the holder has ended, as this machine can tell without waiting."""
        if is_gone(found.get("identity", "")):
            return True
        same = found["host"] == socket.gethostname() and found["folder"] == str(self._folder.resolve())
        # Where it did without the lock, having that says nothing.
        return same and self._file is not None and found.get("locked", True)

    def _watch(self, found: dict[str, Any]) -> dict[str, Any] | None:
        """The record to be replaced: of a holder that does nothing by our clock, for its own may be wrong."""
        log.warning(
            "the driver on %s (process %s) seems to be gone; it is replaced if it stays silent for %.0f s",
            found["host"],
            found["process"],
            STALE_S,
        )
        deadline = time.monotonic() + STALE_S
        while (left := deadline - time.monotonic()) > 0:
            time.sleep(min(_LOOK_S, left))
            now = self._storage.attributes().get(KEY)
            if now is None:
                return None
            if now != found:
                raise self._busy(now)
        return found

    def _busy(self, found: dict[str, Any]) -> StudyBusyError:
        age = max(0.0, time.time() - found["renewed"])
        return StudyBusyError(
            f"study {self._folder.name!r} is being run on {found['host']} (process {found['process']}, "
            f"last heard of {age:.0f} s ago); stop it, or wait until it was silent for {STALE_S:.0f} s"
        )

    def _keep(self) -> None:
        while not self._ended.wait(self._heartbeat):
            renewed = {**self._record, "renewed": time.time()}
            try:
                swapped = self._storage.swap(KEY, self._record, renewed)
            except (UserError, OSError, SQLAlchemyError) as error:
                # Not renewed is not lost: if somebody takes over meanwhile, the next heartbeat or write will say so.
                log.warning("the lease could not be renewed: %s", error)
                continue
            if not swapped:
                self._lost.set()
                return
            self._record = renewed


def holder(storage: TrialStorage) -> str | None:
    """Who runs a study, in words, or ``None``. A driver that was silent for too long does not count."""
    found = storage.attributes().get(KEY)
    if found is None or time.time() - found["renewed"] > STALE_S:
        return None
    return f"process {found['process']} on {found['host']}"
