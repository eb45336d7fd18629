"""Whatever is wrong with what a user typed: one line, exit code 2, and nothing new on the disk."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from optimize.cli.app import app, run
from optimize.study import Study
from optimize.tune.inline import run_inline
from tests.optimize.conftest import TOY, MakeStudy

NETWORK = """
layer_config: {Input: {E: {size: 2}}, Output: {E: {size: 4}}}
projection_config: {Output: {E: {Input: {E: {learning_rule: Backprop}}}}}
training_kwargs: {learning_rate: 0.1}
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_study: MakeStudy) -> Path:
    """A working folder with a space, a network and a finished study ``studies/toy``."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "toy.yaml").write_text(TOY)
    (tmp_path / "net.yaml").write_text(NETWORK)
    (tmp_path / "bad.yaml").write_text("a: [1,\n")
    (tmp_path / "swapped.yaml").write_text(TOY.replace("[1.0e-4, 1.0, log]", "[1.0, 1.0e-4, log]"))
    (tmp_path / "unknown.yaml").write_text(TOY.replace("instances:", "instnces:"))
    (tmp_path / "formula.yaml").write_text(TOY.replace('learning_rate"', 'learning_rate = rte * 2"', 1))
    (tmp_path / "nowhere.yaml").write_text(TOY.replace("Output.E <- Input.E: weight", "Output.E <- Inptu.E: weight"))
    (tmp_path / "points.yaml").write_text("- {rate: 5.0, scale: 1.0}\n")
    (tmp_path / "here.yaml").write_text("kind: here\n")
    run_inline(make_study(trials=4))
    return tmp_path


STUB = ["--trainer", "optimize.tune.stub:StubTrainer"]
CASES: dict[str, tuple[list[str], list[str]]] = {
    "no such space": (["optimize", "toy2.yaml"], ["toy2.yaml"]),
    "a misspelt space": (["optimize", "spiral/perceptrn"], ["spiral/perceptron"]),
    "broken YAML": (["optimize", "bad.yaml"], ["bad.yaml:", "YAML"]),
    "low above high": (["optimize", "swapped.yaml"], ["swapped.yaml:", "parameters.rate", "low"]),
    "an unknown key": (["optimize", "unknown.yaml"], ["unknown.yaml:", "instnces", "instances"]),
    "an unknown parameter in a formula": (["optimize", "formula.yaml"], ["formula.yaml:", "rte"]),
    "a target that is not there": (["optimize", "nowhere.yaml"], ["nowhere.yaml:", "Inptu"]),
    "a study name that exists": (["optimize", "toy.yaml", "--name", "toy"], ["'toy' exists", "eiann resume"]),
    "a name that is no folder": (["optimize", "toy.yaml", "--name", "a/b"], ["a/b"]),
    "no trials": (["optimize", "toy.yaml", "--trials", "0"], ["--trials"]),
    "trials in words": (["optimize", "toy.yaml", "--trials", "many"], ["--trials", "integer"]),
    "more steps than data": (["optimize", "toy.yaml", "--steps", "100000"], ["100000", "280"]),
    "too many instances": (["optimize", "toy.yaml", "--instances", "300"], ["300"]),
    "an unknown sampler": (["optimize", "toy.yaml", "--sampler", "tpee"], ["tpee", "tpe"]),
    "an unknown sampler option": (
        ["optimize", "toy.yaml", "--sampler", "tpe", "--sampler-option", "startup=3"],
        ["startup"],
    ),
    "an option without value": (["optimize", "toy.yaml", "--sampler-option", "startup"], ["KEY=VALUE"]),
    "a sampler for one objective": (["optimize", "toy.yaml", "--sampler", "cmaes"], ["cmaes", "2 objectives"]),
    "a rule of the race that there is not": (
        ["optimize", "toy.yaml", "--race", "frist=2"],
        ["--race", "frist", "first"],
    ),
    "a race in words": (["optimize", "toy.yaml", "--race", "first=two"], ["--race", "first", "whole number"]),
    "a race over more instances": (["optimize", "toy.yaml", "--race", "first=9"], ["race.first", "9", "2 instances"]),
    "rungs that go down": (["optimize", "toy.yaml", "--stopping", "samples=0.9,0.2"], ["--stopping: found samples"]),
    "no points": (["optimize", "toy.yaml", "--sampler", "points"], ["--points"]),
    "an unknown point": (["optimize", "toy.yaml", "--points", "x1"], ["x1"]),
    "a point out of bounds": (["optimize", "toy.yaml", "--points", "points.yaml"], ["rate", "5"]),
    "a storage that is not there": (["optimize", "toy.yaml", *STUB, "--storage", "sqlite:////no/x.db"], ["/no/x.db"]),
    "more CPUs than there are": (["optimize", "toy.yaml", "--cpus-per-pack", "4096"], ["--cpus-per-pack", "4096"]),
    "no CPUs": (["optimize", "toy.yaml", "--cpus-per-pack", "0"], ["--cpus-per-pack"]),
    "GPUs where there are none": (["optimize", "toy.yaml", "--gpus-per-pack", "1"], ["--gpus-per-pack", "GPU"]),
    "an unknown executor": (["optimize", "toy.yaml", "--executor", "abacus"], ["abacus"]),
    "no such study": (["resume", "elsewhere"], ["elsewhere", "toy"]),
    "no such folder": (["resume", "some/where"], ["some/where"]),
    "no such objective": (["best", "toy", "--by", "acuracy"], ["acuracy", "accuracy"]),
    "an export into nowhere": (["best", "toy", "--export", "no/best.yaml"], ["no/best.yaml"]),
    "an export onto a folder": (["best", "toy", "--export", "studies"], ["studies: is a folder", "studies/best.yaml"]),
    "studies where nothing can be made": (["optimize", "toy.yaml", "--studies", "/proc/no"], ["/proc/no", "be made"]),
    "no such table": (["table", "toy", "trails"], ["trails", "trials"]),
    "a table as spreadsheet": (["table", "toy", "trials", "--out", "t.xls"], ["t.xls", ".parquet"]),
    "no such trial": (["replay", "toy", "77"], ["77", "0 to 3"]),
    "no such data for spaces": (["spaces", "letters"], ["letters", "spiral"]),
    "no such network file": (["train", "net2.yaml", "--data", "spiral"], ["net2.yaml"]),
    "a network without data": (["train", "net.yaml"], ["--data"]),
    "an unknown data set": (["train", "net.yaml", "--data", "spirl"], ["spirl", "spiral"]),
    "an unknown data option": (["train", "net.yaml", "--data", "spiral", "--data-option", "nose=1"], ["noise"]),
    "a device that is absent": (["train", "net.yaml", "--data", "spiral", "--device", "cuda"], ["cuda"]),
    "a device that never was": (["train", "net.yaml", "--data", "spiral", "--device", "abacus"], ["abacus"]),
    "data that do not fit": (["train", "net.yaml", "--data", "digits"], ["Input"]),
    "an output folder in use": (["train", "net.yaml", "--data", "spiral", "--out", "studies"], ["studies"]),
    "an output folder that cannot be": (
        ["train", "net.yaml", "--data", "spiral", "--out", "/proc/no"],
        ["/proc/no: cannot be made"],
    ),
    "everything as output folder": (["train", "net.yaml", "--data", "spiral", "--out", "/"], ["/: cannot be made"]),
    "more replicas than seeds": (
        ["train", "net.yaml", "--data", "spiral", "--seeds", "300"],
        ["--seeds", "300", "255"],
    ),
    "a file that is nothing": (["check", "points.yaml"], ["points.yaml"]),
    "no such profile": (["submit", "toy.yaml", "--to", "there.yaml"], ["there.yaml"]),
    "nothing submitted yet": (["logs", "demo"], ["eiann submit"]),
    "no such command": (["optimise", "toy.yaml"], ["optimise", "optimize"]),
    "no such option": (["optimize", "toy.yaml", "--trails", "3"], ["--trails"]),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_one_line_exit_code_2_nothing_left(
    case: tuple[list[str], list[str]], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments, words = case
    if "cuda" in arguments and torch.cuda.is_available():
        pytest.skip("this machine has the device")
    before = _content(place)
    assert run(arguments) == 2
    shown = capsys.readouterr()
    assert len(shown.err.strip().splitlines()) == 1, shown.err
    assert "Traceback" not in shown.out + shown.err
    for word in words:
        assert word in shown.err
    assert not shown.out, "it is said before anything is done"
    assert _content(place) == before


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "there/table.csv"), "there/table.csv: Permission denied"),
        (IsADirectoryError(errno.EISDIR, "Is a directory", "there"), "there: Is a directory"),
    ],
)
def test_a_file_that_the_system_refuses_is_one_line(
    error: OSError, line: str, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr("optimize.results.write_table", refuse)
    assert run(["table", "toy", "trials", "--out", str(place / "table.csv")]) == 2
    assert capsys.readouterr().err == f"error: {line}\n"


def test_ctrl_c_in_any_command_says_that_it_stopped(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("optimize.results.write_table", stop)
    assert run(["table", "toy", "trials", "--out", str(place / "table.csv")]) == 130
    assert capsys.readouterr().err == "stopped\n"


def _content(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_size for path in folder.rglob("*") if path.name != "driver.lock"}


DAMAGES: dict[str, Callable[[Study], object]] = {
    "the specification is no YAML": lambda study: study.folder.spec.write_text("a: ["),
    "the specification is cut": lambda study: study.folder.spec.write_text(study.folder.spec.read_text()[:100]),
    "the database is gone": lambda study: (study.folder.path / "study.db").unlink(),
    "the database is something else": lambda study: (study.folder.path / "study.db").write_text("x" * 10_000),
    "the database is empty": lambda study: (study.folder.path / "study.db").write_bytes(b""),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_study_is_said_in_one_line(
    damage: Callable[[Study], object], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(Study.open(place / "studies" / "toy"))
    assert run(["best", "toy"]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_every_command_has_help_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    commands = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]
    assert len(commands) >= 16
    for command in commands:
        assert run([command, "--help"]) == 0
        assert f"Example: eiann {command} " in " ".join(capsys.readouterr().out.replace("│", " ").split())


def test_the_first_help_does_not_load_slow_libraries() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from optimize.cli.app import run; run(['--help']); "
        "slow = {'torch', 'ray', 'optuna', 'pandas', 'sqlalchemy', 'eiann'} & sys.modules.keys(); "
        "sys.exit(str(slow) if slow else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
