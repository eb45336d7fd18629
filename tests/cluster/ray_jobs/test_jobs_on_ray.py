"""Jobs on a real Ray cluster with a token: from submit to result, their logs, a stop, and what is refused."""

from __future__ import annotations

import http.server
import json
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import ClusterError, Jobs, JobSpec, JobState, load_profile
from cluster.ray_jobs import RayProfile, RayRunner
from cluster.ray_jobs import runner as ray_runner
from cluster.ray_jobs.client import RayJobsClient, RayUnreachableError
from optimize.cli.app import run
from optimize.study import Study
from tests.cluster.ports import answer, listening
from tests.cluster.ray_jobs.head import SECONDS, Head, ray_head
from tests.optimize.conftest import TOY

TIDY = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (time.sleep(4), print("saved", flush=True), sys.exit(0)))
print("ready", flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def head() -> Iterator[Head]:
    with ray_head() as head:
        yield head


@pytest.fixture(scope="module")
def site(head: Head, tmp_path_factory: pytest.TempPathFactory) -> RayProfile:
    """A profile as a user writes it, with a working folder."""
    place = tmp_path_factory.mktemp("site")
    (place / "work" / "data").mkdir(parents=True)
    (place / "work" / "data" / "hello.txt").write_text("hello from the working folder\n")
    (place / "ray.yaml").write_text(
        f"kind: ray\naddress: {head.address}\ntoken_file: {head.token_file}\npython: {sys.executable}\n"
        f"working_folder: {place / 'work'}\nenvironment: {{COLOUR: blue}}\nstop_seconds: 30\n"
    )
    profile = load_profile(place / "ray.yaml")
    assert isinstance(profile, RayProfile)
    return profile


@pytest.fixture(scope="module")
def runner(site: RayProfile, tmp_path_factory: pytest.TempPathFactory) -> RayRunner:
    """With its jobs under way: the cluster takes seconds for each, and takes them together."""
    runner = RayRunner(site, tmp_path_factory.mktemp("records"))
    odd = ["two words", "$HOME", "'", '"', "--", "ä", "*", ""]
    show = "import os, sys; print(open('data/hello.txt').read(), os.environ['COLOUR'], sys.argv[1:])"
    runner.submit(JobSpec(name="greet", command=(sys.executable, "-c", show, *odd)))
    runner.submit(JobSpec(name="fails", command=("sh", "-c", "echo on the way >&2; exit 7")))
    runner.submit(JobSpec(name="tidy", command=(sys.executable, "-c", TIDY)))
    return runner


def until_ended(runner: RayRunner, name: str) -> JobState:
    deadline = time.monotonic() + SECONDS
    while not (status := runner.status(name)).state.ended:
        assert time.monotonic() < deadline, status
        time.sleep(0.2)
    return status.state


def test_a_job_runs_with_its_folder_variables_and_arguments(runner: RayRunner) -> None:
    lines = list(runner.logs("greet", follow=True))
    assert [line for line in lines if line.startswith(("hello", " blue"))] == [
        "hello from the working folder",
        " blue ['two words', '$HOME', \"'\", '\"', '--', 'ä', '*', '']",
    ]
    status = runner.status("greet")
    assert (status.state, status.exit_code) == (JobState.DONE, 0)
    assert status.started is not None
    assert status.ended is not None
    assert status.submitted <= status.started <= status.ended


def test_a_failing_job_shows_its_exit_code_and_what_it_said(runner: RayRunner) -> None:
    assert until_ended(runner, "fails") is JobState.FAILED
    status = runner.status("fails")
    assert (status.exit_code, status.detail) == (7, "exit code 7")
    assert "on the way" in list(runner.logs("fails"))


def test_cancel_waits_until_the_job_has_ended_in_its_own_way(runner: RayRunner) -> None:
    lines = runner.logs("tidy", follow=True)
    assert "ready" in lines  # reads until it is there
    assert runner.cancel("tidy").state is JobState.CANCELLED
    # It takes longer than the 3 s that Ray gives by itself.
    assert "saved" in list(runner.logs("tidy"))
    assert runner.cancel("tidy") == runner.status("tidy")


def test_another_process_knows_the_same_jobs_and_the_cluster_is_asked_once(
    runner: RayRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("greet", "fails"):
        until_ended(runner, name)
    calls: list[str] = []
    asked = RayJobsClient._call

    def counted(self: RayJobsClient, method: str, path: str, **more: object) -> object:
        calls.append(path)
        return asked(self, method, path, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(RayJobsClient, "_call", counted)
    found = {status.name: status.state for status in Jobs(runner.folder).all()}
    assert found == {name: runner.status(name).state for name in ("greet", "fails", "tidy")}
    assert len(calls) <= 2  # one list and one status, if `tidy` runs; of what has ended the record tells


def test_the_name_of_a_job_is_given_once(runner: RayRunner) -> None:
    with pytest.raises(ClusterError, match=r"^greet: a job of that name is on record in .*; choose another name$"):
        runner.submit(JobSpec(name="greet", command=("true",)))


def test_an_id_that_the_cluster_has_is_one_clear_line(
    runner: RayRunner, site: RayProfile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = json.loads((runner.folder / "greet" / "ray.json").read_text())["submission_id"]
    monkeypatch.setattr(ray_runner, "_new_id", lambda name: taken)
    other = RayRunner(site, tmp_path)
    with pytest.raises(ClusterError, match=r"^http\S+: the cluster has a job of that id already; submit again under"):
        other.submit(JobSpec(name="mine", command=("true",)))
    assert not list(tmp_path.iterdir())


def test_a_forgotten_job_is_gone_at_the_cluster_too(runner: RayRunner, site: RayProfile) -> None:
    until_ended(runner, "fails")
    taken = json.loads((runner.folder / "fails" / "ray.json").read_text())["submission_id"]
    client = RayJobsClient(site.address, site.token())
    assert client.job(taken) is not None
    runner.forget("fails")
    assert client.job(taken) is None
    with pytest.raises(ClusterError, match="no such job"):
        runner.status("fails")


def test_a_study_goes_from_submit_to_its_result(
    head: Head, runner: RayRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("toy.yaml").write_text(TOY)
    profile = f"kind: ray\naddress: {head.address}\ntoken_file: {head.token_file}\npython: {sys.executable}\n"
    Path("ray.yaml").write_text(f"{profile}studies: {tmp_path / 'there'}\n")
    submit = ["submit", "toy.yaml", "--to", "ray.yaml", "--name", "toy", "--trials"]
    assert run([*submit, "4", "--pack", "2"]) == 0
    assert "job toy submitted" in capsys.readouterr().out
    assert run(["logs", "toy", "--follow"]) == 0
    assert "study: " in capsys.readouterr().out
    assert run(["status"]) == 0
    assert "done" in capsys.readouterr().out
    trials = Study.open(tmp_path / "there" / "toy").trials()
    assert trials["state"].tolist() == ["COMPLETE"] * 4
    # It is not where the submitter's studies are; the same command with more trials goes on with it all the same.
    assert not (tmp_path / "studies" / "toy").exists()
    assert run([*submit, "6", "--pack", "2"]) == 0
    capsys.readouterr()
    assert run(["logs", "toy", "--follow"]) == 0
    after = Study.open(tmp_path / "there" / "toy").trials()
    assert len(after) == 6
    assert after.head(4)["params.rate"].tolist() == trials["params.rate"].tolist()


# ---------------------------------------------------------------------------------------------- what is answered no


def test_a_missing_and_a_wrong_token_are_told_apart(
    head: Head, site: RayProfile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = tmp_path / "wrong"
    wrong.touch(mode=0o600)
    wrong.write_text("0" * 64)
    for variable in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(variable, raising=False)
    says = {
        None: "the cluster wants a token; give token_file in the profile or set RAY_AUTH_TOKEN$",
        wrong: "the token is wrong; it is the one that the cluster was started with",
    }
    for file, words in says.items():
        runner = RayRunner(site.model_copy(update={"token_file": file}), tmp_path / "records")
        with pytest.raises(ClusterError, match=f"^{head.address}: {words}"):
            runner.submit(JobSpec(name="job", command=("true",)))
        assert not list((tmp_path / "records").iterdir())


def test_the_token_comes_from_the_environment_too(
    head: Head, site: RayProfile, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = site.model_copy(update={"token_file": None})
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(head.token_file))
    assert RayJobsClient(bare.address, bare.token()).version().count(".") == 2
    monkeypatch.setenv("RAY_AUTH_TOKEN", head.token)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", "/no/such/file")
    assert RayJobsClient(bare.address, bare.token()).version().count(".") == 2


def test_the_token_is_written_nowhere(head: Head, runner: RayRunner) -> None:
    written = "".join(path.read_text(errors="replace") for path in runner.folder.rglob("*") if path.is_file())
    assert "submission_id" in written
    assert head.token not in written
    assert head.token not in runner.render(JobSpec(name="shown", command=("true",)))
    assert all(folder.stat().st_mode & 0o077 == 0 for folder in runner.folder.iterdir())


def test_no_port_of_a_head_with_the_settings_of_our_jobs_is_open_without_the_token(
    head: Head, runner: RayRunner
) -> None:
    until_ended(runner, "greet")
    ports = [port for port in listening(head.processes()) if not port.loopback]
    assert len(ports) >= 4
    assert {port: said for port in ports if (said := answer(port)) != "refused"} == {}


LATE = "http://127.0.0.1:1: did not answer within 60 s"


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> RayProfile:
    """A cluster that does not answer a submission."""

    def submit(self: RayJobsClient, request: object) -> None:
        raise RayUnreachableError(LATE)

    monkeypatch.setattr(RayJobsClient, "version", lambda self: "2")
    monkeypatch.setattr(RayJobsClient, "submit", submit)
    return RayProfile(kind="ray", address="http://127.0.0.1:1")


@pytest.mark.parametrize("kind", [RayUnreachableError, ClusterError])
def test_a_job_of_which_nobody_knows_stays_on_record(
    late: RayProfile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[ClusterError]
) -> None:
    def job(self: RayJobsClient, submission_id: str) -> None:
        raise kind("nobody is there")

    monkeypatch.setattr(RayJobsClient, "job", job)
    with pytest.raises(ClusterError) as caught:
        RayRunner(late, tmp_path).submit(JobSpec(name="demo", command=("true",)))
    assert str(caught.value) == f"demo: {LATE}; the job may have been taken all the same, see: eiann status"
    assert [(status.name, status.state) for status in Jobs(tmp_path).all()] == [("demo", JobState.UNKNOWN)]


def test_a_job_that_was_not_taken_leaves_nothing(
    late: RayProfile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RayJobsClient, "job", lambda self, submission_id: None)
    with pytest.raises(ClusterError, match=f"^{LATE}$"):
        RayRunner(late, tmp_path).submit(JobSpec(name="demo", command=("true",)))
    assert not list(tmp_path.iterdir())


class _LoginPage(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(302 if "version" in self.path else 200)
        self.send_header("Location", "https://login.example.org/")
        self.end_headers()
        self.wfile.write(b"<html>please log in</html>")

    def log_message(self, *arguments: object) -> None:
        """Nothing on the screen."""


def test_nobody_at_the_address_and_somebody_else_are_said(site: RayProfile, tmp_path: Path) -> None:
    server = http.server.HTTPServer(("127.0.0.1", 0), _LoginPage)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    job = JobSpec(name="job", command=("true",))
    try:
        with pytest.raises(ClusterError, match=f"^{address}: something else than a Ray dashboard answers there"):
            RayRunner(site.model_copy(update={"address": address}), tmp_path).submit(job)
    finally:
        server.shutdown()
        server.server_close()
    with pytest.raises(ClusterError, match=f"^{address}: no Ray cluster can be reached there: Connection refused$"):
        RayRunner(site.model_copy(update={"address": address}), tmp_path).submit(job)
    nowhere = "http://no-such-host.invalid:8265"
    with pytest.raises(ClusterError, match=f"^{nowhere}: no Ray cluster can be reached there: "):
        RayRunner(site.model_copy(update={"address": nowhere}), tmp_path).submit(job)
    assert not list(tmp_path.iterdir())
