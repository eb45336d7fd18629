"""What kubectl is called with, and what is made of its answers.

There is no Kubernetes here: a small program stands in kubectl's place, writes down how it was called and answers from a
file. What a real API server does with the manifest is not shown by this; that it takes it is, in `test_manifest`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster import ClusterError, Jobs, JobSpec, JobState
from cluster.kubernetes import KubernetesProfile, KubernetesRunner
from cluster.kubernetes.runner import judge

JOB = JobSpec(name="demo", command=("python", "-V"), files={"space.yaml": "title: a space\n"})
STAND_IN = """#!{python}
import json, os, sys
place = {place!r}
given = "" if sys.stdin.isatty() or "logs" in sys.argv or "get" in sys.argv else sys.stdin.read()
with open(place + "/calls", "a") as calls:
    calls.write(json.dumps([sys.argv[1:], given]) + "\\n")
verb = next(word for word in sys.argv[1:] if not word.startswith("-"))
answer = json.load(open(place + "/answers.json"))[verb]
sys.stdout.write(answer.get("out", ""))
sys.stderr.write(answer.get("err", ""))
sys.exit(answer.get("code", 0))
"""


class Recorder:
    """The stand-in for kubectl."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self.answers: dict[str, dict[str, Any]] = {"create": {}, "delete": {}, "logs": {"out": "one\ntwo\n"}}
        self.found: list[dict[str, Any]] = []
        program = place / "kubectl"
        program.write_text(STAND_IN.format(python=sys.executable, place=str(place)))
        program.chmod(0o755)

    def write(self) -> None:
        items = {"items": self.found}
        (self._place / "answers.json").write_text(json.dumps({"get": {"out": json.dumps(items)}, **self.answers}))

    def calls(self) -> list[tuple[list[str], str]]:
        path = self._place / "calls"
        calls = [tuple(json.loads(line)) for line in path.read_text().splitlines()] if path.exists() else []
        path.unlink(missing_ok=True)
        return calls  # type: ignore[return-value]


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    recorder = Recorder(tmp_path / "bin")
    recorder.write()
    return recorder


@pytest.fixture
def runner(tmp_path: Path, kubectl: Recorder) -> KubernetesRunner:
    profile = KubernetesProfile.model_validate(
        {"namespace": "lab", "context": "campus", "image": "registry/eiann:1", "volume": {"claim": "studies"}}
    )
    return KubernetesRunner(profile, tmp_path / "jobs")


WHERE = ["--context=campus", "--namespace=lab"]


def submitted(runner: KubernetesRunner, kubectl: Recorder) -> str:
    """Submit the job; the name of its object."""
    runner.submit(JOB)
    ((_, manifest),) = kubectl.calls()
    name: str = list(yaml.safe_load_all(manifest))[1]["metadata"]["name"]
    return name


def answer(kubectl: Recorder, name: str, **status: Any) -> None:
    kubectl.found = [{"metadata": {"name": name}, "status": status}, {"metadata": {"name": "of-others"}}]
    kubectl.write()


def test_submit_creates_what_render_shows(runner: KubernetesRunner, kubectl: Recorder) -> None:
    shown = runner.render(JOB)
    assert kubectl.calls() == []
    runner.submit(JOB)
    ((arguments, manifest),) = kubectl.calls()
    assert arguments == [*WHERE, "create", "--validate=strict", "--filename=-"]
    names = [list(yaml.safe_load_all(text))[1]["metadata"]["name"] for text in (shown, manifest)]
    assert shown.replace(names[0], names[1]) == manifest
    assert (runner.folder / "demo").stat().st_mode & 0o077 == 0
    with pytest.raises(ClusterError, match=r"^demo: a job of that name is on record"):
        runner.submit(JOB)
    assert kubectl.calls() == []


def test_what_was_created_of_a_refused_manifest_is_deleted(runner: KubernetesRunner, kubectl: Recorder) -> None:
    kubectl.answers["create"] = {"code": 1, "err": 'Warning: old\nerror: rayjobs.ray.io is forbidden: user "me"\n'}
    kubectl.write()
    with pytest.raises(ClusterError, match=r'^kubectl: rayjobs.ray.io is forbidden: user "me"$'):
        runner.submit(JOB)
    assert [call[0][2] for call in kubectl.calls()] == ["create", "delete"]
    assert not list(runner.folder.iterdir())


def test_a_cluster_that_is_not_there_is_one_line_and_leaves_nothing(
    runner: KubernetesRunner, kubectl: Recorder
) -> None:
    # What kubectl 1.32 says without a configuration.
    silent = "failed to download openapi: dial tcp 127.0.0.1:8080: connect: connection refused"
    advice = "if you choose to ignore these errors, turn validation off with --validate=false"
    kubectl.answers["create"] = {"code": 1, "err": f'error: error validating "STDIN": {silent}; {advice}\n'}
    kubectl.write()
    with pytest.raises(ClusterError) as caught:
        runner.submit(JOB)
    assert str(caught.value) == f'kubectl: error validating "STDIN": {silent}'
    assert not list(runner.folder.iterdir())


