"""Builds the C++ interpreter once per machine and calls it.

The library is compiled at first use with the machine's own compiler and instruction set, and kept in the user's cache
under a name made of source, compiler and processor; a second process finds it there.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import os
import platform
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

SOURCE = Path(__file__).with_name("kernel.cpp")
FLAGS = ("-O3", "-march=native", "-std=c++17", "-fPIC", "-shared", "-fno-math-errno", "-pthread")
COMPILERS = ("g++", "clang++", "c++")
BUILD_LIMIT_SECONDS = 300


class Batch(ctypes.Structure):
    """Mirror of ``struct Batch`` in kernel.cpp."""

    _fields_ = (
        ("code", ctypes.c_void_p),
        ("code_length", ctypes.c_int64),
        ("replicas", ctypes.c_int32),
        ("values", ctypes.c_int32),
        ("weights", ctypes.c_int32),
        ("numbers", ctypes.c_int32),
        ("layout", ctypes.c_void_p),
        ("value_offset", ctypes.c_void_p),
        ("value_length", ctypes.c_void_p),
        ("weight_offset", ctypes.c_void_p),
        ("mask_offset", ctypes.c_void_p),
        ("pre", ctypes.c_void_p),
        ("post", ctypes.c_void_p),
        ("arena", ctypes.c_void_p),
        ("number", ctypes.c_void_p),
        ("input", ctypes.c_int32),
        ("target", ctypes.c_int32),
        ("threads", ctypes.c_int32),
    )


def cache_folder() -> Path:
    """Where the compiled library is kept: EIANN_CACHE, or the user's cache folder."""
    chosen = os.environ.get("EIANN_CACHE")
    if chosen:
        return Path(chosen)
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "eiann"
    except RuntimeError:
        return _folder_of_the_homeless()


def _folder_of_the_homeless() -> Path:
    """A folder among the temporary files, for users whose home nobody has named, as in containers.

    Raises:
        OSError: somebody else has it, who could have put a library there.
    """
    folder = Path(tempfile.gettempdir()) / f"eiann-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise OSError(f"{folder} is not this user's alone; name another folder in EIANN_CACHE")
    return folder


def find_compiler() -> str | None:
    """The program in CXX, or the first usual one that is there."""
    chosen = os.environ.get("CXX")
    names = (chosen, *COMPILERS) if chosen else COMPILERS
    return next((path for path in map(shutil.which, names) if path), None)


def _fingerprint(compiler: str) -> str:
    """Changes with source, flags, compiler and processor."""
    version = subprocess.run([compiler, "--version"], capture_output=True, check=True, timeout=60).stdout
    processor = platform.machine().encode()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text().splitlines()
        processor += "".join(
            line for line in lines[:40] if line.startswith(("flags", "Features", "model name"))
        ).encode()
    sources = b"".join(file.read_bytes() for file in sorted(SOURCE.parent.glob("*.[ch]pp")))
    return hashlib.sha256(sources + " ".join(FLAGS).encode() + version + processor).hexdigest()[:16]


@functools.cache
def load() -> tuple[ctypes.CDLL | None, str]:
    """The library, or None and in one line why there is none."""
    compiler = find_compiler()
    if compiler is None:
        return None, "no C++ compiler found (install g++, or set CXX)"
    try:
        target = cache_folder() / f"native-{_fingerprint(compiler)}.so"
        return _open_or_build(compiler, target), ""
    except subprocess.CalledProcessError as error:
        lines = error.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
        telling = next((line for line in lines if "error:" in line), lines[0])
        return None, f"{compiler} could not build it: {telling}"
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, f"it could not be built: {error}"


def _open_or_build(compiler: str, target: Path) -> ctypes.CDLL:
    if target.exists():
        # Damaged, say by a disk that was full: it is built again.
        with contextlib.suppress(OSError):
            return ctypes.CDLL(str(target))
    build(compiler, target)
    return ctypes.CDLL(str(target))


def build(compiler: str, target: Path, more: Sequence[str] = ()) -> None:
    """Compile into a temporary file and rename: processes that start together do not disturb each other."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        built = Path(folder) / target.name
        subprocess.run(
            [compiler, *FLAGS, *more, "-o", str(built), str(SOURCE)],
            capture_output=True,
            check=True,
            timeout=BUILD_LIMIT_SECONDS,
        )
        built.replace(target)
