"""Searches that are sent to where the submitter's disk is not seen: what travels along, and what is refused before."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from optimize.cli.app import run
from optimize.space import SearchSpace
from optimize.study import Study
from tests.optimize.conftest import TOY, toy_document

PODS = "kind: kubernetes\nnamespace: lab\nimage: registry.example.org/eiann:1\nvolume: {claim: studies}\n"
RAY = "kind: ray\naddress: http://127.0.0.1:1\nstudies: /shared/studies\n"
STUB = ["--trainer", "optimize.tune.stub:StubTrainer"]
Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("toy.yaml").write_text(TOY)
    Path("points.yaml").write_text("- {rate: 0.5, scale: 1.0}\n")
    Path("pods.yaml").write_text(PODS)
    Path("shared.yaml").write_text(PODS.replace("studies}", "studies, shared: true}"))
    Path("ray.yaml").write_text(RAY)
    return tmp_path


def content(folder: Path) -> list[str]:
    return sorted(str(path) for path in folder.rglob("*"))


def test_a_space_travels_whole_and_a_dry_run_writes_nothing(folder: Path, capsys: Captured) -> None:
    before = content(folder)
    arguments = [
        "submit",
        "toy.yaml",
        "--to",
        "pods.yaml",
        "--name",
        "demo",
        "--trials",
        "36",
        "--points",
        "points.yaml",
    ]
    assert run([*arguments, "--dry-run"]) == 0
    shown = capsys.readouterr()
    files, job = yaml.safe_load_all(shown.out)  # standard output is the manifest and nothing else
    assert yaml.safe_load(files["data"]["space.yaml"]) == SearchSpace.load("toy.yaml").to_dict()
    (points,) = (text for name, text in files["data"].items() if name.startswith("points"))
    assert yaml.safe_load(points) == [{"rate": 0.5, "scale": 1.0}]
    command = job["spec"]["entrypoint"].split()
    assert command[:6] == ["exec", "python", "-m", "optimize.cli", "optimize", "/eiann-job/space.yaml"]
    assert {"--resume", "/studies", "auto"} <= set(command)
    for word in ("forecast", "36 trials x 2 instances = 72", "core-hours", "disk"):
        assert word in shown.err
    assert content(folder) == before


def test_points_travel_however_the_option_is_written(capsys: Captured) -> None:
    assert run(["submit", "toy.yaml", "--to", "pods.yaml", "--points=points.yaml", "--trials=6", "--dry-run"]) == 0
    files, job = yaml.safe_load_all(capsys.readouterr().out)
    (name,) = (name for name in files["data"] if name.startswith("points"))
    assert yaml.safe_load(files["data"][name]) == [{"rate": 0.5, "scale": 1.0}]
    command = job["spec"]["entrypoint"].split()
    assert command[command.index("--points") + 1] == f"/eiann-job/{name}"
    assert command[command.index("--trials") + 1] == "6"


def test_a_request_to_ray_is_shown_with_its_files(capsys: Captured) -> None:
    assert run(["submit", "toy.yaml", "--to", "ray.yaml", *STUB, "--dry-run"]) == 0
    first, _, rest = capsys.readouterr().out.partition("\n")
    assert first == "POST http://127.0.0.1:1/api/jobs/"
    request, end = json.JSONDecoder().raw_decode(rest)
    assert request["entrypoint"].startswith("exec python -m optimize.cli optimize space.yaml --name toy")
    assert rest[end:].split() == ["with", "a", "package", "of", "1", "files,", "1", "KiB:", "space.yaml"]


def test_a_forecast_that_cannot_be_made_here_is_no_error_elsewhere(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.setenv("EIANN_DATA", str(folder / "nowhere"))
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    assert run(["submit", "mnist/dale_backprop", "--to", "pods.yaml", "--dry-run"]) == 0
    shown = capsys.readouterr()
    assert yaml.safe_load(shown.out)["kind"] == "RayJob"
    assert shown.err.startswith("no forecast: data set 'mnist': found no train-images")


WRONG = {
    "SQLite on a shared volume": (["toy.yaml", "--to", "shared.yaml"], "storage: SQLite's locks do not hold between"),
    "a file on the pod's disk": (
        ["toy.yaml", "--to", "pods.yaml", "--storage", "sqlite:////data/x.db"],
        "storage: /data/x.db is on the pod's own disk",
    ),
    "a path of the passing folder": (
        ["toy.yaml", "--to", "ray.yaml", "--storage", "journal:x.journal"],
        "storage: found the path x.journal for a journal; the whole path on the cluster is right",
    ),
    "a database on localhost": (
        ["toy.yaml", "--to", "ray.yaml", "--storage", "postgresql://me@localhost/x"],
        "storage: the host localhost is the node",
    ),
    "a password": (
        ["toy.yaml", "--to", "ray.yaml", "--storage", "postgresql://me:swordfish@db/x"],
        "storage: found a URL with a password; write postgresql://me@db/x, and give",
    ),
    "a password in an option's own word": (
        ["toy.yaml", "--to", "pods.yaml", "--storage=postgresql://me:swordfish@db/x"],
        "storage: found a URL with a password; write postgresql://me@db/x, and give",
    ),
    "a password among the URL's options": (
        ["toy.yaml", "--to", "ray.yaml", "--storage", "postgresql://me@db/x?passWord=swordfish"],
        "storage: found a URL with a password; write postgresql://me@db/x, and give",
    ),
    "a password with a slash": (
        ["toy.yaml", "--to", "ray.yaml", "--storage=postgresql://me:sword/fish@db/x"],
        "storage: found a URL with a password; write postgresql://me@db/x, and give",
    ),
    "a password in what is no URL": (
        ["toy.yaml", "--to", "ray.yaml", "--storage=postgresql://me:swordfish@db:54x2/x"],
        "storage: found a URL that cannot be read; sqlite:///FILE, journal:FILE or postgresql://USER@HOST/DATABASE is",
    ),
    "a file that vanishes, in an option's own word": (
        ["toy.yaml", "--to", "pods.yaml", "--storage=sqlite:////data/x.db"],
        "storage: /data/x.db is on the pod's own disk",
    ),
    "an empty storage": (["toy.yaml", "--to", "ray.yaml", "--storage="], "storage: found ''; sqlite:///FILE"),
    "a study that lies here": (["demo", "--to", "pods.yaml"], "studies/demo lies here, and jobs of kubernetes"),
    "an option that is none": (["toy.yaml", "--to", "ray.yaml", "--trails", "3"], "No such option: --trails"),
    "nobody at the address": (["toy.yaml", "--to", "ray.yaml"], "http://127.0.0.1:1: no Ray cluster can be reached"),
}


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG)
def test_what_cannot_work_is_one_line_and_leaves_nothing(
    case: tuple[list[str], str], folder: Path, capsys: Captured
) -> None:
    arguments, says = case
    Study.create(SearchSpace.from_dict(toy_document()), name="demo", trials=4).close()
    assert run(["submit", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {says}")
    assert error.count("\n") == 1
    assert "fish" not in error
    jobs = folder / "studies" / ".jobs"
    assert not jobs.exists() or not list(jobs.iterdir())
