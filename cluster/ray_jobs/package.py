"""The working folder as a package: what goes to the cluster with a job."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cluster.errors import ClusterError

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip knows: the same files make the same package
_LARGEST: Final = 100 * 1024**2
_NEVER: Final = frozenset({"__pycache__", "node_modules", "venv", "site-packages"})


@dataclass(frozen=True)
class Package:
    """A zip of a folder.

    Attributes:
        name: made from the content; the same files have the same name on every machine.
        content: the bytes.
        files: relative paths in it.
    """

    name: str
    content: bytes
    files: tuple[str, ...]

    @property
    def uri(self) -> str:
        """How a runtime environment refers to it."""
        return f"gcs://{self.name}"


def pack(folder: Path | None, *, more: Mapping[str, str], leave_out: frozenset[Path] = frozenset()) -> Package:
    """Make a package of a folder, of further files, or of both.

    Within a git checkout these are the files that git knows or would take; elsewhere all of them. Never: hidden ones
    (``.git``, ``.venv``, ``.pgpass``, ``.env``), caches, links that lead out of the folder, and those of ``leave_out``.

    Args:
        folder: the working folder, if any.
        more: further files by name; they take the place of the folder's own.
        leave_out: files and folders, absolute and resolved.

    Raises:
        ClusterError: there is no such folder, a file cannot be read, or it is too much.
    """
    found = {} if folder is None else _files(folder, leave_out)
    sizes = {name: path.stat().st_size for name, path in found.items()}
    if (total := sum(sizes.values())) > _LARGEST:
        largest = sorted(sizes, key=lambda name: -sizes[name])[:3]
        raise ClusterError(
            f"{folder}: has {total / 1024**2:.0f} MiB and a job takes {_LARGEST // 1024**2} MiB along; largest: "
            f"{', '.join(largest)}; name a smaller working_folder in the profile, or leave it out"
        )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted({*found, *more}):
            entry = zipfile.ZipInfo(name, date_time=_EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            executable = name not in more and os.access(found[name], os.X_OK)
            entry.external_attr = (0o700 if executable else 0o600) << 16
            archive.writestr(entry, more[name].encode() if name in more else _read(found[name]))
    content = buffer.getvalue()
    digest = hashlib.sha256(content).hexdigest()[:32]
    return Package(f"eiann-{digest}.zip", content, tuple(sorted({*found, *more})))


def _files(folder: Path, leave_out: frozenset[Path]) -> dict[str, Path]:
    root = folder.resolve()
    if not root.is_dir():
        raise ClusterError(f"{folder}: the working folder does not exist")
    return {name: root / name for name in _candidates(root) if _wanted(root, name, leave_out)}


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ClusterError(f"{path}: cannot be read: {error.strerror}") from None


def _candidates(root: Path) -> Iterator[str]:
    listing = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(listing, capture_output=True, text=True, check=False)
        known = listed.stdout.split("\0") if listed.returncode == 0 else None
    except OSError:
        known = None
    if known is not None:
        yield from (name for name in known if name)
        return
    for place, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in _NEVER]
        yield from (str((Path(place) / name).relative_to(root)) for name in files)


def _wanted(root: Path, name: str, leave_out: frozenset[Path]) -> bool:
    path = root / name
    parts = Path(name).parts
    if any(part.startswith(".") or part in _NEVER for part in parts) or not path.is_file():
        return False
    real = path.resolve()
    return real.is_relative_to(root) and not any(real.is_relative_to(other) for other in leave_out)
