"""Files that are whole or absent: the one way in which this project writes something that must survive a crash."""

from __future__ import annotations

import errno
import itertools
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from eiann.crash import crash_point
from eiann.errors import UserError

TEMPORARY: Final = ".tmp"
"""Suffix of files that are being written; such a file is never read and may be removed."""
DISK_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
"""Numbers of the errors that say so."""


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


def write_texts(texts: Mapping[Path, str], writers: int = 4) -> None:
    """Write files of one folder, each as ``write_text`` does; they wait for the disk together and appear in order.

    One after the other they would take two to three times as long. In order: what a crash leaves is the first of them.
    """
    temporaries = {path: _beside(path) for path in texts}

    def write(path: Path) -> None:
        temporaries[path].write_text(texts[path], encoding="utf-8")
        crash_point("file.written")
        sync_path(temporaries[path])

    try:
        with ThreadPoolExecutor(writers) as pool:
            for _ in pool.map(write, texts):
                pass
        for path, temporary in temporaries.items():
            temporary.replace(path)
            crash_point("file.renamed")
    except BaseException:
        for temporary in temporaries.values():
            temporary.unlink(missing_ok=True)
        raise
    for folder in {path.parent for path in texts}:
        sync_path(folder)


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
    temporary = _beside(path)
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


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """A temporary folder beside ``path`` that takes its place at the end of the block, or vanishes after an error.

    An older folder of that name is moved aside first and removed last: at no time is there a folder of that name that
    holds a part of either.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     with replacing_folder(Path(folder) / "run") as temporary:
        ...         _ = (temporary / "loss.json").write_text("[]")
        ...     [path.name for path in (Path(folder) / "run").iterdir()]
        ['loss.json']
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary, old = _beside(path), _beside(path)
    temporary.mkdir()
    try:
        yield temporary
        for file in temporary.iterdir():
            sync_path(file)
        if path.exists():
            path.rename(old)
        temporary.rename(path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        if old.exists() and not path.exists():
            old.rename(path)
        raise
    sync_path(path.parent)
    shutil.rmtree(old, ignore_errors=True)


def check_can_be_made(path: Path) -> None:
    """Whether a file or folder can be made there, before the work whose result it is to hold.

    Raises:
        UserError: something on the way is no folder, or nothing can be written there.
        OSError: the disk is full.

    Example:
        >>> check_can_be_made(Path(__file__) / "results")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        eiann.errors.UserError: .../files.py/results: cannot be made: .../files.py is no folder
    """
    if path.absolute() == Path(path.absolute().anchor):
        raise UserError(f"{path}: cannot be made: it is the root of all folders")
    way = [*reversed(path.absolute().parents), path.absolute()]
    try:
        there, first = next(pair for pair in reversed([*itertools.pairwise(way)]) if pair[0].exists())
        if not there.is_dir():
            raise UserError(f"{path}: cannot be made: {there} is no folder")
        # Tried, since permissions do not say it: the superuser has all of them, in /proc and on a read-only disk too.
        probe = _beside(first)
        probe.mkdir()
        probe.rmdir()
    except OSError as error:
        if error.errno in DISK_FULL:
            raise
        raise UserError(f"{path}: cannot be made: {error.strerror or error}") from error


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}{TEMPORARY}")


def sync_path(path: Path) -> None:
    """Have a file, or the names in a folder, on the disk when this returns."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
