"""A job's name is taken with its record or not at all, by one of many, and a death on the way costs nobody the name."""

from __future__ import annotations

import os
import shutil
import threading
import time
from pathlib import Path

import pytest

from cluster import ClusterError, HereProfile, JobSpec
from cluster import records as module
from cluster.records import Records

SPEC = JobSpec(name="demo", command=("true",))
LONG_AGO = time.time() - 3600


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(tmp_path / "jobs")


def claim(records: Records) -> None:
    with records.claim(SPEC, HereProfile()):
        pass


def half_made(records: Records, age: float) -> Path:
    """A folder as a submitter left it that was killed between making it and writing the record."""
    folder = records.folder / "demo"
    (folder / "run-0").mkdir(parents=True)
    (folder / "profile.json").write_text("{}")
    (folder / "run-0" / "token").write_text("x")
    os.utime(folder, (age, age))
    return folder


@pytest.mark.parametrize("file", ["profile.json", "job.json"])
def test_a_submitter_that_is_killed_leaves_the_name_free(
    records: Records, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = module.write_atomic
    if (child := os.fork()) == 0:
        monkeypatch.setattr(module, "write_atomic", lambda path, text: os._exit(9) if path.name == file else None)
        claim(records)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert module.write_atomic is write
    assert records.names() == []
    claim(records)
    assert records.names() == ["demo"]


def test_what_was_left_of_a_name_is_taken_over_after_a_minute(records: Records) -> None:
    half_made(records, LONG_AGO)
    claim(records)
    assert records.names() == ["demo"]
    assert sorted(path.name for path in (records.folder / "demo").iterdir()) == ["job.json", "profile.json"]


def test_what_may_just_be_made_or_removed_is_left_alone(records: Records) -> None:
    folder = half_made(records, time.time())
    with pytest.raises(ClusterError, match=r"^demo: a job of that name was being made or removed") as caught:
        claim(records)
    assert "\n" not in str(caught.value)
    assert sorted(path.name for path in folder.iterdir()) == ["profile.json", "run-0"]
    assert list(records.folder.iterdir()) == [folder]


def test_a_record_is_left_alone_however_old_it_is(records: Records) -> None:
    claim(records)
    os.utime(records.folder / "demo", (LONG_AGO, LONG_AGO))
    with pytest.raises(ClusterError, match=r"^demo: a job of that name is on record in .*; choose another name$"):
        claim(records)
    assert records.names() == ["demo"]


def test_one_of_many_gets_a_name_that_was_left(records: Records) -> None:
    half_made(records, LONG_AGO)
    ready, got = threading.Barrier(8), []

    def attempt() -> None:
        ready.wait()
        try:
            with records.claim(SPEC, HereProfile()) as folder:
                got.append(folder)
        except ClusterError:
            return

    threads = [threading.Thread(target=attempt) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == [records.folder / "demo"]
    assert list(records.folder.iterdir()) == got
    assert records.submission("demo").command == ("true",)


def test_a_removal_that_is_cut_off_frees_the_name_all_the_same(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim(records)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", lambda *_: None)
        records.remove("demo")
    assert records.names() == []
    (left,) = records.folder.iterdir()
    os.utime(left, (LONG_AGO, LONG_AGO))
    claim(records)
    assert [path.name for path in records.folder.iterdir()] == ["demo"]


def test_an_error_leaves_nothing(records: Records) -> None:
    with pytest.raises(OSError, match="disk"), records.claim(SPEC, HereProfile()):
        raise OSError("disk is full")
    assert list(records.folder.iterdir()) == []


def test_a_place_where_nothing_can_be_kept_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ClusterError, match=r"^\S+/file: cannot keep jobs there: "):
        claim(Records(tmp_path / "file"))
