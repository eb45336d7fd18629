"""A driver in a process of its own, without Ray: forked from a server that has imported everything already."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from eiann import crash
from eiann.errors import UserError
from optimize.space import SearchSpace
from optimize.study import Study
from optimize.tune.inline import run_inline
from optimize.tune.stub import PAUSE_VARIABLE

# Loaded here, once, so that a child costs a fork and not the seconds that their import takes.
import psycopg  # noqa: F401  # isort: skip
import sqlalchemy.dialects.postgresql.psycopg  # noqa: F401  # isort: skip

WRONG = 2
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([__name__])


def start(work: Callable[..., None], log: Path, *arguments: Any, crash_at: str | None = None) -> BaseProcess:
    """Start a process that does this work; what it writes goes to the log, a ``UserError`` is exit code 2."""
    process = _context.Process(target=_child, args=(work, str(log), crash_at, arguments), daemon=True)
    process.start()
    return process


def drive(folder: str, pause: float) -> None:
    """Run a study to its budget, each pack taking so many seconds."""
    os.environ[PAUSE_VARIABLE] = str(pause)
    run_inline(Study.open(folder))


def create(studies: str, document: dict[str, Any], settings: dict[str, Any]) -> None:
    """Create a study."""
    Study.create(SearchSpace.from_dict(document), studies=Path(studies), **settings)


def _child(work: Callable[..., None], log: str, crash_at: str | None, arguments: tuple[Any, ...]) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    crash.arm(crash_at)
    try:
        work(*arguments)
    except UserError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.stderr.flush()
        os._exit(WRONG)
    except OSError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.stderr.flush()
        os._exit(WRONG + 1)
