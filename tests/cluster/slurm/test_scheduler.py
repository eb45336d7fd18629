"""What Slurm's commands answer, and what is made of it; the commands are stood in for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cluster import ClusterError, Jobs, JobSpec, JobState
from cluster.slurm import scheduler
from cluster.slurm.profile import SlurmProfile
from cluster.slurm.runner import SlurmRunner

Answers = Callable[..., None]


@pytest.fixture
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Answers:
    """Programs of Slurm that print what they are told."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    def answer(program: str, output: str = "", *, error: str = "", code: int = 0) -> None:
        (folder / f"{program}.out").write_text(output)
        (folder / f"{program}.err").write_text(error)
        script = folder / program
        script.write_text(
            f"#!/bin/bash\necho {program} \"$@\" >>'{tmp_path}/calls'\n"
            f"cat '{folder}/{program}.out'\ncat '{folder}/{program}.err' >&2\nexit {code}\n"
        )
        script.chmod(0o755)

    for program, output in {"sbatch": "17\n", "squeue": "", "sacct": "", "scancel": ""}.items():
        answer(program, output)
    return answer


@pytest.fixture
def runner(answers: Answers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SlurmRunner:
    monkeypatch.chdir(tmp_path)
    runner = SlurmRunner(SlurmProfile(), tmp_path / "jobs")
    runner.submit(JobSpec(name="demo", command=("true",)))
    return runner


def last_word(runner: SlurmRunner, code: int, reason: str = "") -> None:
    (runner.folder / "demo" / "runs").write_text("17 2026-11-24T12:00:00Z n1\n")
    (runner.folder / "demo" / "exit").write_text(f"{code}\n2026-11-24T12:30:00Z\n{reason}\n")


@pytest.mark.parametrize(
    ("line", "state", "says"),
    [
        ("17|PENDING|Resources", JobState.QUEUED, "Slurm job 17: Resources"),
        ("17|CONFIGURING|None", JobState.QUEUED, "Slurm job 17"),
        ("17|REQUEUED|None", JobState.QUEUED, "Slurm job 17"),
        ("17|RUNNING|None", JobState.RUNNING, "Slurm job 17"),
        ("17|SUSPENDED|None", JobState.RUNNING, "Slurm job 17: suspended"),
        ("17|TIMEOUT|TimeLimit", JobState.TIMEOUT, "ended by its walltime, before the command had finished"),
        ("17|NODE_FAIL|None", JobState.FAILED, "Slurm job 17: node_fail"),
        ("17|OUT_OF_MEMORY|OutOfMemory", JobState.FAILED, "Slurm job 17: out_of_memory OutOfMemory"),
        ("17|CANCELLED|None", JobState.CANCELLED, "Slurm job 17: cancelled"),
        ("17|PREEMPTED|None", JobState.CANCELLED, "Slurm job 17: preempted"),
        ("17|COMPLETED|None", JobState.LOST, "it left no exit code"),
        ("", JobState.LOST, "Slurm no longer knows it, and it left no exit code"),
    ],
)
def test_slurms_words_become_ours(runner: SlurmRunner, answers: Answers, line: str, state: JobState, says: str) -> None:
    answers("squeue", f"4|RUNNING|None\n{line}\n")
    status = runner.status("demo")
    assert status.state is state
    assert says in status.detail


def test_a_job_that_hands_over_to_its_successor_meanwhile_has_not_ended(
    runner: SlurmRunner, answers: Answers, tmp_path: Path
) -> None:
    answers("squeue", "17|COMPLETED|None\n")
    squeue, ids = tmp_path / "bin" / "squeue", runner.folder / "demo" / "ids"
    # While it answers, the job submits its successor and ends; asked again, it knows of both.
    with squeue.open("a") as script:
        script.write(f"echo 18 >>'{ids}'\necho '18|RUNNING|None' >>'{squeue}.out'\nsed -i '/^echo 1/d' \"$0\"\n")
    squeue.write_text(squeue.read_text().replace("exit 0\n", ""))
    status = runner.status("demo")
    assert (status.state, status.detail) == (JobState.RUNNING, "Slurm job 18")


@pytest.mark.parametrize(
    ("code", "reason", "queue", "state", "says"),
    [
        (0, "", "", JobState.DONE, "Slurm job 17"),
        (0, "", "17|COMPLETING|None", JobState.DONE, "Slurm job 17"),
        (7, "", "17|FAILED|NonZeroExitCode", JobState.FAILED, "Slurm job 17: exit code 7"),
        (1, "set-up line failed", "", JobState.FAILED, "Slurm job 17: set-up line failed"),
        (85, "restarted 3 times", "", JobState.TIMEOUT, "has more to do, and does not go on: restarted 3 times"),
        (143, "cancelled", "17|CANCELLED|None", JobState.CANCELLED, "stopped on request"),
        (143, "", "17|PENDING|BeginTime", JobState.QUEUED, "Slurm job 17: BeginTime"),
    ],
)
def test_the_scripts_last_word_counts_for_what_has_ended(
    runner: SlurmRunner, answers: Answers, code: int, reason: str, queue: str, state: JobState, says: str
) -> None:
    last_word(runner, code, reason)
    answers("squeue", queue)
    status = runner.status("demo")
    assert (status.state, status.exit_code) == (state, None if state is JobState.QUEUED else code)
    assert says in status.detail


def test_accounting_knows_what_the_queue_has_forgotten(runner: SlurmRunner, answers: Answers, tmp_path: Path) -> None:
    answers("sacct", "17|CANCELLED by 1000\n")
    assert runner.status("demo").state is JobState.CANCELLED
    answers("sacct", error="Slurm accounting storage is disabled", code=1)
    assert runner.status("demo").state is JobState.LOST
    last_word(runner, 0)
    (tmp_path / "calls").unlink()
    assert runner.status("demo").state is JobState.DONE
    assert "sacct" not in (tmp_path / "calls").read_text(), "nobody is asked for what is known"


def test_a_silent_slurm_is_said_and_its_jobs_are_unknown(runner: SlurmRunner, answers: Answers) -> None:
    answers("squeue", error="slurm_load_jobs error: Unable to contact slurm controller (connect failure)\n", code=1)
    with pytest.raises(ClusterError, match=r"^Slurm does not answer: .*Unable to contact slurm controller"):
        runner.status("demo")
    (status,) = Jobs(runner.folder).all()
    assert status.state is JobState.UNKNOWN
    assert not status.state.ended


def test_without_slurm_one_line_says_where_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ClusterError, match=r"^squeue: there is no such command here; Slurm's are on its login nodes$"):
        scheduler.queue()


