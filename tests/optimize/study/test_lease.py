"""Two drivers on one study are refused, and a driver that is gone does not stand in the way."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from optimize.study import Lease, StudyBusyError
from optimize.study.lease import KEY, STALE_S, holder
from optimize.study.opening import open_storage
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


def test_a_silent_driver_elsewhere_is_replaced(storage: TrialStorage, tmp_path: Path) -> None:
    storage.set_attribute(KEY, foreign(time.time() - STALE_S - 1))
    with Lease(storage, tmp_path):
        assert storage.attributes()[KEY]["token"] != "x"


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
