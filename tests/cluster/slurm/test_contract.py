"""What a job on Slurm promises, shown on a real Slurm with several nodes; Ray is stood in for."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cluster import ClusterError, Job, Jobs, JobSpec, JobState, JobStatus
from cluster.slurm.profile import SlurmProfile
from cluster.slurm.runner import SlurmRunner
from tests.cluster.slurm.loopback import LoopbackSlurm

SECONDS = 150


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited {SECONDS} s for: {what}"
        time.sleep(0.2)


class Site:
    """Jobs on the Slurm of the test."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.jobs = Jobs(folder)
        self._environment = environment

    def profile(self, **more: object) -> SlurmProfile:
        shared = {"nodes": 2, "node_wait_seconds": 60, "signal_seconds": 60, "memory_gb": 0.25}
        return SlurmProfile.model_validate(shared | {"environment": self._environment} | more)

    def submit(self, name: str, script: str, *, progress: tuple[str, ...] = (), **more: object) -> Job:
        spec = JobSpec(name=name, command=("bash", "-c", script), progress=progress)
        return self.jobs.submit(self.profile(**more), spec)

    def ended(self, name: str) -> JobStatus:
        until(lambda: self.jobs.find(name).status().state.ended, f"job {name} to end")
        return self.jobs.find(name).status()

    def log(self, name: str) -> list[str]:
        return list(self.jobs.find(name).logs())

    def file(self, name: str, file: str) -> list[str]:
        return (self.jobs.folder / name / file).read_text().splitlines()

    def running(self, name: str, line: str) -> None:
        until(lambda: line in self.log(name), f"{line!r} in the log of {name}")


@pytest.fixture
def site(slurm: LoopbackSlurm, stand_in_for_ray: dict[str, str], jobs_folder: Path) -> Iterator[Site]:
    site = Site(jobs_folder, stand_in_for_ray)
    yield site
    for status in site.jobs.all():
        if not status.state.ended:
            site.jobs.find(status.name).cancel()


def signal_walltime(job: int) -> None:
    """What Slurm does ahead of the walltime."""
    subprocess.run(["scancel", "--signal=USR1", "--batch", str(job)], check=True)


WAITS_FOR_USR1 = "trap 'echo kept; exit 85' USR1; echo ready; while :; do sleep 0.1; done"


def test_a_job_runs_on_its_nodes_to_its_end(site: Site) -> None:
    job = site.submit("greet", 'echo "hello from $RAY_ADDRESS"; stat -c %a "$RAY_AUTH_TOKEN_PATH"; umask', gpus=2)
    lines = list(job.logs(follow=True))
    status = job.status()
    assert (status.state, status.exit_code) == (JobState.DONE, 0), lines
    assert status.started is not None
    assert status.ended is not None
    assert any(line.startswith("Ray is up on 2 of 2 nodes") for line in lines)
    assert any(line.startswith("hello from ") and line[-1].isdigit() for line in lines)
    assert "600" in lines, "the token is the user's alone"
    assert f"{os.umask(0o022):04o}" in lines, "results get the modes that the user is used to"
    logs = [(site.jobs.folder / "greet" / "run-0" / f"ray-{node}.log").read_text() for node in (0, 1)]
    assert "--head" in logs[0]
    assert "--address=" in logs[1]
    for log in logs:
        assert "--num-gpus=2" in log
        assert "--num-cpus=1" in log
    assert not list((site.jobs.folder / "greet").glob("run-*/token")), "a token ends with its run"


def test_a_job_of_which_the_submitter_was_not_told_is_found_in_the_queue(site: Site) -> None:
    site.submit("untold", "true", directives=("--begin=now+1hour", "--job-name=other"))
    ids = site.jobs.folder / "untold" / "ids"
    number = ids.read_text()
    ids.unlink()
    assert site.jobs.find("untold").status().state is JobState.QUEUED
    assert ids.read_text() == number


def test_a_failing_command_shows_its_exit_code(site: Site) -> None:
    site.submit("fails", "echo no; exit 7", nodes=1)
    status = site.ended("fails")
    assert (status.state, status.exit_code) == (JobState.FAILED, 7)
    assert status.detail.endswith("exit code 7")


