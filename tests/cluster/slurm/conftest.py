"""A real Slurm for the tests of this folder, and jobs on it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.slurm.loopback import LoopbackSlurm, lacking

FAKE_RAY = """\
#!{python}
import os, signal, socket, sys, time
given = dict(argument.lstrip("-").split("=", 1) for argument in sys.argv[1:] if "=" in argument)
print("ray", *sys.argv[1:], flush=True)
ends = []
signal.signal(signal.SIGTERM, lambda *_: ends.append(1))
listening = []
for key in ("port", "node-manager-port"):
    if key in given:
        listening.append(socket.create_server((given["node-ip-address"], int(given[key]))))
if "NEVER_STARTED" not in os.environ:
    print("Ray runtime started.", flush=True)
while not ends:
    time.sleep(0.05)
"""


@pytest.fixture(scope="module")
def slurm() -> Iterator[LoopbackSlurm]:
    """A cluster of two nodes with four CPUs and two GPUs each, for one file of tests."""
    if reason := lacking():
        pytest.skip(reason)
    running = LoopbackSlurm(nodes=2, cpus=4, gpus=2)
    before = os.environ.get("SLURM_CONF")
    try:
        running.start()
        os.environ["SLURM_CONF"] = str(running.configuration)
        yield running
    finally:
        os.environ.pop("SLURM_CONF", None)
        if before is not None:
            os.environ["SLURM_CONF"] = before
        running.stop()


@pytest.fixture(scope="module")
def stand_in_for_ray(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Variables with which the node's part finds, in place of ray, a program that takes the ports and waits.

    What is tested on the loopback is the talk with Slurm; Ray itself runs in test_ray_on_slurm.py.
    """
    folder = tmp_path_factory.mktemp("stand-in")
    ray = folder / "ray"
    ray.write_text(FAKE_RAY.format(python=sys.executable))
    ray.chmod(0o755)
    # The node's part takes the ray beside its Python.
    (folder / "sitecustomize.py").write_text(f"import sys\nsys.executable = {str(folder / 'python')!r}\n")
    return {"PYTHONPATH": str(folder)}


@pytest.fixture
def jobs_folder(tmp_path: Path) -> Path:
    return tmp_path / "jobs"
