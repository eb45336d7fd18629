"""Studies on a real Ray over two hosts of a real Slurm: from the command to the result, whatever happens meanwhile."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
import yaml

from cluster import Jobs, JobState, JobStatus
from optimize.cli.app import run
from optimize.study import Study
from tests.cluster.slurm.hosts import Hosts, lacking
from tests.optimize.conftest import STUB, TOY

# Run on a node: the ports that are open to other nodes and answer HTTP without asking for a token.
ASK_EVERY_PORT = """
import http.client, socket
from pathlib import Path
ports = set()
for table in ("tcp", "tcp6"):
    for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
        fields = line.split()
        host, port = fields[1].split(":")
        if fields[3] == "0A" and not host.endswith("0100007F"):
            ports.add(int(port, 16))
for port in ports:
    connection = http.client.HTTPConnection(socket.gethostbyname(socket.gethostname()), port, timeout=5)
    try:
        connection.request("GET", "/metrics")
        if connection.getresponse().status not in (401, 403):
            print(port)
    except (OSError, http.client.HTTPException):
        pass
"""
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

    def submit(self, name: str, *options: str, seconds: float = 0.0, trials: int = 16, **profile: object) -> None:
        """Submit the toy space; with ``seconds`` its packs take so long and train nothing."""
        shared = {"kind": "slurm", "nodes": 2, "cores": 1, "memory_gb": 1.5, "scratch": str(self.hosts.scratch)}
        shared |= {"walltime": "30", "signal_seconds": 60, "node_wait_seconds": 240}
        if seconds:
            options = (*options, "--trainer", STUB)
            shared["environment"] = {"EIANN_STUB_SECONDS": str(seconds)}
        to = self.folder / f"{name}.yaml"
        to.write_text(yaml.safe_dump(shared | profile))
        what = str(self.folder / "toy.yaml")
        command = ["submit", what, "--to", str(to), "--studies", str(self.studies), "--name", name]
        assert run([*command, "--trials", str(trials), "--pack", "2", *options]) == 0

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

    def ended(self, name: str) -> JobStatus:
        until(lambda: self.jobs.find(name).status().state.ended, f"{name} to end:\n{self.log(name)}")
        return self.jobs.find(name).status()

    def assert_exact(self, name: str, trials: int) -> None:
        """The study has its budget, each trial once."""
        table = Study.open(self.studies / name).trials()
        assert sorted(table["number"]) == list(range(trials))
        assert set(table["state"]) <= {"COMPLETE", "FAIL", "PRUNED"}
        assert table.loc[table["state"] == "FAIL", "failure"].str.contains("not finite").all()

    def figures(self, name: str, case: str) -> None:
        """Seconds from the submission to the first trial and to the end, for who runs the tests with ``-s``."""
        status = self.jobs.find(name).status()
        first = Study.open(self.studies / name).trials()["finished"].min()
        assert status.ended is not None
        seconds = {
            "first_trial": (datetime.fromisoformat(str(first)) - status.submitted).total_seconds(),
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
    lab.submit("demo", trials=80)
    lab.computes("demo", 0)
    doors = {name: lab.hosts.inside(name, sys.executable, "-c", ASK_EVERY_PORT).stdout.split() for name in ("n1", "n2")}
    lab.walltime("demo")
    assert doors == {"n1": [], "n2": []}, "a port answers who has no token"
    status = lab.ended("demo")
    log = lab.log("demo")
    assert (status.state, status.exit_code) == (JobState.DONE, 0), log
    assert log.count("Ray is up on") == 2
    assert "Ray is up on 2 of 2 nodes" in log
    assert "run 2" in status.detail
    lab.assert_exact("demo", 80)
    lab.figures("demo", "walltime signal once, real training")
    packs = Study.open(lab.studies / "demo").trials()["pack"]
    assert packs.nunique() >= 40
    left = lab.hosts.inside("n2", "ls", str(lab.hosts.scratch)).stdout
    assert left == "", "nothing is left on the node's disk"


@pytest.mark.long
def test_submit_to_result_on_two_nodes(lab: Lab) -> None:
    lab.submit("plain", trials=8)
    assert lab.ended("plain").state is JobState.DONE, lab.log("plain")
    lab.assert_exact("plain", 8)
    lab.figures("plain", "submit to result")


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
        lab.submit(name, trials=12, seconds=2)
    for name in ("one", "two"):
        assert lab.ended(name).state is JobState.DONE, lab.log(name)
        lab.assert_exact(name, 12)
        lab.figures(name, f"two studies at once: {name}")
    nodes = [lab.runs(name)[0].split()[2] for name in ("one", "two")]
    assert nodes == ["n[1-2]", "n[1-2]"]


@pytest.mark.long
def test_cancel_and_go_on_by_a_new_submission(lab: Lab) -> None:
    lab.submit("stop", trials=24, seconds=3)
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
