"""What runs on the nodes: a private folder, an address, ports, waiting for the others, and noticing a stuck job."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import stat
import sys
import time
from pathlib import Path

import pytest

from cluster.slurm import gather, node, progress


def test_the_private_folder_is_short_unguessable_and_gone_at_the_end(tmp_path: Path) -> None:
    with node.private_folder(tmp_path) as one, node.private_folder(tmp_path) as two:
        assert one != two
        assert stat.S_IMODE(one.stat().st_mode) == 0o700
        assert len(one.name) <= 16
    assert list(tmp_path.iterdir()) == []


def test_folders_that_nobody_holds_are_swept_and_no_others(tmp_path: Path) -> None:
    for name in ("eiann-held", "eiann-left", "eiann-young", "other-left"):
        (tmp_path / name / "session").mkdir(parents=True)
        (tmp_path / name / "lock").touch()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "eiann-link").symlink_to(tmp_path / "elsewhere")
    long_ago = time.time() - 3600
    for name in ("eiann-held", "eiann-left", "other-left"):
        os.utime(tmp_path / name, (long_ago, long_ago))
    with (tmp_path / "eiann-held" / "lock").open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        node.sweep(tmp_path)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["eiann-held", "eiann-link", "eiann-young", "elsewhere", "other-left"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a folder to another user")
def test_folders_of_other_users_are_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "eiann-theirs"
    folder.mkdir()
    (folder / "lock").touch()
    os.chown(folder, 12345, 12345)
    os.utime(folder, (0, 0))
    node.sweep(tmp_path)
    assert folder.exists()


@pytest.mark.parametrize(
    ("variables", "count"),
    [
        ({}, 0),
        ({"CUDA_VISIBLE_DEVICES": "0,1,2"}, 3),
        ({"CUDA_VISIBLE_DEVICES": "MIG-1f,MIG-2c", "SLURM_GPUS_ON_NODE": "8"}, 2),
        ({"CUDA_VISIBLE_DEVICES": "", "SLURM_GPUS_ON_NODE": "8"}, 0),
        ({"CUDA_VISIBLE_DEVICES": "NoDevFiles"}, 0),
        ({"SLURM_GPUS_ON_NODE": "4"}, 4),
    ],
)
def test_gpus_are_those_that_slurm_hands_out(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], count: int
) -> None:
    for name in ("CUDA_VISIBLE_DEVICES", "SLURM_GPUS_ON_NODE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert node.visible_gpus() == count


def test_the_address_is_that_of_the_interface() -> None:
    assert node.address_of("lo") == "127.0.0.1"
    assert socket.inet_aton(node.address_of(None))
    with pytest.raises(node.NodeError, match=r"network_interface 'ib7' has no address here; there are: .*\blo\b"):
        node.address_of("ib7")


def test_free_ports_are_free_and_different() -> None:
    ports = node.free_ports("127.0.0.1", 5)
    assert len(set(ports)) == 5
    for port in ports:
        socket.create_server(("127.0.0.1", port)).close()


RAY_WHOSE_NODE_FALLS = """
import subprocess, sys, time
other = subprocess.Popen(["sleep", "600"])
open(sys.argv[2], "w").write(str(other.pid))
fallen = subprocess.Popen([sys.argv[1]])
time.sleep(60)
"""
RAY_THAT_STARTS = "import time; print('Ray runtime started.', flush=True); time.sleep(2)"


def test_a_ray_whose_node_fell_at_its_start_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raylet, other = tmp_path / "raylet", tmp_path / "other"
    shutil.copy("/bin/true", raylet)
    falls = [sys.executable, "-c", RAY_WHOSE_NODE_FALLS, str(raylet), str(other)]
    commands = iter((*[falls] * 4, [sys.executable, "-c", RAY_THAT_STARTS]))
    monkeypatch.setattr(node.RayNode, "_command", lambda *_: next(commands))
    assert node.RayNode(tmp_path, 0, tmp_path, "127.0.0.1", 1, dashboard=False).serve([]) == 0
    assert "fell while it started" in capsys.readouterr().err
    assert (tmp_path / "up.0").exists()
    found = Path(f"/proc/{other.read_text()}/stat")
    assert not found.exists() or found.read_text().split()[2] == "Z", "what it had started before is ended with it"


@pytest.mark.parametrize(
    ("files", "more", "code", "says"),
    [
        (("up.0", "up.1"), (), 0, "Ray is up on 2 of 2 nodes"),
        (("up.0",), (), 0, "goes on with those"),
        (("up.0", "down.1"), (), 0, "goes on with those"),
        (("up.0",), ("--at-least", "2"), 1, "at least 2, the first too, are needed"),
        (("up.1",), (), 1, "node 0: no such interface"),
        (("down.0",), ("--seconds", "600"), 1, "node 0: no such interface"),
        ((), ("--seconds", "600", "--step", "0"), 1, "Ray is up on 0 of 2 nodes"),
    ],
    ids=["all", "late", "broken", "too few", "no head", "head broken", "no step"],
)
def test_waiting_ends_with_all_or_enough_or_none(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    files: tuple[str, ...],
    more: tuple[str, ...],
    code: int,
    says: str,
) -> None:
    monkeypatch.setattr(gather, "_alive", lambda process: process != 0)
    (tmp_path / "ray-0.log").write_text("one\nno such interface\n")
    for name in files:
        (tmp_path / name).touch()
    assert gather.main([str(tmp_path), "--nodes", "2", "--seconds", "0.3", *more]) == code
    assert says in capsys.readouterr().out


def test_a_job_is_stuck_when_its_last_runs_brought_nothing(tmp_path: Path) -> None:
    file, far = tmp_path / "progress", tmp_path / "far"
    command = [sys.executable, "-c", f"print('noise'); print(open({str(far)!r}).read())"]
    codes = []
    for ended in ("0", "8", "8", "9", "9", "9"):
        far.write_text(ended)
        codes.append(progress.main(["--limit", "2", str(file), "--", *command]))
    assert codes == [0, 0, 0, 0, 0, progress.STUCK]
    assert file.read_text().split() == ["0", "8", "8", "9", "9", "9"]


def test_a_job_that_never_tells_is_stuck_too(tmp_path: Path) -> None:
    answers = [progress.main(["--limit", "1", str(tmp_path / "file"), "--", "no-such-program"]) for _ in range(2)]
    assert answers == [0, progress.STUCK]
