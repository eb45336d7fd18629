"""A study in a journal file, which several machines may share where there is no database.

Optuna's format: a line of JSON for each operation. Three things are done otherwise than by Optuna's own backend. The
operations of a transaction are written at once, in one append. Half a line at the end, which a machine that went down
leaves, is cut off under the lock before anything is read or added; Optuna's own backend would add to it, and nobody
could read the file any more. And a lock whose holder was killed on this machine is broken at once, not after half a
minute. The lock file has Optuna's name, so that its own tools and we keep each other out.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any, Final, TypeVar

from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import BaseJournalBackend
from typing_extensions import override

from eiann.crash import crash_point
from eiann.errors import UserError
from optimize.files import TEMPORARY, sync_path
from optimize.study.journal_reading import JournalReading, UnknownToUsError
from optimize.study.process import identity, is_gone
from optimize.study.storage import TrialStorage

log = logging.getLogger(__name__)

STALE_LOCK_S: Final = 30.0
"""A lock that does not change hands for so long is broken, as Optuna does it."""

Answer = TypeVar("Answer")


class JournalTrialStorage(TrialStorage):
    """A study in a journal file: a transaction is what is done while the file is locked, written in one append."""

    def __init__(self, path: Path, study_name: str) -> None:
        self._journal = JournalFile(path)
        # One after the other: a thread that waits for the file must not hold what its holder waits for.
        self._one_at_a_time = threading.RLock()
        self._replayed: JournalStorage | None = None
        self._reading: JournalReading | None = JournalReading()
        super().__init__(None, study_name)

    @override
    def attributes(self) -> dict[str, Any]:
        """Attributes of the study; they alone are no reason for Optuna's replay."""
        with self._one_at_a_time:
            if self._replayed is None and (reading := self.reading()) is not None:
                return reading.attributes(self.study_id)
            return super().attributes()

    def reading(self) -> JournalReading | None:
        """What the file says now, read directly; ``None`` where only Optuna can read it."""
        with self._one_at_a_time:
            reading = self._reading
            if reading is not None:
                try:
                    reading.follow(self._journal.lines(reading.lines))
                except UnknownToUsError:
                    log.info("%s is read by Optuna, line %d is none of ours", self._journal.path, reading.lines)
                    reading = self._reading = None
            return reading

    @property
    @override
    def _storage(self) -> JournalStorage:
        """Optuna's storage, replayed when it is first needed: who only looks at tables never needs it."""
        if self._replayed is None:
            self._replayed = JournalStorage(self._journal)
            if self._reading is not None:
                # Not twice the same in memory; who asks for it again has it read again.
                self._reading = JournalReading()
        return self._replayed

    @override
    def _find_study(self) -> int:
        with self._one_at_a_time:
            if self._replayed is None and (reading := self.reading()) is not None:
                return reading.study_id(self._name)
            return super()._find_study()

    @override
    def _read(self, question: Callable[[BaseStorage], Answer]) -> Answer:
        with self._one_at_a_time:
            return question(self._storage)

    @override
    def _write(self, work: Callable[[BaseStorage], Answer], *, guarded: bool = True) -> Answer:
        with self._one_at_a_time:
            # Before the file is locked: the first time takes long.
            _ = self._storage
            _ = self.study_id if self._guard else None
            while True:
                try:
                    with self._journal.transaction():
                        if guarded:
                            self._check_guard(self._storage)
                        return work(self._storage)
                except LockLostError:
                    # Nothing was written. Whoever broke the lock may have changed what this rests on.
                    log.warning("%s: the lock was lost after a long silence; asking again", self._journal.path)
                    self._replayed = None
                except BaseException:
                    # Optuna has replayed operations that were not written.
                    self._replayed = None
                    raise


class LockLostError(Exception):
    """The lock of a journal was broken while this program did not move, and nothing has been written."""


