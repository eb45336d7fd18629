"""Two drivers on one study are refused, and a driver that is gone does not stand in the way."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from optimize.study import Lease, StudyBusyError
from optimize.study import lease as leases
from optimize.study.lease import KEY, holder
from optimize.study.opening import open_storage
from optimize.study.process import identity
from optimize.study.storage import TrialStorage


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[TrialStorage]:
    opened = open_storage(f"sqlite:///{tmp_path}/study.db", "toy")
    opened.create_study(1)
    yield opened
    opened.close()


def foreign(renewed: float, **changes: Any) -> dict[str, Any]:
    return {"token": "x", "host": "elsewhere", "folder": "/a", "process": 7, "renewed": renewed} | changes


def test_the_second_is_refused_until_the_first_is_done(storage: TrialStorage, tmp_path: Path) -> None:
    with Lease(storage, tmp_path):
        assert holder(storage) is not None
        with pytest.raises(StudyBusyError, match="being run by process"), Lease(storage, tmp_path):
            pass
    assert holder(storage) is None
    with Lease(storage, tmp_path):
        pass


def test_a_living_driver_elsewhere_is_respected(storage: TrialStorage, tmp_path: Path) -> None:
    storage.set_attribute(KEY, foreign(time.time()))
    with pytest.raises(StudyBusyError, match="elsewhere"), Lease(storage, tmp_path):
        pass
    assert storage.attributes()[KEY]["token"] == "x"


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> float:
    """Seconds that a driver must be silent for."""
    monkeypatch.setattr(leases, "STALE_S", 0.6)
    return 0.6


@pytest.mark.parametrize("skew", [-3600.0, 3600.0])
def test_a_silent_driver_elsewhere_is_replaced_whatever_its_clock_says(
    storage: TrialStorage, tmp_path: Path, short: float, skew: float
) -> None:
    storage.set_attribute(KEY, foreign(time.time() + skew))
    begun = time.monotonic()
    with Lease(storage, tmp_path):
        assert time.monotonic() - begun >= short
        assert storage.attributes()[KEY]["token"] != "x"


@pytest.mark.parametrize("skew", [-3600.0, 3600.0])
def test_a_living_driver_with_a_wrong_clock_is_respected(storage: TrialStorage, tmp_path: Path, skew: float) -> None:
    storage.set_attribute(KEY, foreign(time.time() + skew))
    beat = threading.Timer(0.2, lambda: storage.set_attribute(KEY, foreign(time.time() + skew)))
    beat.start()
    try:
        with pytest.raises(StudyBusyError, match="elsewhere"), Lease(storage, tmp_path):
            pass
    finally:
        beat.join()
    assert storage.attributes()[KEY]["token"] == "x"


def test_a_driver_that_ends_while_it_is_watched_makes_room(storage: TrialStorage, tmp_path: Path) -> None:
    storage.set_attribute(KEY, foreign(time.time() - 3600))
    end = threading.Timer(0.2, lambda: storage.set_attribute(KEY, None))
    end.start()
    with Lease(storage, tmp_path):
        end.join()
        assert storage.attributes()[KEY]["token"] != "x"


@pytest.fixture(params=[errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def no_locks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(request.param, os.strerror(request.param))

    monkeypatch.setattr(fcntl, "flock", refuse)


@pytest.mark.usefixtures("no_locks")
def test_where_files_cannot_be_locked_the_storage_alone_keeps_drivers_apart(
    storage: TrialStorage, tmp_path: Path
) -> None:
    with Lease(storage, tmp_path):
        record = storage.attributes()[KEY]
        with pytest.raises(StudyBusyError, match=f"process {os.getpid()}"), Lease(storage, tmp_path):
            pass
        assert storage.attributes()[KEY] == record
    with Lease(storage, tmp_path):
        pass


def test_the_lock_says_nothing_of_a_driver_that_did_without(
    storage: TrialStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", mock.Mock(side_effect=OSError(errno.ENOLCK, "No locks available")))
        first = Lease(storage, tmp_path).__enter__()
    with pytest.raises(StudyBusyError, match=f"process {os.getpid()}"), Lease(storage, tmp_path):
        pass
    first.__exit__(None, None, None)


def test_another_error_of_the_lock_is_not_hidden(
    storage: TrialStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fcntl, "flock", mock.Mock(side_effect=OSError(errno.EIO, "Input/output error")))
    with pytest.raises(OSError, match="Input/output error"), Lease(storage, tmp_path):
        pass


@pytest.mark.usefixtures("no_locks")
def test_without_locks_a_driver_that_was_killed_here_is_replaced_at_once(storage: TrialStorage, tmp_path: Path) -> None:
    with Lease(storage, tmp_path):
        record = storage.attributes()[KEY]
    with subprocess.Popen(["sleep", "60"]) as process:
        ended = identity(process.pid)
        process.kill()
    storage.set_attribute(KEY, record | {"identity": ended})
    with Lease(storage, tmp_path):
        assert storage.attributes()[KEY]["token"] != record["token"]


def test_a_driver_of_this_folder_that_was_killed_is_replaced_at_once(storage: TrialStorage, tmp_path: Path) -> None:
    with Lease(storage, tmp_path):
        record = storage.attributes()[KEY]
    storage.set_attribute(KEY, record)  # as if it had been killed: the record is fresh, the file lock is gone
    with Lease(storage, tmp_path):
        assert storage.attributes()[KEY]["token"] != record["token"]


def test_heartbeats_renew_it_and_a_takeover_is_noticed(storage: TrialStorage, tmp_path: Path) -> None:
    with Lease(storage, tmp_path, heartbeat=0.02) as lease:
        first = storage.attributes()[KEY]["renewed"]
        _until(lambda: storage.attributes()[KEY]["renewed"] > first)
        assert not lease.lost
        storage.set_attribute(KEY, foreign(time.time()))
        _until(lambda: lease.lost)
    assert storage.attributes()[KEY]["token"] == "x", "the new holder's record is left alone"


def _until(condition: Any) -> None:
    limit = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.01)
