"""The interpreter is built at first use, once, whoever comes first; without a compiler torch runs and says why."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from eiann import Network
from eiann.executors.choose import choose_executor
from eiann.executors.native import library
from tests.eiann.tiny import rule, tiny_config

BUILD = (
    "from eiann.executors.native.library import load; found, reason = load(); assert found, reason; print(found._name)"
)
CHOOSE = """
from eiann import Network
from eiann.executors.choose import choose_executor
from tests.eiann.tiny import rule, tiny_config
print(choose_executor("auto", Network(tiny_config(rule("BP_like_2L"), rule("BP_like_2L")), seeds=[1]))[1])
"""


def python(program: str, cache: Path, **environment: str) -> subprocess.Popen[str]:
    """A process that starts with an empty cache of its own."""
    root = Path(library.__file__).parents[3]
    variables = {**os.environ, "EIANN_CACHE": str(cache), "PYTHONPATH": str(root), **environment}
    return subprocess.Popen(
        [sys.executable, "-c", program], env=variables, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def test_processes_that_start_together_build_one_library(tmp_path: Path) -> None:
    both = [python(BUILD, tmp_path) for _ in range(2)]
    answers = [process.communicate(timeout=280) for process in both]
    assert [process.returncode for process in both] == [0, 0], answers
    assert answers[0][0] == answers[1][0]
    # Nothing half-written stays behind.
    assert [file.name for file in tmp_path.iterdir()] == [Path(answers[0][0].strip()).name]


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"PATH": "", "CXX": ""}, "not native: no C++ compiler found (install g++, or set CXX)"),
        ({"PATH": "", "CXX": "no-such-compiler"}, "not native: no C++ compiler found (install g++, or set CXX)"),
    ],
    ids=["empty PATH", "CXX that is not there"],
)
def test_without_a_compiler_torch_runs_and_says_why(environment: dict[str, str], reason: str, tmp_path: Path) -> None:
    process = python(CHOOSE, tmp_path, **environment)
    out, error = process.communicate(timeout=120)
    assert process.returncode == 0, error
    assert out.startswith("torch: ")
    assert out.strip().endswith(reason)


def test_a_compiler_that_fails_is_quoted_in_one_line(tmp_path: Path) -> None:
    broken = tmp_path / "broken-compiler"
    script = '#!/bin/sh\nif [ "$1" = --version ]; then echo broken 1.0; exit 0; fi\necho no space left >&2\nexit 1\n'
    broken.write_text(script)
    broken.chmod(0o755)
    process = python(CHOOSE, tmp_path / "cache", CXX=str(broken))
    out, error = process.communicate(timeout=120)
    assert process.returncode == 0, error
    assert out.strip().endswith(f"not native: {broken} could not build it: no space left")


def test_a_damaged_library_is_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, _ = library.load()
    assert whole is not None
    monkeypatch.setenv("EIANN_CACHE", str(tmp_path))
    monkeypatch.setattr(library, "build", lambda compiler, target: shutil.copy(whole._name, target))
    compiler = library.find_compiler()
    assert compiler is not None
    damaged = tmp_path / f"native-{library._fingerprint(compiler)}.so"
    damaged.write_bytes(b"half a file")
    found, reason = library.load.__wrapped__()
    assert found is not None, reason
    assert damaged.read_bytes() == Path(whole._name).read_bytes()


def test_the_reason_is_one_line_that_names_the_executor() -> None:
    network = Network(tiny_config(rule("BP_like_2L"), rule("BP_like_2L")), seeds=[1, 2])
    chosen = choose_executor("auto", network)[1]
    assert chosen == "native: the fastest that covers 2 replica(s) on cpu, 1 sample(s) a step"
    batches = choose_executor("auto", network, batch_size=4)[1]
    assert batches.startswith("torch: ")
    assert batches.endswith("not native: mini-batches are trained by the torch executor")


HOMELESS = """
import os, tempfile
from eiann.executors.native import library
os.setuid(54321)
tempfile.tempdir = {folder!r}
folder = library.cache_folder()
print(folder, oct(folder.stat().st_mode & 0o777))
folder.chmod(0o777)
try:
    library.cache_folder()
except OSError as error:
    print(error)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="becomes another user")
def test_a_user_without_a_home_gets_a_folder_that_is_nobody_elses() -> None:
    """In a container that runs as any user; in a folder of others a library would be anybody's."""
    folder = Path("/tmp") / f"eiann-test-{os.getpid()}"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    try:
        code = HOMELESS.format(folder=str(folder))
        script = ["env", "-u", "HOME", "-u", "XDG_CACHE_HOME", "-u", "EIANN_CACHE", sys.executable, "-c", code]
        root = str(Path(library.__file__).parents[3])
        done = subprocess.run(
            script, env={**os.environ, "PYTHONPATH": root}, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.stdout.splitlines() == [
            f"{folder}/eiann-54321 0o700",
            f"{folder}/eiann-54321 is not this user's alone; name another folder in EIANN_CACHE",
        ], done.stderr
    finally:
        shutil.rmtree(folder)


THREADS = """
import os, resource, torch
from eiann import Network, train
from tests.eiann.tiny import rule, tiny_config, tiny_data
torch.set_num_threads(6)
network = Network(tiny_config(rule("BP_like_2L"), rule("BP_like_2L")), seeds=range(6))
train(network, tiny_data(), range(6), executor="torch", steps=1)
from eiann.executors.native.library import load
assert load()[0]
os.setuid(65534)
resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
print(train(network, tiny_data(), range(6), executor="native", steps=5).loss.shape)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="becomes another user, since root may have any number of threads")
def test_where_no_more_threads_are_allowed_the_others_do_the_work() -> None:
    root = Path(library.__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", THREADS], env={**os.environ, "PYTHONPATH": str(root)}, capture_output=True, text=True,
        timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "torch.Size([6, 5])"
