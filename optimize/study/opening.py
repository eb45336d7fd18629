"""From a URL to a storage. A password is never part of a URL: it would end in specifications, logs and messages."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import optuna
import sqlalchemy
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage

from eiann.errors import UserError
from optimize.study import claim
from optimize.study.database import ASK_AGAIN_S, PATIENCE_S, DatabaseTrialStorage, reason_of
from optimize.study.journal import JournalTrialStorage
from optimize.study.storage import StudyExistsError, TrialStorage

JOURNAL: Final = "journal:"
PASSWORD_FILE: Final = "EIANN_STORAGE_PASSWORD_FILE"  # noqa: S105
"""Environment variable: a file with the storage's password, which nobody but the user may open.

PostgreSQL's own PGPASSWORD and ~/.pgpass count too.
"""
# Waiting for the lock of another process, e.g. a table being read, is normal; half a minute of it is not.
_SQLITE_TIMEOUT_S: Final = 30.0
_CONNECT_TIMEOUT_S: Final = 10
_IDLE_TIMEOUT_S: Final = 60
_SECRET_OPTIONS: Final = frozenset({"password", "sslpassword", "passwd"})
_HIDDEN: Final = "***"
_RIGHT: Final = "sqlite:///FILE, journal:FILE or postgresql://USER@HOST/DATABASE is right"

# What PostgreSQL says while it goes down and comes up again.
_RESTARTING: Final = ("terminating connection", "shutting down", "starting up", "server closed the connection")

Opened = TypeVar("Opened")


class StorageUnreachableError(UserError):
    """Nothing answers at a storage's URL, or what answers refuses: the same for every study that is stored there."""


def open_storage(url: str, study_name: str, *, patience: float = PATIENCE_S) -> TrialStorage:
    """Open a storage by URL.

    Args:
        url: of a database (``sqlite:///study.db``, ``postgresql://user@host/db``), or ``journal:PATH`` for a journal
            file, which several machines may share.
        study_name: the study in it; it need not exist yet.
        patience: seconds to wait for a server that stops answering later.

    Raises:
        StorageUnreachableError: there is no such kind of storage, or it cannot be reached.
        UserError: the URL has a password, or others may read the file with it.
    """
    check_url(url)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if url.startswith(JOURNAL):
        path = Path(url.removeprefix(JOURNAL))
        return _reach(url, lambda: JournalTrialStorage(path, study_name))

    def opened() -> TrialStorage:
        return DatabaseTrialStorage(database(url), study_name, patience=patience)

    return _reach(url, opened, patience)


def database(url: str) -> RDBStorage:
    """Optuna's storage for the URL of a database, opened as this package does: its driver, its password, its patience.

    Raises:
        UserError: there is no such kind of storage, the URL is none, or others may read the file with the password.
    """
    target = _with_driver(_parsed(url))
    try:
        return RDBStorage(target.render_as_string(), engine_kwargs=_engine_options(target))
    except sqlalchemy.exc.NoSuchModuleError:
        raise UserError(f"storage: found {target.drivername!r}, which is no kind of database here; {_RIGHT}") from None
    except (TypeError, ValueError) as error:  # an option behind the "?" that its driver cannot read
        raise UserError(f"storage {without_password(url)}: {reason_of(error)}") from error


def check_url(url: str) -> None:
    """Whether a URL is one, and may be written down.

    Raises:
        UserError: it is none, or it has a password.

    Example:
        >>> check_url("postgresql://lab@db.example.org/studies")
    """
    if url.startswith(JOURNAL):
        if not Path(url.removeprefix(JOURNAL)).name:
            raise UserError(f"storage: found {url!r}, which names no file; journal:FILE is right")
        return
    parsed = _parsed(url)
    if parsed.password is not None or _secret_options(parsed):
        raise UserError(
            f"storage: found a URL with a password; write {_without_secrets(parsed)}, and give the password in "
            f"PGPASSWORD, in ~/.pgpass, or in a file named by {PASSWORD_FILE}"
        )


def lasting_url(url: str) -> str:
    """The URL as it may stand in a specification: of a file, it has the whole path.

    Raises:
        UserError: it has a password.

    Example:
        >>> lasting_url("journal:/shared/study.log")
        'journal:/shared/study.log'
    """
    check_url(url)
    file = file_of(url)
    if file is None:
        return url
    if url.startswith(JOURNAL):
        return JOURNAL + str(file.absolute())
    return sqlalchemy.make_url(url).set(database=str(file.absolute())).render_as_string()


def file_of(url: str) -> Path | None:
    """The file that a storage consists of; ``None`` for a server.

    Raises:
        UserError: the URL is none.

    Example:
        >>> file_of("sqlite:///study.db").name, file_of("postgresql://lab@db.example.org/studies")
        ('study.db', None)
    """
    if url.startswith(JOURNAL):
        return Path(url.removeprefix(JOURNAL))
    parsed = _parsed(url)
    return Path(parsed.database) if parsed.get_backend_name() == "sqlite" and parsed.database else None


