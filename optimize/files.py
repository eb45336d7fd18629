"""Files that are whole or absent: the one way in which this package writes something that must survive a crash."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from optimize.crash import crash_point

TEMPORARY: Final = ".tmp"
"""Suffix of files that are being written; such a file is never read and may be removed."""


def write_bytes(path: Path, content: bytes, *, sync: bool = True, sync_folder: bool = True) -> None:
    """Write a file by temporary name, fsync and rename, so that a reader sees the old content or all of the new one.

    ``sync=False`` leaves out the fsync, for files that can be rebuilt; ``sync_folder=False`` that of the folder, for
    one of many files after which ``sync_path`` of the folder is called.
    """
    with replacing(path, sync=sync, sync_folder=sync_folder) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str, *, sync: bool = True, sync_folder: bool = True) -> None:
    """As ``write_bytes``, in UTF-8."""
    write_bytes(path, content.encode(), sync=sync, sync_folder=sync_folder)


def write_json(path: Path, content: Any, *, sync: bool = True) -> None:
    """As ``write_bytes``, plain data as JSON. NaN and infinities are refused: JSON has no words for them."""
    write_text(path, json.dumps(content, allow_nan=False), sync=sync)


@contextmanager
def replacing(path: Path, *, sync: bool = True, sync_folder: bool = True) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its place at the end of the block, or vanishes after an error.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     with replacing(Path(folder) / "table.csv") as temporary:
        ...         _ = temporary.write_text("number")
        ...     [path.name for path in Path(folder).iterdir()]
        ['table.csv']
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{TEMPORARY}")
    try:
        yield temporary
        crash_point("file.written")
        if sync:
            sync_path(temporary)
        temporary.replace(path)
        crash_point("file.renamed")
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if sync and sync_folder:
        sync_path(path.parent)


def sync_path(path: Path) -> None:
    """Have a file, or the names in a folder, on the disk when this returns."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
