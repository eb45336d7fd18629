"""Jobs of several kinds in one folder: each is asked for where it was sent, all by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from cluster import ClusterError, HereProfile, HereRunner, Job, Jobs, JobSpec, JobState, Profile, kinds


class SilentProfile(Profile):
    kind: Literal["silent"] = "silent"
    host: str

    @property
    def site(self) -> str:
        return f"silent {self.host}"


class SilentRunner(HereRunner):
    """Takes jobs, and then does not answer."""

    def __init__(self, profile: SilentProfile, folder: Path) -> None:
        super().__init__(HereProfile(), folder)
        self.profile = profile

    def submit(self, spec: JobSpec) -> Job:
        with self._records.claim(spec, self.profile):
            return Job(spec.name, self)

    def jobs(self):
        raise ClusterError(f"{self.profile.host} does not answer")


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Jobs]:
    monkeypatch.setitem(kinds.KINDS, "silent", kinds.Kind(SilentProfile, SilentRunner))
    jobs = Jobs(tmp_path / "jobs")
    yield jobs
    for status in jobs.all():
        if status.state is not JobState.UNKNOWN:
            jobs.find(status.name).cancel()


def test_each_job_is_known_by_the_profile_it_was_submitted_with(jobs: Jobs) -> None:
    jobs.submit(HereProfile(environment={"COLOUR": "red"}), JobSpec(name="red", command=("true",)))
    jobs.submit(HereProfile(grace_seconds=1), JobSpec(name="quick", command=("sh", "-c", "exec sleep 60")))
    jobs.submit(SilentProfile(host="far"), JobSpec(name="far", command=("true",)))
    found = {name: jobs.find(name).runner for name in ("red", "quick", "far")}
    assert [runner.profile for runner in found.values()] == [
        HereProfile(environment={"COLOUR": "red"}),
        HereProfile(grace_seconds=1),
        SilentProfile(host="far"),
    ]
    assert jobs.find("quick").cancel().state is JobState.CANCELLED


def test_a_scheduler_that_does_not_answer_hides_no_job_of_others(jobs: Jobs) -> None:
    jobs.submit(SilentProfile(host="far"), JobSpec(name="far", command=("true",)))
    jobs.submit(HereProfile(), JobSpec(name="near", command=("true",)))
    list(jobs.find("near").logs(follow=True))
    assert [(status.name, status.state, status.detail) for status in jobs.all()] == [
        ("far", JobState.UNKNOWN, "far does not answer"),
        ("near", JobState.DONE, ""),
    ]


def test_a_name_is_given_once_over_all_kinds(jobs: Jobs) -> None:
    jobs.submit(SilentProfile(host="far"), JobSpec(name="demo", command=("true",)))
    with pytest.raises(ClusterError, match="a job of that name is on record"):
        jobs.submit(HereProfile(), JobSpec(name="demo", command=("true",)))
    assert jobs.find("demo").runner.profile == SilentProfile(host="far")


def test_only_the_user_may_look_into_the_folder_of_a_job(jobs: Jobs) -> None:
    jobs.submit(SilentProfile(host="far"), JobSpec(name="demo", command=("true",)))
    assert (jobs.folder / "demo").stat().st_mode & 0o777 == 0o700


def test_an_unknown_name_is_answered_with_the_known_ones(jobs: Jobs) -> None:
    jobs.submit(SilentProfile(host="far"), JobSpec(name="demo", command=("true",)))
    with pytest.raises(ClusterError, match=r"^other: no such job in .*; known: demo$"):
        jobs.find("other")
