"""Commands that look at studies, networks and spaces, and train networks, in this process."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from safetensors.torch import load_file

from cluster import HereProfile, HereRunner, JobSpec
from optimize.cli.app import run
from optimize.study import NETWORK_TRAINER
from optimize.tune.inline import run_inline
from tests.cluster.waiting import until_ended
from tests.optimize.conftest import TOY, MakeStudy

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "toy.yaml").write_text(TOY)


def test_status_of_all_and_of_one(make_study: MakeStudy, capsys: Captured) -> None:
    run_inline(make_study(name="half", trials=8), packs=1)
    make_study(name="fresh")
    assert run(["status"]) == 0
    shown = capsys.readouterr().out
    assert "half" in shown
    assert "fresh" in shown
    assert run(["status", "half"]) == 0
    assert "2 parameters" in capsys.readouterr().out


def test_trials_that_nobody_computes_are_interrupted_and_not_running(make_study: MakeStudy, capsys: Captured) -> None:
    study = make_study(name="half")
    words = "3 trials were interrupted; the next run of the study takes them up"
    with study.driven() as (ledger, _):
        ledger.propose(3)
        for command in (["status"], ["status", "half"]):
            shown = row_of("half", command, capsys)
            assert (shown["running"], shown["interrupted"]) == ("3", "0")
            assert words not in shown["all"]
    for command in (["status"], ["status", "half"]):
        shown = row_of("half", command, capsys)
        assert (shown["running"], shown["interrupted"], shown["driver"]) == ("0", "3", "none")
    assert words in shown["all"]


def row_of(study: str, command: list[str], capsys: Captured) -> dict[str, str]:
    """A study's row in what a command shows, by the names of the columns; ``all`` is everything."""
    assert run(command) == 0
    shown = capsys.readouterr().out
    lines = [line.strip() for line in shown.splitlines()]
    heads = next(line for line in lines if line.startswith("study")).split()
    row = next(line for line in lines if line.startswith(f"{study} ")).split()
    return {**dict(zip(heads, row, strict=False)), "all": shown}


def test_a_study_whose_storage_is_out_of_reach_hides_no_other_and_no_job(
    make_study: MakeStudy, tmp_path: Path, capsys: Captured
) -> None:
    make_study(name="fine")
    make_study(name="gone", storage=f"journal:{tmp_path}/gone.journal")
    (tmp_path / "gone.journal").unlink()
    runner = HereRunner(HereProfile(), tmp_path / "studies" / ".jobs")
    runner.submit(JobSpec(name="gone", command=("true",)))
    reason = f"the storage {tmp_path}/gone.journal is missing"
    assert run(["status"]) == 0
    shown = capsys.readouterr().out
    assert "fine" in shown
    assert f"study gone: studies/gone: {reason}\n" in shown
    assert "submitted" in shown
    assert run(["status", "gone"]) == 2
    said = capsys.readouterr()
    assert reason in said.err
    assert "submitted" in said.out
    until_ended(runner, "gone")


def test_a_server_that_is_no_database_is_asked_once_for_its_studies(make_study: MakeStudy, capsys: Captured) -> None:
    asked: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:  # as no database does
            with suppress(OSError):
                while True:
                    with server.accept()[0] as caller:
                        asked.append(len(caller.recv(8)))
                        caller.sendall(b"HTTP/1.1 400 Bad Request")

        thread = threading.Thread(target=answer)
        thread.start()
        url = f"postgresql://lab@127.0.0.1:{server.getsockname()[1]}/studies"
        for name in ("one", "two", "three"):
            spec = make_study(name=name).folder.spec
            spec.write_text(yaml.safe_dump(yaml.safe_load(spec.read_text()) | {"storage": url}))
        assert run(["status"]) == 0
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(f": storage {url}: ")[0] for line in lines] == ["study one", "study three", "study two"]
    assert len(asked) == 1


def test_status_without_any_study(capsys: Captured) -> None:
    assert run(["status"]) == 0
    assert "no studies" in capsys.readouterr().out


def test_best_export_train_replay_reevaluate(make_study: MakeStudy, capsys: Captured) -> None:
    run_inline(make_study(trials=3, trainer=NETWORK_TRAINER))
    assert run(["best", "toy", "--top", "2", "--params", "--export", "best.yaml"]) == 0
    shown = capsys.readouterr().out
    assert "accuracy" in shown
    assert "objectives." not in shown
    assert "scale" in shown
    assert run(["check", "best.yaml"]) == 0
    assert "from study toy" in capsys.readouterr().out
    assert run(["train", "best.yaml", "--out", "out"]) == 0
    assert "reproduced exactly" in capsys.readouterr().out
    weights = load_file("out/weights.safetensors")
    assert {value.shape[0] for value in weights.values()} == {2}
    history = json.loads(Path("out/history.json").read_text())
    assert len(history["loss"]) == 2
    assert len(history["loss"][0]) == 40
    assert run(["replay", "toy", "1"]) == 0
    assert "identical" in capsys.readouterr().out
    assert run(["reevaluate", "toy", "--top", "1", "--fresh-seeds", "2", "--out", "fresh.csv"]) == 0
    assert "held_out_accuracy" in capsys.readouterr().out
    assert Path("fresh.csv").read_text().count("\n") == 3


def test_table_goes_to_the_screen_or_a_file(make_study: MakeStudy, capsys: Captured) -> None:
    run_inline(make_study(trials=4))
    assert run(["table", "toy", "instances"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("number,instance,network_seed,data_seed,features.accuracy")
    assert len(lines) == 1 + 4 * 2
    assert run(["table", "toy", "trials", "--out", "t.csv"]) == 0
    assert Path("t.csv").exists()


def test_train_writes_beside_earlier_runs(capsys: Captured) -> None:
    assert run(["optimize", "toy.yaml", "--dry-run", "--points", "x0", "--trials", "9"]) == 0
    shown = capsys.readouterr().out
    assert "9 x 2 instances x 40 steps" in shown
    assert sorted(path.name for path in Path.cwd().iterdir()) == ["toy.yaml"]


def test_a_profile_a_space_and_a_shipped_space_are_checked(capsys: Captured) -> None:
    Path("here.yaml").write_text("kind: here\n")
    for what, words in (("here.yaml", "kind here"), ("toy.yaml", "weight_init_args"), ("spiral/perceptron", "Output")):
        assert run(["check", what]) == 0
        assert words in capsys.readouterr().out


def test_a_submission_is_shown_before_it_is_made(capsys: Captured) -> None:
    Path("here.yaml").write_text("kind: here\n")
    assert run(["submit", "toy.yaml", "--to", "here.yaml", "--dry-run", "--trials", "5"]) == 0
    shown = capsys.readouterr().out
    assert "optimize" in shown
    assert "--trials" in shown
    assert not Path("studies").exists()
