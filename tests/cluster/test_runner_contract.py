"""What every runner promises (`cluster.runner.Runner`), shown on real processes.

A further kind of cluster joins by a fixture ``runner`` of its own.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from cluster import ClusterError, HereRunner, JobSpec, JobState
from tests.cluster.waiting import until_ended, until_log_has


def shell(name: str, script: str, **more: object) -> JobSpec:
    return JobSpec.model_validate({"name": name, "command": ("sh", "-c", script), **more})


def test_a_job_runs_to_its_end_and_keeps_its_log_and_times(runner: HereRunner) -> None:
    job = runner.submit(shell("greet", "echo hello; echo world >&2"))
    assert list(job.logs(follow=True)) == ["hello", "world"]
    status = job.status()
    assert (status.state, status.exit_code) == (JobState.DONE, 0)
    assert status.started is not None
    assert status.ended is not None
    assert status.submitted <= status.started <= status.ended


def test_a_failing_job_shows_its_exit_code(runner: HereRunner) -> None:
    runner.submit(shell("fails", "exit 7"))
    status = until_ended(runner, "fails")
    assert (status.state, status.exit_code, status.detail) == (JobState.FAILED, 7, "exit code 7")


def test_a_job_killed_by_a_signal_shows_which(runner: HereRunner) -> None:
    runner.submit(shell("killed", "kill -SEGV $$"))
    status = until_ended(runner, "killed")
    assert (status.state, status.exit_code, status.detail) == (JobState.FAILED, -11, "killed by SIGSEGV")


def test_arguments_reach_the_command_unchanged(runner: HereRunner) -> None:
    odd = ["two words", "$HOME", "'", '"', "--", "--grace", "ä", "*", ""]
    runner.submit(JobSpec(name="odd", command=(sys.executable, "-c", "import sys; print(sys.argv[1:])", *odd)))
    assert list(runner.logs("odd", follow=True)) == [repr(odd)]


def test_a_job_runs_in_its_folder_with_its_variables(runner: HereRunner, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    runner.submit(shell("env", 'pwd; echo "$COLOUR"', cwd=elsewhere, environment={"COLOUR": "blue"}))
    assert list(runner.logs("env", follow=True)) == [str(elsewhere), "blue"]


def test_values_of_variables_are_written_nowhere(runner: HereRunner) -> None:
    spec = shell("secret", "sleep 60", environment={"DB_PASSWORD": "swordfish"})
    runner.submit(spec)
    processes = runner.folder / "secret" / "process.json"
    assert processes.exists()
    written = "".join(path.read_text() for path in runner.folder.rglob("*") if path.is_file())
    assert "DB_PASSWORD" in written
    assert "swordfish" not in written + repr(spec) + runner.render(spec)


def test_another_runner_on_the_same_folder_knows_the_same_jobs(runner: HereRunner) -> None:
    runner.submit(shell("first", "true"))
    runner.submit(shell("second", "sleep 60"))
    until_ended(runner, "first")
    other = HereRunner(runner.profile, runner.folder)
    assert [(status.name, status.state) for status in other.jobs()] == [
        ("first", JobState.DONE),
        ("second", JobState.RUNNING),
    ]
    assert other.cancel("second").state is JobState.CANCELLED
    assert runner.status("second").state is JobState.CANCELLED


def test_a_name_is_given_once(runner: HereRunner) -> None:
    runner.submit(shell("only", "echo first"))
    until_ended(runner, "only")
    with pytest.raises(ClusterError, match=r"^only: a job of that name is on record in .*; choose another name$"):
        runner.submit(shell("only", "echo second"))
    assert list(runner.logs("only")) == ["first"]


def test_a_forgotten_name_is_free_again(runner: HereRunner) -> None:
    runner.submit(shell("again", "echo first"))
    until_ended(runner, "again")
    runner.forget("again")
    assert runner.jobs() == []
    runner.submit(shell("again", "echo second"))
    assert list(runner.logs("again", follow=True)) == ["second"]


def test_a_running_job_is_not_forgotten(runner: HereRunner) -> None:
    runner.submit(shell("busy", "sleep 60"))
    with pytest.raises(ClusterError, match=r"^busy: is running; cancel it first$"):
        runner.forget("busy")
    assert runner.status("busy").state is JobState.RUNNING


def test_following_a_log_gives_lines_while_the_job_runs_and_ends_with_it(runner: HereRunner, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    runner.submit(shell("slow", f"echo one; while [ ! -e '{gate}' ]; do sleep 0.05; done; printf two"))
    lines = runner.logs("slow", follow=True)
    assert next(lines) == "one"
    assert runner.status("slow").state is JobState.RUNNING
    gate.touch()
    assert list(lines) == ["two"]


def test_cancel_stops_the_command_and_what_it_started(runner: HereRunner) -> None:
    runner.submit(shell("family", "sleep 60 & echo child $!; wait"))
    until_log_has(runner, "family", next(runner.logs("family", follow=True)))
    child = int(next(runner.logs("family")).split()[1])
    status = runner.cancel("family")
    assert (status.state, status.exit_code) == (JobState.CANCELLED, -15)
    assert not Path(f"/proc/{child}/cmdline").exists() or not Path(f"/proc/{child}/cmdline").read_text()


def test_cancel_lets_a_job_end_in_its_own_way(runner: HereRunner) -> None:
    runner.submit(shell("tidy", "trap 'echo saved; exit 0' TERM; echo ready; while :; do sleep 0.05; done"))
    until_log_has(runner, "tidy", "ready")
    status = runner.cancel("tidy")
    assert (status.state, status.exit_code) == (JobState.CANCELLED, 0)
    assert list(runner.logs("tidy")) == ["ready", "saved"]


def test_cancel_kills_a_job_that_does_not_listen(runner: HereRunner) -> None:
    runner.submit(shell("deaf", "trap '' TERM; echo ready; while :; do sleep 0.05; done"))
    until_log_has(runner, "deaf", "ready")
    status = runner.cancel("deaf")
    assert (status.state, status.exit_code) == (JobState.CANCELLED, -9)


def test_cancelling_an_ended_job_leaves_it_as_it_is(runner: HereRunner) -> None:
    runner.submit(shell("over", "true"))
    ended = until_ended(runner, "over")
    assert runner.cancel("over") == ended


def test_a_job_is_stopped_at_its_walltime(runner: HereRunner) -> None:
    runner.submit(shell("long", "sleep 60", resources={"walltime": 0.2}))
    status = until_ended(runner, "long")
    assert (status.state, status.detail) == (JobState.TIMEOUT, "stopped at its walltime")


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (
            {"command": ("no-such-program",)},
            "bad: the command did not start: no-such-program: No such file or directory",
        ),
        ({"command": ("/",)}, "bad: the command did not start: /: Permission denied"),
        ({"resources": {"nodes": 2}}, "bad: asks for 2 nodes; kind 'here' has 1"),
        ({"resources": {"cpus": 100_000}}, r"bad: asks for 100000 cores; this machine has \d+"),
        ({"cwd": "/no/such/folder"}, "bad: the folder to run in, /no/such/folder, does not exist"),
    ],
)
def test_what_cannot_start_says_why_and_leaves_nothing(runner: HereRunner, more: dict[str, object], says: str) -> None:
    with pytest.raises(ClusterError, match=f"^{says}$"):
        runner.submit(shell("bad", "true").model_validate({"name": "bad", "command": ("true",), **more}))
    assert runner.jobs() == []
    assert not list(runner.folder.rglob("*"))


@pytest.mark.parametrize("name", ["", "../up", "a/b", "-rf", ".hidden", "a b", "x" * 101])
def test_a_name_that_is_no_plain_file_name_is_refused(runner: HereRunner, name: str) -> None:
    with pytest.raises(ClusterError, match="as a job's name; letters, digits"):
        shell(name, "true")
    with pytest.raises(ClusterError, match="no such job"):
        runner.status(name)


def test_an_unknown_name_is_answered_with_the_known_ones(runner: HereRunner) -> None:
    runner.submit(shell("known", "true"))
    for ask in (runner.status, runner.logs, runner.cancel, runner.forget):
        with pytest.raises(ClusterError, match=r"^nobody: no such job in .*; known: known$"):
            ask("nobody")