def test_all_jobs_are_asked_for_at_once(runner: KubernetesRunner, kubectl: Recorder) -> None:
    name = submitted(runner, kubectl)
    runner.submit(JOB.model_copy(update={"name": "other"}))
    kubectl.calls()
    answer(kubectl, name, jobDeploymentStatus="Running", jobStatus="RUNNING")
    states = {status.name: status.state for status in Jobs(runner.folder).all()}
    assert states == {"demo": JobState.RUNNING, "other": JobState.LOST}
    assert [call[0] for call in kubectl.calls()] == [
        [*WHERE, "get", "rayjobs.ray.io", "--selector=app.kubernetes.io/managed-by=eiann", "--output=json"]
    ]


def test_logs_are_those_of_the_driver(runner: KubernetesRunner, kubectl: Recorder) -> None:
    name = submitted(runner, kubectl)
    answer(kubectl, name, jobDeploymentStatus="Initializing")
    assert list(runner.logs("demo")) == []
    answer(kubectl, name, jobDeploymentStatus="Complete", jobStatus="SUCCEEDED")
    assert list(runner.logs("demo", follow=True)) == ["one", "two"]
    assert kubectl.calls()[-1][0] == [*WHERE, "logs", "--tail=-1", "--follow", f"job/{name}"]
    kubectl.answers["logs"] = {"code": 1, "err": "Error from server (NotFound): pods not found\n"}
    kubectl.write()
    with pytest.raises(ClusterError, match=r"^kubectl: Error from server"):
        list(runner.logs("demo"))


def test_cancel_keeps_the_log_and_deletes_everything(runner: KubernetesRunner, kubectl: Recorder) -> None:
    name = submitted(runner, kubectl)
    answer(kubectl, name, jobDeploymentStatus="Running", jobStatus="RUNNING")
    assert runner.cancel("demo").state is JobState.CANCELLED
    deleted, manifest = kubectl.calls()[-1]
    assert deleted == [*WHERE, "delete", "--ignore-not-found", "--wait=true", "--timeout=120s", "--filename=-"]
    assert [one["kind"] for one in yaml.safe_load_all(manifest)] == ["ConfigMap", "RayJob"]
    answer(kubectl, "nothing")
    assert runner.status("demo").state is JobState.CANCELLED
    assert list(runner.logs("demo", follow=True)) == ["one", "two"]
    assert kubectl.calls() == []
    runner.forget("demo")
    assert runner.jobs() == []


def test_a_missing_and_a_silent_kubectl_are_one_line(
    runner: KubernetesRunner, kubectl: Recorder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    submitted(runner, kubectl)
    kubectl.answers["get"] = {"out": "hello"}
    kubectl.write()
    with pytest.raises(ClusterError, match=r"^kubectl: gave something else than a list of RayJobs"):
        runner.status("demo")
    assert [(one.name, one.state) for one in Jobs(runner.folder).all()] == [("demo", JobState.UNKNOWN)]
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ClusterError, match=r"^kubectl is not installed here; apply what"):
        runner.submit(JOB.model_copy(update={"name": "second"}))
    assert [path.name for path in runner.folder.iterdir()] == ["demo"]


Said = Callable[[dict[str, Any]], tuple[JobState, int | None, str]]
CASES: list[tuple[dict[str, Any], JobState, int | None, str]] = [
    ({}, JobState.QUEUED, None, "its pods are being started"),
    ({"jobDeploymentStatus": "Initializing"}, JobState.QUEUED, None, "its pods are being started"),
    ({"jobDeploymentStatus": "Running", "jobStatus": "RUNNING"}, JobState.RUNNING, None, ""),
    ({"jobDeploymentStatus": "Retrying", "failed": 1}, JobState.RUNNING, None, "attempt 2"),
    ({"jobDeploymentStatus": "Complete", "jobStatus": "SUCCEEDED"}, JobState.DONE, 0, ""),
    ({"jobDeploymentStatus": "Complete", "jobStatus": "STOPPED"}, JobState.CANCELLED, None, ""),
    (
        {"jobDeploymentStatus": "Failed", "jobStatus": "FAILED", "reason": "AppFailed", "message": "exit\ncode 2"},
        JobState.FAILED,
        None,
        "AppFailed: exit code 2",
    ),
    ({"jobDeploymentStatus": "Failed", "reason": "DeadlineExceeded"}, JobState.TIMEOUT, None, "DeadlineExceeded"),
    ({"jobDeploymentStatus": "Suspended"}, JobState.CANCELLED, None, "suspended, its pods deleted"),
]


@pytest.mark.parametrize(("found", "state", "code", "detail"), CASES)
def test_the_operators_words_are_understood(
    found: dict[str, Any], state: JobState, code: int | None, detail: str
) -> None:
    moment = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
    status = judge("demo", moment, {**found, "startTime": "2026-05-04T03:02:05Z", "endTime": "2026-05-04T04:02:05Z"})
    assert (status.state, status.exit_code, status.detail) == (state, code, detail)
    if state.ended:
        assert (status.started, status.ended) == (moment.replace(second=5), moment.replace(hour=4, second=5))
