"""The dashboard shows a study and changes nothing; as a command it starts, answers on loopback, and ends by its pid."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from eiann.errors import UserError
from optimize.dashboard import DashboardServer
from optimize.dashboard.server import is_loopback
from optimize.dashboard.view import ReadOnlyError, StudyView
from optimize.study import Study
from optimize.study.opening import JOURNAL, PASSWORD_FILE
from optimize.tune.inline import run_inline
from tests.optimize.conftest import MakeStudy
from tests.optimize.postgres import PostgresServer

PATIENCE = 240.0


def ask(url: str, method: str = "GET") -> bytes:
    with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=PATIENCE) as answer:
        found: bytes = answer.read()
        return found


def shown(server: DashboardServer) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ask(server.url.replace("/dashboard/", "/api/")))
    return found


@pytest.fixture
def study(make_study: MakeStudy) -> Study:
    made = make_study(trials=6)
    run_inline(made)
    return made


@pytest.fixture
def server(study: Study) -> Iterator[DashboardServer]:
    with DashboardServer(study, port=0, ray="http://head:8265") as running:
        yield running


def test_trials_have_their_instances_as_notes_and_plain_attributes(study: Study, server: DashboardServer) -> None:
    page = shown(server)
    assert page["name"] == "toy"
    assert page["objective_names"] == ["100 - accuracy", "loss"]
    assert "Ray's dashboard: http://head:8265" in page["note"]["body"]
    instances = study.instances()
    assert len(page["trials"]) == 6
    for trial in page["trials"]:
        own = instances[instances["number"] == trial["number"]]
        rows = [line for line in trial["note"]["body"].splitlines() if line.startswith("| ")][1:]
        seeds = [row.split(" | ")[1] for row in rows if "---" not in row]
        assert seeds == [str(seed) for seed in own["network_seed"]]
    attributes = {entry["key"] for trial in page["trials"] for entry in trial["user_attrs"]}
    assert {"accuracy", "loss", "seconds", "instances failed"} <= attributes
    assert "result" not in attributes


def test_pictures_that_come_later_are_artifacts(study: Study, server: DashboardServer) -> None:
    number = int(study.best(1)["number"].iloc[0])
    plots = study.folder.best / f"trial-{number}" / "plots"
    plots.mkdir(parents=True)
    (plots / "weights.png").write_bytes(b"\x89PNG of weights")
    (trial,) = (one for one in StudyView(study).get_all_trials(study.storage.study_id) if one.number == number)
    (text,) = trial.system_attrs.values()
    artifact = json.loads(text)
    assert artifact["filename"] == "weights.png"
    root = server.url.partition("/dashboard")[0]
    identity = f"{study.storage.study_id}/{trial._trial_id}/{artifact['artifact_id']}"
    assert ask(f"{root}/artifacts/{identity}") == b"\x89PNG of weights"


def test_nothing_can_be_changed(study: Study, server: DashboardServer) -> None:
    before = study.trials()
    for method, place in (("DELETE", ""), ("PUT", "/note"), ("POST", "/rename")):
        with pytest.raises(urllib.error.HTTPError, match="403"):
            ask(server.url.replace("/dashboard/", "/api/") + place, method)
    view = StudyView(study)
    for change in (
        lambda: view.delete_study(study.storage.study_id),
        lambda: view.create_new_study([]),
        lambda: view.set_trial_user_attr(1, "a", 1),
        lambda: view.pictures.remove("x"),
    ):
        with pytest.raises(ReadOnlyError):
            change()
    assert study.trials().equals(before)


def test_other_studies_of_the_storage_are_not_shown(make_study: MakeStudy, tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path / 'shared.db'}"
    mine, other = (make_study(name=name, storage=storage) for name in ("mine", "other"))
    view = StudyView(mine)
    assert [one.study_name for one in view.get_all_studies()] == ["mine"]
    with pytest.raises(KeyError):
        view.get_all_trials(other.storage.study_id)


def test_a_journal_is_shown_too(make_study: MakeStudy, tmp_path: Path) -> None:
    made = make_study(trials=2, storage=f"{JOURNAL}{tmp_path / 'journal.log'}")
    run_inline(made)
    assert len(StudyView(made).get_all_trials(made.storage.study_id)) == 2


def test_a_database_is_opened_as_the_study_opens_it(
    make_study: MakeStudy, postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres.create(f"d{uuid4().hex}").replace("postgresql://", "postgres://")
    made = make_study(trials=2, storage=url)
    run_inline(made)
    with closing(StudyView(made)) as view:
        assert len(view.get_all_trials(made.storage.study_id)) == 2
    file = tmp_path / "password"
    file.write_text("hunter2")
    file.chmod(0o644)
    monkeypatch.setenv(PASSWORD_FILE, str(file))
    with pytest.raises(UserError, match=f"^{PASSWORD_FILE}: others may open {file}"):
        StudyView(made)


def test_a_port_that_is_taken_is_said(study: Study, server: DashboardServer) -> None:
    port = int(server.url.split(":")[2].partition("/")[0])
    with pytest.raises(UserError, match=f"--port: found {port}, which is taken on 127.0.0.1"):
        DashboardServer(study, port=port)


@pytest.mark.parametrize(
    ("host", "only_here"), [("127.0.0.1", True), ("::1", True), ("0.0.0.0", False), ("10.0.0.1", False)]
)
def test_addresses_that_only_this_machine_reaches(host: str, only_here: bool) -> None:
    assert is_loopback(host) is only_here


def test_the_command_answers_on_loopback_and_ends_by_its_pid(study: Study) -> None:
    command = [sys.executable, "-m", "optimize.cli", "dashboard", str(study.folder.path), "--port", "0"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=Path.cwd()) as process:
        try:
            assert process.stdout is not None
            with selectors.DefaultSelector() as waiting:
                waiting.register(process.stdout, selectors.EVENT_READ)
                assert waiting.select(PATIENCE), "the dashboard said nothing"
            url = process.stdout.readline().split()[-1]
            assert url.startswith("http://127.0.0.1:")
            assert b"<title>" in ask(url)
            assert len(json.loads(ask(url.replace("/dashboard/", "/api/")))["trials"]) == 6
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 0
            assert process.stdout.read().endswith("stopped\n")
        finally:
            process.kill()