def check_storage(url: str, study_name: str) -> None:
    """Whether a study of that name can be created there; nothing is. One whose making was cut off does not count.

    Raises:
        UserError: the storage cannot be reached, or has such a study.
    """
    check_url(url)
    file = file_of(url)
    if file is not None and not file.exists():
        # Opening a file makes it; that is for later.
        if not file.absolute().parent.is_dir():
            raise UserError(f"storage {url}: there is no folder {file.parent}")
        return
    storage = open_storage(url, study_name)
    try:
        if (reason := claim.refusal(storage)) is not None:
            raise StudyExistsError(reason)
    finally:
        storage.close()


def without_password(url: str) -> str:
    """The URL as it may be shown; of one that cannot be read nothing is.

    Example:
        >>> without_password("postgresql://lab:secret@db/studies"), without_password("postgresql://lab:secret@db:x/y")
        ('postgresql://lab@db/studies', '***')
    """
    if url.startswith(JOURNAL):
        return url
    try:
        parsed = _parsed(url)
    except UserError:
        return _HIDDEN
    return _without_secrets(parsed) if parsed.password is not None or _secret_options(parsed) else url


def _parsed(url: str) -> sqlalchemy.URL:
    """A database's URL in parts.

    Raises:
        UserError: it is none. It is not repeated where a password may stand in it.
    """
    try:
        return sqlalchemy.make_url(url)
    except (sqlalchemy.exc.ArgumentError, ValueError):  # of a port that is no number
        found = "a URL that cannot be read" if {":", "@"} & set(url) else repr(url)
        raise UserError(f"storage: found {found}; {_RIGHT}") from None


def _secret_options(url: sqlalchemy.URL) -> list[str]:
    return [key for key in url.query if key.lower() in _SECRET_OPTIONS]


def _without_secrets(url: sqlalchemy.URL) -> str:
    """A URL that has a password, without it."""
    if "@" in f"{url.host}{url.database}":  # part of the password: it has this sign in it
        return "postgresql://USER@HOST/DATABASE"
    return url._replace(password=None).difference_update_query(_secret_options(url)).render_as_string()


def _with_driver(url: sqlalchemy.URL) -> sqlalchemy.URL:
    """PostgreSQL without a driver's name means the one that comes with this package."""
    return url.set(drivername="postgresql+psycopg") if url.drivername in ("postgresql", "postgres") else url


def _engine_options(url: sqlalchemy.URL) -> dict[str, Any]:
    if url.get_backend_name() == "sqlite":
        return {"connect_args": {"timeout": _SQLITE_TIMEOUT_S}}
    arguments: dict[str, Any] = {}
    if url.get_backend_name() == "postgresql" and "connect_timeout" not in url.query:
        arguments["connect_timeout"] = _CONNECT_TIMEOUT_S
    if url.get_backend_name() == "postgresql" and "options" not in url.query:
        # A driver that was frozen in the middle of a transaction shall not keep its successor from taking over.
        arguments["options"] = f"-c idle_in_transaction_session_timeout={_IDLE_TIMEOUT_S}s"
    if file := os.environ.get(PASSWORD_FILE):
        arguments["password"] = _password_in(Path(file))
    # Connections that a restart of the server has cut are noticed before they are used.
    return {"connect_args": arguments, "pool_pre_ping": True}


def _password_in(path: Path) -> str:
    try:
        # Opened first and looked at after, so that what was looked at is what is read.
        with path.open(encoding="utf-8") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise UserError(f"{PASSWORD_FILE}: {path} is not a file; a password stands in one with mode 600")
            if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise UserError(
                    f"{PASSWORD_FILE}: others may open {path} (mode {stat.S_IMODE(found.st_mode):o}); "
                    f"mend that with: chmod 600 {path}"
                )
            return file.read().rstrip("\r\n")
    except OSError as error:
        raise UserError(f"{PASSWORD_FILE}: cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{PASSWORD_FILE}: {path} is not text; a password is one line") from None


def _reach(url: str, opening: Callable[[], Opened], patience: float = 0.0) -> Opened:
    """Open, and wait for a server that is restarting; one that was never there is an error at once."""
    deadline = time.monotonic() + patience
    restarting = False
    while True:
        try:
            return opening()
        except (sqlalchemy.exc.SQLAlchemyError, StorageInternalError, ImportError, OSError, RuntimeError) as error:
            reason = reason_of(error)
            restarting = restarting or any(words in reason for words in _RESTARTING)
            if not restarting or time.monotonic() > deadline:
                raise StorageUnreachableError(f"storage {without_password(url)}: {reason}") from error
            time.sleep(ASK_AGAIN_S)