class JournalFile(BaseJournalBackend):
    """The file itself.

    Raises:
        UserError: it cannot be read, or holds something that is no operation.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ends = [0]
        """``_ends[n]``: how many bytes the first n lines take."""
        self._pending: list[bytes] | None = None
        if not path.exists():
            path.open("ab").close()
            sync_path(path.absolute().parent)
        with self._locked():
            self._mend()

    @override
    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """The operations from this one on, those of the open transaction included."""
        if self._pending is None:
            self._count_lines()
        lines = len(self._ends) - 1
        for number, line in enumerate(self._written(log_number_from), start=log_number_from + 1):
            yield self._operation(line, number)
        for line in (self._pending or [])[max(0, log_number_from - lines) :]:
            yield json.loads(line)

    def lines(self, first: int) -> list[bytes]:
        """The lines of the file from this one on; half a line at the end is none."""
        self._count_lines()
        return self._written(first)

    def _written(self, first: int) -> list[bytes]:
        if first >= len(self._ends) - 1:
            return []
        with self.path.open("rb") as file:
            file.seek(self._ends[first])
            return file.read(self._ends[-1] - self._ends[first]).splitlines()

    @override
    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Add operations: durable when this returns, or when the transaction ends."""
        lines = [json.dumps(log, separators=(",", ":")).encode() + b"\n" for log in logs]
        if self._pending is not None:
            self._pending += lines
            return
        with self.transaction():
            self.append_logs(logs)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Nobody else adds to the file; what is added in the block is written at its end, or not after an error."""
        with self._locked() as is_mine:
            self._mend()
            self._count_lines()
            self._pending = []
            try:
                yield
                if self._pending and not is_mine():
                    raise LockLostError
                self._write(self._pending)
            finally:
                self._pending = None

    def _write(self, lines: list[bytes]) -> None:
        if not lines:
            return
        size = self._ends[-1]
        crash_point("journal.write")
        try:
            with self.path.open("ab", buffering=0) as file:
                text = b"".join(lines)
                while text:
                    text = text[file.write(text) :]
                crash_point("journal.written")
                os.fsync(file.fileno())
        except OSError:
            os.truncate(self.path, size)
            raise
        crash_point("journal.synced")

    def _count_lines(self) -> None:
        size = self.path.stat().st_size
        if size > self._ends[-1]:
            with self.path.open("rb") as file:
                file.seek(self._ends[-1])
                for line in file:
                    if line.endswith(b"\n"):
                        self._ends.append(self._ends[-1] + len(line))

    def _mend(self) -> None:
        """Cut off half a line at the end; under the lock."""
        with self.path.open("rb+") as file:
            size = file.seek(0, os.SEEK_END)
            end = size
            while end > 0:
                start = max(0, end - 65536)
                file.seek(start)
                newline = file.read(end - start).rfind(b"\n")
                if newline >= 0:
                    end = start + newline + 1
                    break
                end = start
            if end < size:
                file.truncate(end)
                os.fsync(file.fileno())

    def _operation(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            operation = json.loads(line)
        except ValueError:
            operation = None
        if not isinstance(operation, dict) or "op_code" not in operation:
            shown = line[:40].decode(errors="replace")
            raise UserError(f"{self.path}: line {number} is no operation of an Optuna journal, found {shown!r}")
        return operation

    # -------------------------------------------------------------------------------------------------------- lock

    @contextmanager
    def _locked(self) -> Iterator[Callable[[], bool]]:
        """The lock; yields whether it is still this one's, for one that was frozen for long finds it broken."""
        lock = self.path.with_name(self.path.name + ".lock")
        mine = lock.with_name(f"{lock.name}.{token_hex(6)}{TEMPORARY}")
        mine.write_text(identity(os.getpid()))
        # Held open: another file cannot get its number meanwhile.
        with mine.open("rb") as held:
            own = os.fstat(held.fileno()).st_ino
            try:
                self._take(lock, mine)
            finally:
                mine.unlink()

            def is_mine() -> bool:
                try:
                    return lock.stat().st_ino == own
                except FileNotFoundError:
                    return False

            try:
                yield is_mine
            finally:
                if is_mine():
                    lock.unlink(missing_ok=True)

    def _take(self, lock: Path, mine: Path) -> None:
        """A hard link is made by one of many, on every network file system."""
        waited, pause, seen = time.monotonic(), 0.001, None
        while True:
            try:
                lock.hardlink_to(mine)
            except FileExistsError:
                holder = _content(lock)
                if holder != seen:
                    waited, seen = time.monotonic(), holder
                if (holder and is_gone(holder[0])) or time.monotonic() - waited > STALE_LOCK_S:
                    _break(lock, holder)
                    continue
                time.sleep(pause)
                pause = min(2 * pause, 0.25)
            else:
                return


def _content(lock: Path) -> tuple[str, float] | None:
    try:
        return lock.read_text(errors="replace") if lock.stat().st_size < 1000 else "", lock.lstat().st_mtime
    except OSError:
        return None


def _break(lock: Path, holder: tuple[str, float] | None) -> None:
    """Remove the lock of this holder. Under another name first: one of many succeeds, and sees whose it was."""
    aside = lock.with_name(f"{lock.name}.{token_hex(6)}{TEMPORARY}")
    try:
        lock.rename(aside)
    except FileNotFoundError:
        return
    if _content(aside) != holder and not lock.exists():
        aside.rename(lock)
    else:
        aside.unlink(missing_ok=True)
