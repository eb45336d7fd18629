"""A search on this machine lets nobody in who has not its token, and leaves that nowhere."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cluster.ports import answer, children, listening

if sys.platform != "linux":
    pytest.skip("needs Linux: sockets are looked up in /proc", allow_module_level=True)

SECONDS = 180


def test_no_port_of_a_search_is_open_without_its_token(toy_file: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("RAY_AUTH")}
    command = [
        sys.executable, "-m", "optimize.cli", "optimize", str(toy_file), "--trials", "2", "--pack", "1",
        "--name", "toy", "--cpus-per-pack", "1",
        "--trainer", "optimize.tune.stub:StubTrainer", "--studies", str(tmp_path / "studies"),
    ]  # fmt: skip
    log = tmp_path / "log.txt"
    with log.open("wb") as out:
        driver = subprocess.Popen(
            command,
            env={**inherited, "EIANN_STUB_SECONDS": "120", "HOME": str(home)},
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        tokens = _wait_for_workers(driver, log)
        every = listening(children(driver.pid))
        assert len(every) >= 4  # the store of the cluster, the node, its objects, the driver
        ports = [port for port in every if not port.loopback]
        assert {port: said for port in ports if (said := answer(port)) != "refused"} == {}
        (token,) = tokens
        assert stat.S_IMODE(token.stat().st_mode) == 0o600
        assert stat.S_IMODE(token.parent.stat().st_mode) == 0o700
        assert not (home / ".ray").exists()
        secret = token.read_bytes()
        assert not any(secret in Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children(driver.pid))
    finally:
        driver.send_signal(signal.SIGINT)
        try:
            driver.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(driver.pid, signal.SIGKILL)
            driver.wait()
    assert not token.exists()


def _wait_for_workers(driver: subprocess.Popen[bytes], log: Path) -> set[Path]:
    """Until a pack is being computed; the token files that its processes name."""
    deadline = time.monotonic() + SECONDS
    while True:
        assert driver.poll() is None, log.read_text()
        assert time.monotonic() < deadline
        family = children(driver.pid)
        titles = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in family if Path(f"/proc/{pid}").exists()]
        if any(title.startswith(b"ray::") and b"Trainable" in title for title in titles):
            break
        time.sleep(0.2)
    time.sleep(3)  # the agents open their doors a moment later
    found = set()
    for pid in family:
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except OSError:
            continue
        found |= {
            Path(os.fsdecode(one.partition(b"=")[2])) for one in environment if one.startswith(b"RAY_AUTH_TOKEN_PATH=")
        }
    return found
