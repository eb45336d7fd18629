"""From a search to a job and back: what is sent, what is found wrong before, and names."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from cluster import HereProfile, Job, Jobs, JobSpec
from optimize.cli.app import run
from optimize.space import SearchSpace
from optimize.study import Study
from tests.optimize.conftest import STUB, TOY, toy_document

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("toy.yaml").write_text(TOY)
    Path("here.yaml").write_text("kind: here\n")
    Path("slurm.yaml").write_text("kind: slurm\nsignal_seconds: 100\nenvironment: {LICENCE: swordfish}\n")
    return tmp_path


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[JobSpec]:
    """What would have been submitted."""
    specs: list[JobSpec] = []

    def note(self: Jobs, profile: object, spec: JobSpec) -> Job:
        specs.append(spec)
        return Job(spec.name, None)  # type: ignore[arg-type]

    monkeypatch.setattr(Jobs, "submit", note)
    return specs


def study(name: str = "demo") -> Study:
    return Study.create(SearchSpace.from_dict(toy_document()), name=name, trials=4)


def test_a_new_search_is_sent_as_a_command_that_can_run_again(folder: Path, sent: list[JobSpec]) -> None:
    assert run(["submit", "toy.yaml", "--to", "slurm.yaml", "--name", "demo", "--trials", "9"]) == 0
    (spec,) = sent
    program = (sys.executable, "-m", "optimize.cli")
    where = ("--name", "demo", "--studies", str(folder / "studies"))
    finish = ("--resume", "--address", "auto", "--grace-seconds", "70")
    assert spec.command == (*program, "optimize", str(folder / "toy.yaml"), *where, "--trials", "9", *finish)
    assert spec.progress == (*program, "status", str(folder / "studies" / "demo"), "--count")


def test_a_study_is_sent_as_its_resumption(folder: Path, sent: list[JobSpec]) -> None:
    study()
    assert run(["submit", "demo", "--to", "here.yaml", "--trials", "9"]) == 0
    program = (sys.executable, "-m", "optimize.cli")
    assert sent[0].command == (*program, "resume", str(folder / "studies" / "demo"), "--trials", "9")


def test_the_python_of_the_profile_is_used(sent: list[JobSpec]) -> None:
    Path("image.yaml").write_text("kind: slurm\npython: /opt/python\nstorage: sqlite:///shared.db\n")
    assert run(["submit", "toy.yaml", "--to", "image.yaml"]) == 0
    assert sent[0].command[0] == sent[0].progress[0] == "/opt/python"
    assert sent[0].command[sent[0].command.index("--storage") + 1] == "sqlite:///shared.db"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["toy.yaml", "--trails", "9"], "No such option: --trails"),
        (["toy.yaml", "--trials", "0"], "'--trials'"),
        (["toy.yaml", "--steps", "100000"], "run.steps: found 100000"),
        (["demo", "--instances", "3"], "No such option: --instances"),
    ],
)
def test_what_cannot_work_is_found_before_it_is_sent(
    sent: list[JobSpec], capsys: Captured, arguments: list[str], says: str
) -> None:
    study()
    assert run(["submit", *arguments, "--to", "slurm.yaml"]) == 2
    assert sent == []
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1


def test_a_study_whose_job_has_ended_is_submitted_again_and_keeps_the_log(sent: list[JobSpec], folder: Path) -> None:
    study()
    jobs = Jobs(folder / "studies" / ".jobs")
    spec = JobSpec(name="demo", command=("echo", "from the first job"))
    from cluster import runner_for

    list(runner_for(HereProfile(), jobs.folder).submit(spec).logs(follow=True))
    assert run(["submit", "studies/demo", "--to", "here.yaml"]) == 0
    assert [spec.name for spec in sent] == ["demo"]
    (log,) = (folder / "studies" / "demo" / "logs").glob("job-*.txt")
    assert log.read_text() == "from the first job\n"


def test_a_job_that_ended_before_its_study_was_made_is_shown_and_its_name_is_free(
    sent: list[JobSpec], folder: Path, capsys: Captured
) -> None:
    from cluster import runner_for

    jobs = Jobs(folder / "studies" / ".jobs")
    spec = JobSpec(name="demo", command=("sh", "-c", "echo no such module; exit 3"))
    list(runner_for(HereProfile(), jobs.folder).submit(spec).logs(follow=True))
    for name in ("demo", "studies/demo"):
        assert run(["status", name]) == 0
        assert "exit code 3" in capsys.readouterr().out
    assert run(["status", "demo", "--count"]) == 2
    assert run(["status", "other"]) == 2
    assert run(["submit", "toy.yaml", "--to", "here.yaml", "--name", "demo"]) == 0
    assert [spec.name for spec in sent] == ["demo"]
    (log,) = (jobs.folder / ".ended" / "demo").glob("job-*.txt")
    assert log.read_text() == "no such module\n"


def test_what_a_dead_submitter_left_of_a_job_is_no_job(sent: list[JobSpec], folder: Path, capsys: Captured) -> None:
    (folder / "studies" / ".jobs" / "demo").mkdir(parents=True)
    for command in ("logs", "status", "cancel"):
        assert run([command, "demo"]) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert run(["submit", "toy.yaml", "--to", "here.yaml", "--name", "demo"]) == 0
    assert [spec.name for spec in sent] == ["demo"]


def test_a_job_is_found_by_the_path_of_its_study_too(capsys: Captured, folder: Path) -> None:
    study()
    Jobs(folder / "studies" / ".jobs").submit(HereProfile(), JobSpec(name="demo", command=("echo", "hello")))
    for name in ("demo", "studies/demo"):
        assert run(["logs", name, "--follow"]) == 0
        assert capsys.readouterr().out == "hello\n"
    assert run(["status", "demo"]) == 0
    assert "done" in capsys.readouterr().out
    assert run(["cancel", "demo"]) == 0
    assert capsys.readouterr().out == "job demo: done\n"


def test_the_number_of_ended_trials_alone(capsys: Captured) -> None:
    study()
    assert run(["status", "demo", "--count"]) == 0
    assert capsys.readouterr().out == "0\n"


def test_an_existing_study_is_gone_on_with_where_that_is_asked_for(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    study()
    resumed = []
    monkeypatch.setattr("optimize.cli.search.resume", lambda study, **options: resumed.append((study, options)))
    arguments = ["optimize", "toy.yaml", "--trials", "9", "--name", "demo", "--trainer", STUB]
    assert run(arguments) == 2
    assert "study 'demo' exists" in capsys.readouterr().err
    assert run([*arguments, "--resume", "--address", "auto", "--pack", "3"]) == 0
    ((path, options),) = resumed
    assert (path, options["address"], options["pack"]) == ("studies/demo", "auto", 3)
    assert options["trials"] == 9, "more than it had is its new budget"
    arguments[3] = "3"
    assert run([*arguments, "--resume", "--address", "auto"]) == 0
    assert resumed[1][1]["trials"] == 4, "it keeps a budget that is larger"


def test_a_checked_profile_shows_its_keys_and_no_value_of_a_variable(capsys: Captured) -> None:
    assert run(["check", "slurm.yaml"]) == 0
    shown = capsys.readouterr().out
    assert "signal_seconds" in shown
    assert "LICENCE" in shown
    assert "swordfish" not in shown