def test_a_failing_set_up_line_ends_the_job_and_is_named(site: Site) -> None:
    site.submit("lost", "echo never", setup=("export A=1", "module load 'no such'"), nodes=1)
    status = site.ended("lost")
    assert status.state is JobState.FAILED
    assert "set-up line failed with exit code 127: module load 'no such'" in status.detail
    log = "\n".join(site.log("lost"))
    assert "set-up line failed with exit code 127: module load 'no such'" in log
    assert "never" not in log


def test_a_bad_partition_is_one_clear_line_and_leaves_nothing(site: Site) -> None:
    with pytest.raises(ClusterError) as caught:
        site.submit("nowhere", "true", partition="gold")
    assert str(caught.value).startswith("nowhere: Slurm refuses the job: ")
    assert "partition" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (site.jobs.folder / "nowhere").exists()


def test_set_up_lines_that_are_not_bash_are_refused_before_anything_is_sent(site: Site) -> None:
    with pytest.raises(ClusterError, match="nope: the set-up lines of the profile are not bash: "):
        site.submit("nope", "true", setup=("if true; then",))
    assert site.jobs.all() == []


def test_a_job_that_has_more_to_do_is_requeued_and_goes_on_under_its_number(site: Site) -> None:
    script = f'if [ -e "$0.$SLURM_JOB_ID" ]; then echo resumed; exit 0; fi; touch "$0.$SLURM_JOB_ID"; {WAITS_FOR_USR1}'
    mark = site.jobs.folder / "mark"
    spec = JobSpec(name="again", command=("bash", "-c", script, str(mark)))
    site.jobs.submit(site.profile(), spec)
    site.running("again", "ready")
    (number,) = site.file("again", "ids")
    signal_walltime(int(number))
    lines = list(site.jobs.find("again").logs(follow=True))
    assert [line for line in lines if line in ("ready", "kept", "resumed")] == ["ready", "kept", "resumed"]
    status = site.jobs.find("again").status()
    assert (status.state, status.detail) == (JobState.DONE, f"Slurm job {number}, run 2")
    assert site.file("again", "ids") == [number]
    assert [line.split()[0] for line in site.file("again", "runs")] == [number, number]


def test_where_requeue_is_disabled_a_successor_goes_on(site: Site) -> None:
    script = f'if [ -e "$0" ]; then echo resumed; exit 0; fi; touch "$0"; {WAITS_FOR_USR1}'
    spec = JobSpec(name="heir", command=("bash", "-c", script, str(site.jobs.folder / "mark")))
    site.jobs.submit(site.profile(directives=("--no-requeue",)), spec)
    site.running("heir", "ready")
    signal_walltime(int(site.file("heir", "ids")[0]))
    status = site.ended("heir")
    first, second = site.file("heir", "ids")
    assert first != second
    assert (status.state, status.detail) == (JobState.DONE, f"Slurm job {second}, run 2")
    log = site.log("heir")
    assert any("this site does not requeue (Requested operation is presently disabled" in line for line in log)
    assert log.count("resumed") == 1


def test_a_job_without_restart_says_that_it_has_more_to_do(site: Site) -> None:
    site.submit("once", WAITS_FOR_USR1, restart="none", nodes=1)
    site.running("once", "ready")
    signal_walltime(int(site.file("once", "ids")[0]))
    status = site.ended("once")
    assert (status.state, status.exit_code) == (JobState.TIMEOUT, 85)
    assert "more to do" in status.detail


def test_a_signal_that_comes_while_nodes_are_waited_for_is_heard_at_once(
    site: Site, stand_in_for_ray: dict[str, str]
) -> None:
    silent = stand_in_for_ray | {"NEVER_STARTED": "1"}
    site.submit("early", "echo never", nodes=1, restart="none", node_wait_seconds=3600, environment=silent)
    log = site.jobs.folder / "early" / "run-0" / "ray-0.log"
    until(lambda: log.exists() and "--head" in log.read_text(), "Ray to be started")
    signal_walltime(int(site.file("early", "ids")[0]))
    status = site.ended("early")
    assert (status.state, status.exit_code) == (JobState.TIMEOUT, 85)
    assert "never" not in site.log("early")


