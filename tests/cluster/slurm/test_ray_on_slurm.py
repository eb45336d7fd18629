"""Studies on a real Ray over two hosts of a real Slurm: from the command to the result, whatever happens meanwhile."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest
import yaml

from cluster import Jobs, JobState, JobStatus
from optimize.cli.app import run
from optimize.study import Study
from tests.cluster import ports
from tests.cluster.slurm.hosts import LOGIN, Hosts, lacking
from tests.optimize.conftest import STUB, TOY
from tests.optimize.postgres import PostgresServer

# Run where the database is: a study's trials.
READ_TRIALS = """
import sys
from optimize.study import Study
print(Study.open(sys.argv[1]).trials().to_json(orient="records", date_format="iso"))
"""
REAL = "spiral/dale_backprop"  # a pack of two trials trains for three seconds
SECONDS = 900  # on a machine of one's own it is a tenth


def until(condition: Callable[[], object], what: str, seconds: float = SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for: {what}"
        time.sleep(0.3)


class Lab:
    """What a member of a lab has: hosts, a profile, a folder with studies."""

    def __init__(self, hosts: Hosts, folder: Path) -> None:
        self.hosts = hosts
        self.folder = folder
        self.studies = folder / "studies"
        self.jobs = Jobs(self.studies / ".jobs")
        (folder / "toy.yaml").write_text(TOY)

    def submit(
        self,
        name: str,
        *options: str,
        space: str = "toy.yaml",
        seconds: float = 0.0,
        trials: int = 16,
        **profile: object,
    ) -> None:
        """Submit a space; with ``seconds`` its packs take so long and train nothing."""
        shared = {"kind": "slurm", "nodes": 2, "cores": 1, "memory_gb": 1.5, "scratch": str(self.hosts.scratch)}
        shared |= {"walltime": "30", "signal_seconds": 60, "node_wait_seconds": 600}
        if seconds:
            options = (*options, "--trainer", STUB)
            shared["environment"] = {"EIANN_STUB_SECONDS": str(seconds)}
        to = self.folder / f"{name}.yaml"
        to.write_text(yaml.safe_dump(shared | profile))
        command = ["submit", space, "--to", str(to), "--studies", str(self.studies), "--name", name]
        command += ["--trials", str(trials), "--pack", "2", *options]
        if "storage" in profile:  # looks whether the server has the study: on the login node, which reaches it
            login = [*self.hosts.enter(), sys.executable, "-m", "optimize.cli"]
            subprocess.run([*login, *command], check=True)
        else:
            assert run(command) == 0

    def number(self, name: str) -> str:
        return (self.jobs.folder / name / "ids").read_text().split()[-1]

    def results(self, name: str) -> int:
        """Trials that are durable."""
        return len(list((self.studies / name / "results").glob("*.json")))

    def computes(self, name: str, more_than: int = 0) -> None:
        """Wait for results of a job that runs."""

        def has_results() -> bool:
            assert not self.jobs.find(name).status().state.ended, self.log(name)
            return self.results(name) > more_than

        until(has_results, f"more than {more_than} results of {name}")

    def runs(self, name: str) -> list[str]:
        """A line for each run."""
        file = self.jobs.folder / name / "runs"
        return file.read_text().splitlines() if file.exists() else []

    def log(self, name: str) -> str:
        return "\n".join(self.jobs.find(name).logs())

    def walltime(self, name: str) -> None:
        """What Slurm does ahead of the walltime."""
        self.hosts.ask("scancel", "--signal=USR1", "--batch", self.number(name))

    def ask_ports(self, node: str) -> dict[str, str]:
        """What each port of the jobs on a node says to a stranger, but for those of its loopback."""
        answer = self.hosts.inside(node, sys.executable, str(ports.__file__))
        assert answer.returncode == 0, answer.stderr
        return dict(json.loads(answer.stdout))

    def ended(self, name: str) -> JobStatus:
        until(lambda: self.jobs.find(name).status().state.ended, f"{name} to end:\n{self.log(name)}")
        return self.jobs.find(name).status()

    def trials(self, name: str) -> pd.DataFrame:
        """The study's table, read on the login node: a server's address means nothing elsewhere."""
        folder = self.studies / name
        study = Study.open(folder)
        if study.spec.storage is None:
            return study.trials()
        command = [*self.hosts.enter(), sys.executable, "-c", READ_TRIALS, str(folder)]
        answer = subprocess.run(command, capture_output=True, text=True, check=True)
        return pd.DataFrame(json.loads(answer.stdout))

    def assert_exact(self, name: str, trials: int) -> None:
        """The study has its budget, each trial once."""
        table = self.trials(name)
        assert sorted(table["number"]) == list(range(trials))
        assert set(table["state"]) <= {"COMPLETE", "FAIL", "PRUNED"}
        assert table.loc[table["state"] == "FAIL", "failure"].str.contains("not finite").all()

    def figures(self, name: str, case: str) -> None:
        """Seconds from the submission to the first trial and to the end, for who runs the tests with ``-s``."""
        status = self.jobs.find(name).status()
        finished = pd.to_datetime(self.trials(name)["finished"], utc=True)
        first = finished[finished > status.submitted].min()  # of this submission
        assert status.ended is not None
        seconds = {
            "first_trial": (first.to_pydatetime() - status.submitted).total_seconds(),
            "result": (status.ended - status.submitted).total_seconds(),
        }
        print("FIGURES", json.dumps({"case": case, **{key: round(value, 1) for key, value in seconds.items()}}))


@pytest.fixture(scope="module")
def hosts() -> Iterator[Hosts]:
    if reason := lacking():
        pytest.skip(reason)
    hosts = Hosts(nodes=2, cpus=4)
    before = os.environ["PATH"]
    try:
        hosts.start()
        os.environ["PATH"] = f"{hosts.tools}:{before}"
        yield hosts
    finally:
        os.environ["PATH"] = before
        hosts.stop()


@pytest.fixture
def lab(hosts: Hosts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    monkeypatch.chdir(tmp_path)
    lab = Lab(hosts, tmp_path)
    yield lab
    for status in lab.jobs.all():
        if not status.state.ended:
            hosts.ask("scancel", *(lab.jobs.folder / status.name / "ids").read_text().split())
    until(lambda: not hosts.ask("squeue", "--noheader"), "the jobs to leave the nodes", 60)


def test_a_study_that_meets_its_walltime_is_requeued_and_has_exactly_its_budget(lab: Lab) -> None:
    # 10 packs, 2 at once: half a minute, in which the ports are asked and the signal comes.
    lab.submit("demo", trials=20, seconds=6)
    lab.computes("demo", 0)
    with ThreadPoolExecutor() as pool:
        said = list(pool.map(lab.ask_ports, ("n1", "n2")))
    lab.walltime("demo")
    assert all(len(doors) >= 3 for doors in said), said
    assert {door for doors in said for door in doors.values()} == {"refused"}, said
    status = lab.ended("demo")
    log = lab.log("demo")
    assert (status.state, status.exit_code) == (JobState.DONE, 0), log
    assert log.count("Ray is up on") == 2
    assert "Ray is up on 2 of 2 nodes" in log
    assert "run 2" in status.detail
    lab.assert_exact("demo", 20)
    lab.figures("demo", "walltime signal once")
    left = lab.hosts.inside("n2", "ls", str(lab.hosts.scratch)).stdout
    assert left == "", "nothing is left on the node's disk"


@pytest.mark.long
def test_submit_to_result_on_two_nodes(lab: Lab) -> None:
    lab.submit("plain", space=REAL, trials=8)
    assert lab.ended("plain").state is JobState.DONE, lab.log("plain")
    lab.assert_exact("plain", 8)
    lab.figures("plain", "submit to result, real training")
    assert lab.trials("plain")["pack"].nunique() == 4


@pytest.mark.long
@pytest.mark.parametrize("restart", ["requeue", "successor"])
def test_the_walltime_twice_and_still_exactly_the_budget(lab: Lab, restart: str) -> None:
    lab.submit("twice", trials=24, seconds=3, restart=restart)
    for runs in (1, 2):
        until(lambda runs=runs: len(lab.runs("twice")) == runs, f"run {runs}:\n{lab.log('twice')}")
        before = lab.results("twice")
        lab.computes("twice", before)
        lab.walltime("twice")
    status = lab.ended("twice")
    assert status.state is JobState.DONE, lab.log("twice")
    assert len(lab.runs("twice")) == 3
    assert len({line.split()[0] for line in lab.runs("twice")}) == (1 if restart == "requeue" else 3)
    lab.assert_exact("twice", 24)
    lab.figures("twice", f"walltime signal twice, {restart}")


@pytest.mark.long
def test_the_walltime_itself(lab: Lab) -> None:
    # 150 s of work: 30 packs of 10 s, 2 at once. A run of 3 minutes is told to finish after 1.5 to 2.
    lab.submit("short", trials=60, seconds=10, walltime="00:03:00", signal_seconds=60)
    status = lab.ended("short")
    assert status.state is JobState.DONE, lab.log("short")
    assert len(lab.runs("short")) >= 2
    lab.assert_exact("short", 60)
    lab.figures("short", f"walltime itself hit {len(lab.runs('short')) - 1} times")


@pytest.mark.long
def test_a_network_that_is_cut_and_healed_costs_time_and_no_trial(lab: Lab) -> None:
    lab.submit("cut", trials=40, seconds=5)
    lab.computes("cut", 2)
    assert "Ray is up on 2 of 2 nodes" in lab.log("cut")
    lab.hosts.cut("n2")
    time.sleep(75)
    lab.hosts.heal("n2")
    status = lab.ended("cut")
    assert status.state is JobState.DONE, lab.log("cut")
    lab.assert_exact("cut", 40)
    lab.figures("cut", "network cut for 75 s and healed")


@pytest.mark.long
def test_two_studies_at_once_on_the_same_nodes(lab: Lab) -> None:
    for name in ("one", "two"):
        lab.submit(name, space=REAL, trials=12)
    for name in ("one", "two"):
        assert lab.ended(name).state is JobState.DONE, lab.log(name)
        lab.assert_exact(name, 12)
        lab.figures(name, f"two studies at once: {name}")
    nodes = [lab.runs(name)[0].split()[2] for name in ("one", "two")]
    assert nodes == ["n[1-2]", "n[1-2]"]


@pytest.mark.long
def test_cancel_and_go_on_by_a_new_submission(lab: Lab) -> None:
    lab.submit("stop", space=REAL, trials=24)
    lab.computes("stop", 0)
    start = time.monotonic()
    assert run(["cancel", "stop", "--studies", str(lab.studies)]) == 0
    print("FIGURES", json.dumps({"case": "cancel", "seconds": round(time.monotonic() - start, 1)}))
    assert lab.jobs.find("stop").status().state is JobState.CANCELLED
    profile = str(lab.folder / "stop.yaml")
    assert run(["submit", str(lab.studies / "stop"), "--to", profile]) == 0
    assert lab.ended("stop").state is JobState.DONE, lab.log("stop")
    lab.assert_exact("stop", 24)
    assert list((lab.studies / "stop" / "logs").glob("job-*.txt"))
    lab.figures("stop", "cancelled, then submitted again")


@pytest.mark.long
def test_a_node_that_is_powered_off_in_mid_pack_costs_time_and_no_trial(lab: Lab) -> None:
    lab.submit("off", trials=24, seconds=5)
    lab.computes("off", 2)
    assert "Ray is up on 2 of 2 nodes" in lab.log("off")
    lab.hosts.power_off("n2")
    status = lab.ended("off")
    assert status.state is JobState.DONE, lab.log("off")
    lab.assert_exact("off", 24)
    lab.figures("off", "node powered off in mid-pack")


@pytest.fixture
def database(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> Iterator[PostgresServer]:
    """A server on the login node, which wants a password; the user has it in the environment."""
    password = secrets.token_hex(16)
    server = PostgresServer(enter=hosts.enter(), address=LOGIN, password=password)
    monkeypatch.setenv("PGPASSWORD", password)
    try:
        yield server
    finally:
        server.remove()


@pytest.mark.long
def test_a_database_that_is_gone_for_a_while_costs_time_and_no_trial(lab: Lab, database: PostgresServer) -> None:
    lab.submit("data", space=REAL, trials=24, storage=database.create("studies"))
    lab.computes("data", 2)
    database.stop()
    time.sleep(30)
    status = [sys.executable, "-m", "optimize.cli", "status", "--studies", str(lab.studies)]
    shown = subprocess.run([*lab.hosts.enter(), *status], capture_output=True, text=True, check=True).stdout
    assert f"study data: storage postgresql://lab@{LOGIN}/studies: " in shown, shown
    assert re.search(r"data +running", shown), shown
    database.start()
    ended = lab.ended("data")
    assert ended.state is JobState.DONE, lab.log("data")
    assert len(lab.runs("data")) == 1
    lab.assert_exact("data", 24)
    lab.figures("data", "database gone for 30 s")
    written = [path for path in lab.folder.rglob("*") if path.is_file()]
    assert len(written) > 10
    assert not [path for path in written if os.environ["PGPASSWORD"].encode() in path.read_bytes()]
