"""The batch script, to the letter: whoever changes it sees in the golden files what sites will get.

Write them anew with ``EIANN_WRITE_GOLDEN=1 python -m pytest tests/cluster/slurm/test_script.py`` and read the changes.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

import cluster
from cluster import JobSpec, Resources
from cluster.slurm.profile import SlurmProfile
from cluster.slurm.runner import SlurmRunner
from cluster.slurm.script import render

HERE = Path(__file__).parent
PROFILES = Path(cluster.__file__).parent / "profiles"
STUDY = JobSpec(
    name="demo",
    command=("python", "-m", "optimize.cli", "resume", "studies/it's a demo", "--address", "auto"),
    cwd=Path("/"),
    environment={"PGPASSWORD": "swordfish"},
    progress=("python", "-m", "optimize.cli", "status", "studies/demo", "--count"),
)


@pytest.mark.parametrize("kind", ["cpu", "gpu"])
def test_the_script_of_an_example_profile_is_this(kind: str) -> None:
    profile = cluster.load_profile(PROFILES / f"slurm_{kind}.yaml")
    assert isinstance(profile, SlurmProfile)
    script = render(STUDY, profile.model_copy(update={"python": "/opt/venv/bin/python"}), Path("/data/jobs/demo"))
    golden = HERE / f"golden_{kind}.sh"
    if os.environ.get("EIANN_WRITE_GOLDEN") == "1":
        golden.write_text(script)
    assert script == golden.read_text()
    assert "swordfish" not in script


def script_of(spec: JobSpec = STUDY, folder: str = "/data/jobs/demo", **more: object) -> str:
    profile = SlurmProfile.model_validate(more)
    return render(spec, profile.with_resources(spec.resources), Path(folder))


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"restart": "none"},
        {"restart": "successor", "dashboard": True, "network_interface": "ib0"},
        {"setup": ("for m in a b; do\n  module load $m\ndone", "export A='x y'  # why")},
        {"scratch": "$TMPDIR", "environment": {"A": "b"}},
    ],
    ids=["bare", "none", "successor", "set-up", "variables"],
)
@pytest.mark.parametrize("progress", [(), ("echo", "1")], ids=["", "progress"])
def test_every_form_is_bash(more: dict[str, object], progress: tuple[str, ...]) -> None:
    script = script_of(STUDY.model_copy(update={"progress": progress}), **more)
    checked = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
    assert checked.stderr == ""
    assert "{{" not in script
    assert "\n\n\n" not in script


def test_what_the_job_asks_for_comes_before_the_profile() -> None:
    spec = STUDY.model_copy(update={"resources": Resources(nodes=3, cpus=8, gpus=1, memory_gb=1.5, walltime=90 * 60)})
    lines = script_of(spec, nodes=2, cores=4).splitlines()
    wanted = ("nodes=3", "cpus-per-task=8", "gres=gpu:1", "mem=1536M", "time=01:30:00")
    assert [line for option in wanted for line in lines if line == f"#SBATCH --{option}"]
    assert all(f"#SBATCH --{option}" in lines for option in wanted)


def test_a_folder_with_a_space_or_a_percent_sign_is_found() -> None:
    script = script_of(folder="/data/50% of it/demo")
    assert '#SBATCH --output="/data/50%% of it/demo/log.txt"' in script
    assert "job='/data/50% of it/demo'" in script


def test_a_dry_run_shows_exactly_what_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sent = tmp_path / "bin" / "sbatch"
    sent.parent.mkdir()
    sent.write_text(f"#!/bin/bash\ncp \"$2\" '{tmp_path}/sent.sh'\nenv >'{tmp_path}/environment'\necho 17\n")
    sent.chmod(0o755)
    monkeypatch.setenv("PATH", str(sent.parent), prepend=":")
    monkeypatch.setenv("SLURM_JOB_ID", "3")  # we are in a job ourselves
    runner = SlurmRunner(SlurmProfile(environment={"COLOUR": "blue"}), tmp_path / "jobs")
    shown = runner.render(STUDY)
    runner.submit(STUDY)
    assert (tmp_path / "sent.sh").read_text() == shown
    environment = (tmp_path / "environment").read_text().splitlines()
    assert {"COLOUR=blue", "PGPASSWORD=swordfish"} <= set(environment)
    assert not [line for line in environment if line.startswith("SLURM_JOB")]
    written = "".join(path.read_text() for path in (tmp_path / "jobs").rglob("*") if path.is_file())
    assert "swordfish" not in written
