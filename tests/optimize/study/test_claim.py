"""A name in a storage is never left taken by a study that was not made to its end, nor taken from one that was."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from eiann.errors import UserError
from optimize.space import SearchSpace
from optimize.study import Study, StudyExistsError
from optimize.study import claim as claims
from optimize.study.claim import IDENTITY, KEY, claimed
from optimize.study.opening import check_storage, open_storage
from optimize.study.storage import TrialStorage
from optimize.tune.inline import run_inline
from tests.faults import child
from tests.optimize.conftest import STUB, toy_document
from tests.optimize.postgres import PostgresServer
from tests.optimize.study.test_storage import template


@pytest.fixture(params=["sqlite", "journal", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    match request.param:
        case "sqlite":
            return f"sqlite:///{tmp_path}/shared.db"
        case "journal":
            return f"journal:{tmp_path}/shared.log"
        case _:
            server: PostgresServer = request.getfixturevalue("postgres")
            return server.create(f"d{uuid4().hex}")


def create(url: str, folder: Path, name: str, crash_at: str | None = None) -> int | None:
    """Make a study in a process that dies there; its exit code."""
    settings = {"name": name, "trials": 4, "trainer": STUB, "storage": url}
    process = child.start(child.create, folder / "log.txt", str(folder / "studies"), toy_document(), settings,
                          crash_at=crash_at)  # fmt: skip
    process.join(120)
    return process.exitcode


def made(url: str, folder: Path, name: str = "toy") -> Study:
    return Study.create(
        SearchSpace.from_dict(toy_document()), name=name, studies=folder, trials=4, trainer=STUB, storage=url
    )


@contextmanager
def opened(url: str, name: str = "toy") -> Iterator[TrialStorage]:
    with closing(open_storage(url, name)) as storage:
        yield storage


@pytest.mark.parametrize("step", [4, pytest.param(1, marks=pytest.mark.long)])
def test_death_anywhere_leaves_a_whole_study_or_a_name_that_can_be_had(url: str, tmp_path: Path, step: int) -> None:
    """The short form: a journal, where it costs little, at every write, and a database at some of them."""
    step = 1 if url.startswith("journal") else step
    point, whole = 1 if step == 1 else step, []
    while code := create(url, tmp_path, f"toy-{point}", str(point)):
        assert code == -signal.SIGKILL, (tmp_path / "log.txt").read_text()
        path = tmp_path / "studies" / f"toy-{point}"
        whole.append(path.exists())
        if whole[-1]:
            with pytest.raises(StudyExistsError, match=f"'toy-{point}'"):
                made(url, tmp_path / "other", path.name)
            study = Study.open(path)
        else:
            check_storage(url, path.name)
            study = made(url, path.parent, path.name)
        with study.driven():
            assert study.storage.attributes()[KEY] is None
        assert study.budget == 4
        study.close()
        with pytest.raises(StudyExistsError, match="another --name"):
            check_storage(url, path.name)
        point += step
    assert whole == sorted(whole)
    assert whole.count(False) >= 5 // step, "file, row and folder"
    assert whole.count(True) >= 3 // step, "the claim is settled last"


def test_death_while_a_name_is_taken_over_leaves_it_to_the_next(url: str, tmp_path: Path) -> None:
    for point in ("study.filled", "claim.taken"):
        assert create(url, tmp_path, "toy", point) == -signal.SIGKILL
    study = made(url, tmp_path / "studies")
    run_inline(study)
    assert len(study.trials()) == 4
    study.close()


def torn(url: str, folder: Path, **changes: Any) -> None:
    """A study that was begun by somebody else and has no folder."""
    record = {"token": "x", "host": "elsewhere", "process": 7, "identity": "elsewhere boot 1 7 1",
              "folder": str(folder / "toy"), "since": time.time()}  # fmt: skip
    with opened(url) as storage:
        storage.create_study(1, {IDENTITY: "f" * 32, KEY: record | changes})


def test_somebody_who_may_be_alive_is_respected(url: str, tmp_path: Path) -> None:
    torn(url, tmp_path)
    for attempt in (lambda: made(url, tmp_path / "studies"), lambda: check_storage(url, "toy")):
        with pytest.raises(StudyExistsError, match=r"process 7 on elsewhere began .* try again when") as caught:
            attempt()
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "studies").exists()


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> float:
    """Seconds that a maker must be silent for."""
    monkeypatch.setattr(claims, "ABANDONED_S", 0.6)
    return 0.6


@pytest.mark.parametrize("skew", [-3600.0, 3600.0])
def test_somebody_elsewhere_who_was_silent_for_long_is_not(url: str, tmp_path: Path, short: float, skew: float) -> None:
    torn(url, tmp_path, since=time.time() + skew)
    check_storage(url, "toy")
    begun = time.monotonic()
    study = made(url, tmp_path / "studies")
    assert time.monotonic() - begun >= short
    assert len(study.storage.attributes()["objectives"]) == 2, "nothing of the torn one is left"
    study.close()


def test_somebody_whose_clock_is_wrong_can_make_the_study_to_its_end(url: str, tmp_path: Path) -> None:
    torn(url, tmp_path, since=time.time() - 3600)

    def settle() -> None:
        with opened(url) as storage:
            assert storage.swap(KEY, storage.attributes()[KEY], None)

    other = threading.Timer(0.2, settle)
    other.start()
    try:
        with pytest.raises(StudyExistsError, match="another --name"):
            made(url, tmp_path / "studies")
    finally:
        other.join()
    with opened(url) as storage:
        assert storage.attributes() == {IDENTITY: "f" * 32, KEY: None}


def test_a_name_that_is_given_up_while_it_is_watched_can_be_had(url: str, tmp_path: Path) -> None:
    torn(url, tmp_path, since=time.time() - 3600)

    def give_up() -> None:
        with opened(url) as storage:
            storage.delete_study()

    other = threading.Timer(0.2, give_up)
    other.start()
    study = made(url, tmp_path / "studies")
    other.join()
    assert len(study.storage.attributes()["objectives"]) == 2
    study.close()


def test_a_study_with_trials_or_with_its_folder_is_nobodys_to_take(url: str, tmp_path: Path) -> None:
    torn(url, tmp_path, since=0.0)
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "spec.yaml").write_text(f"study_id: {'f' * 32}\n")
    with pytest.raises(StudyExistsError, match=f"go on with it: eiann resume {tmp_path}/toy"):
        made(url, tmp_path / "studies")
    (tmp_path / "toy" / "spec.yaml").unlink()
    with opened(url) as storage:
        storage.create([template(0)])
    with pytest.raises(StudyExistsError, match="another --name"):
        made(url, tmp_path / "studies")
    with opened(url) as storage:
        assert len(storage.trials()) == 1


def test_who_wakes_up_too_late_leaves_the_new_study_alone(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "late" / "toy"
    with opened(url) as storage:
        late = claimed(storage, folder, 2, {IDENTITY: "e" * 32})
        late.__enter__()
        folder.mkdir(parents=True)
        monkeypatch.setattr(claims, "ABANDONED_S", -1.0)
        study = made(url, tmp_path / "studies")
        with pytest.raises(UserError, match="another process took over"):
            late.__exit__(None, None, None)
        assert not folder.exists()
    run_inline(study)
    assert len(study.trials()) == 4
    study.close()


def test_an_error_while_the_folder_is_made_frees_the_name(url: str, tmp_path: Path) -> None:
    with opened(url) as storage:
        with pytest.raises(OSError, match="disk"), claimed(storage, tmp_path / "toy", 1, {IDENTITY: "e" * 32}):
            raise OSError("disk is full")
        assert not storage.exists()