def test_a_signal_at_the_very_end_restarts_nothing(site: Site) -> None:
    script = 'trap "" USR1; scancel --signal=USR1 --batch "$SLURM_JOB_ID"; sleep 0.5; exit 0'
    site.submit("late", script, restart="successor", nodes=1)
    status = site.ended("late")
    assert status.state is JobState.DONE
    assert "told to finish: walltime" in "\n".join(site.log("late"))
    assert len(site.file("late", "ids")) == 1


@pytest.mark.parametrize(
    ("progress", "runs", "reason"),
    [(("echo", "8"), 2, "no progress in 1 runs"), (("bash", "-c", "echo $RANDOM$RANDOM"), 2, "restarted 1 times")],
    ids=["stuck", "too often"],
)
def test_a_job_does_not_restart_for_ever(site: Site, progress: tuple[str, ...], runs: int, reason: str) -> None:
    site.submit("circle", "exit 85", nodes=1, restart="successor", stuck_after=1, max_restarts=1, progress=progress)
    status = site.ended("circle")
    assert status.state is (JobState.FAILED if "no progress" in reason else JobState.TIMEOUT)
    assert status.detail.endswith(reason)
    assert len(site.file("circle", "runs")) == runs


def test_cancel_tells_the_command_and_then_ends_the_job(site: Site) -> None:
    site.submit("tidy", "trap 'echo saved; exit 143' TERM; echo ready; while :; do sleep 0.1; done")
    site.running("tidy", "ready")
    status = site.jobs.find("tidy").cancel()
    assert status.state is JobState.CANCELLED
    assert "saved" in site.log("tidy")
    assert site.jobs.find("tidy").cancel() == status
    site.jobs.forget("tidy")
    assert not (site.jobs.folder / "tidy").exists()


def test_a_job_that_waits_is_cancelled_before_it_ran(site: Site) -> None:
    site.submit("waits", "echo never", directives=("--begin=now+1hour",))
    status = site.jobs.find("waits").status()
    assert (status.state, status.started) == (JobState.QUEUED, None)
    assert "BeginTime" in status.detail
    assert site.jobs.find("waits").cancel().state is JobState.CANCELLED
    assert list(site.jobs.find("waits").logs()) == []


def test_two_studies_share_nodes_and_one_question_tells_of_both(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        site.submit(name, f"touch '{site.jobs.folder}/{name}.up'; " + WAITS_FOR_USR1)
    for name in ("one", "two"):
        site.running(name, "ready")
    asked = []
    run = subprocess.run

    def counted(command, *rest, **more):
        asked.append(command[0])
        return run(command, *rest, **more)

    monkeypatch.setattr(subprocess, "run", counted)
    states = {status.name: status.state for status in site.jobs.all()}
    assert states == {"one": JobState.RUNNING, "two": JobState.RUNNING}
    assert asked == ["squeue"]
    heads = [next((site.jobs.folder / name).glob("run-*/address")).read_text() for name in states]
    assert len(set(heads)) == 2, "each has ports of its own"
    nodes = [site.file(name, "runs")[0].split()[2] for name in states]
    assert nodes == ["n[1-2]", "n[1-2]"]


def test_nodes_that_never_come_end_the_job_or_leave_a_smaller_one(site: Site) -> None:
    lame = {"network_interface": "none0", "node_wait_seconds": 1, "restart": "none"}
    site.submit("alone", "echo never", **lame)
    status = site.ended("alone")
    assert status.state is JobState.FAILED
    assert "no Ray cluster" in status.detail
    assert any("network_interface 'none0' has no address here; there are: lo" in line for line in site.log("alone"))


def test_another_process_knows_the_same_jobs(site: Site) -> None:
    site.submit("known", "true", nodes=1)
    other = SlurmRunner(site.profile(), site.jobs.folder)
    assert [status.name for status in other.jobs()] == ["known"]
    site.ended("known")
    with pytest.raises(ClusterError, match="a job of that name is on record"):
        site.submit("known", "true")
