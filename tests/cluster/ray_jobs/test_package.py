"""A package holds the working folder and nothing private, and is the same wherever it is made."""

from __future__ import annotations

import io
import subprocess
import zipfile
from pathlib import Path

import pytest

from cluster import ClusterError
from cluster.ray_jobs import package
from cluster.ray_jobs.package import pack


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "work"
    for name, text in {
        "space.yaml": "a: 1\n",
        "code/run.py": "print(1)\n",
        "code/__pycache__/run.pyc": "x",
        ".env": "PASSWORD=swordfish\n",
        ".git-credentials": "x",
        "token": "swordfish\n",
        "studies/.jobs/demo/job.json": "{}",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "code" / "run.py").chmod(0o755)
    (tmp_path / "outside.txt").write_text("swordfish")
    (root / "link.txt").symlink_to(tmp_path / "outside.txt")
    (root / "inner.yaml").symlink_to(root / "space.yaml")
    return root


def test_it_holds_the_folder_and_nothing_private(folder: Path) -> None:
    made = pack(folder, more={"extra.yaml": "b: 2\n"}, leave_out=frozenset({folder / "token"}))
    assert made.files == ("code/run.py", "extra.yaml", "inner.yaml", "space.yaml")
    with zipfile.ZipFile(io.BytesIO(made.content)) as archive:
        assert archive.read("inner.yaml") == b"a: 1\n"
        assert archive.read("extra.yaml") == b"b: 2\n"
        assert all(info.external_attr >> 16 & 0o077 == 0 for info in archive.infolist())
    assert b"swordfish" not in made.content


def test_the_same_files_have_the_same_name_and_others_another(folder: Path, tmp_path: Path) -> None:
    first = pack(folder, more={})
    (folder / "space.yaml").touch()
    assert pack(folder, more={}).name == first.name
    (folder / "space.yaml").write_text("a: 2\n")
    assert pack(folder, more={}).name != first.name
    assert pack(None, more={"a": "1"}).files == ("a",)


def test_what_git_ignores_stays_behind(folder: Path) -> None:
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    (folder / ".gitignore").write_text("code/\n")
    assert pack(folder, more={}).files == ("inner.yaml", "space.yaml", "token")


def test_too_much_and_nothing_are_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "_LARGEST", 10)
    with pytest.raises(ClusterError, match=r"a job takes 0 MiB along; largest: token, code/run.py"):
        pack(folder, more={})
    with pytest.raises(ClusterError, match="the working folder does not exist"):
        pack(folder / "nowhere", more={})