def test_a_refusal_is_one_line_in_slurms_words(answers: Answers, tmp_path: Path) -> None:
    refusal = (
        "sbatch: error: invalid partition specified: gold\nsbatch: error: Batch job submission failed: Invalid name\n"
    )
    answers("sbatch", error=refusal, code=1)
    runner = SlurmRunner(SlurmProfile(), tmp_path / "jobs")
    with pytest.raises(ClusterError) as caught:
        runner.submit(JobSpec(name="demo", command=("true",)))
    said = "invalid partition specified: gold; Batch job submission failed: Invalid name"
    assert str(caught.value) == f"demo: Slurm refuses the job: {said}"
    assert not (tmp_path / "jobs" / "demo").exists()


LATE = "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation\n"


@pytest.fixture(params=["is late", "says that it is late"])
def silent(request: pytest.FixtureRequest, answers: Answers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Slurm whose answer to a submission is lost; what is said then."""
    monkeypatch.chdir(tmp_path)
    if request.param == "is late":
        monkeypatch.setattr(scheduler, "_SECONDS", 1)
        (tmp_path / "bin" / "sbatch").write_text("#!/bin/bash\nexec sleep 30\n")
        return "sbatch: no answer from Slurm within 1 s"
    answers("sbatch", error=LATE, code=1)
    return "Slurm does not answer: Batch job submission failed: Socket timed out on send/recv operation"


def test_a_job_that_was_taken_without_a_word_is_found_by_its_script(
    silent: str, answers: Answers, tmp_path: Path
) -> None:
    runner = SlurmRunner(SlurmProfile(), tmp_path / "jobs")
    script = runner.folder / "demo" / "job.sh"
    answers("squeue", f"5|COMPLETED|{script}\n18|PENDING|{script}\n19|RUNNING|/elsewhere/demo/job.sh\n")
    assert runner.submit(JobSpec(name="demo", command=("true",))).name == "demo"
    assert (runner.folder / "demo" / "ids").read_text() == "18\n"


def test_a_job_that_was_not_taken_leaves_nothing(silent: str, answers: Answers, tmp_path: Path) -> None:
    runner = SlurmRunner(SlurmProfile(), tmp_path / "jobs")
    answers("squeue", f"5|COMPLETED|{runner.folder}/demo/job.sh\n")
    with pytest.raises(ClusterError) as caught:
        runner.submit(JobSpec(name="demo", command=("true",)))
    assert str(caught.value) == f"demo: {silent}"
    assert not list(runner.folder.iterdir())


def test_a_job_of_which_nobody_knows_stays_on_record(silent: str, answers: Answers, tmp_path: Path) -> None:
    runner = SlurmRunner(SlurmProfile(), tmp_path / "jobs")
    answers("squeue", error="slurm_load_jobs error: Unable to contact slurm controller\n", code=1)
    with pytest.raises(ClusterError) as caught:
        runner.submit(JobSpec(name="demo", command=("true",)))
    assert str(caught.value) == f"demo: {silent}; the job may have been taken all the same, see: eiann status"
    jobs = Jobs(runner.folder)
    assert [(status.name, status.state) for status in jobs.all()] == [("demo", JobState.UNKNOWN)]
    answers("squeue", "")
    (status,) = jobs.all()
    assert (status.state, status.detail) == (JobState.LOST, "Slurm told no number: it knows no such job")
    answers("squeue", f"18|RUNNING|{runner.folder}/demo/job.sh\n")
    (status,) = jobs.all()
    assert (status.state, status.detail) == (JobState.RUNNING, "Slurm job 18")


def test_a_job_whose_submitter_was_killed_is_found_by_what_it_noted_itself(
    runner: SlurmRunner, answers: Answers
) -> None:
    (runner.folder / "demo" / "ids").unlink()
    (runner.folder / "demo" / "runs").write_text("17 2026-11-24T12:00:00Z n1\n")
    answers("squeue", "17|RUNNING|None\n")
    assert runner.status("demo").state is JobState.RUNNING
