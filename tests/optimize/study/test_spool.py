"""A result is there whole or not at all, and is never changed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from optimize.objective import InstanceOutcome
from optimize.study import Spool, TrialResult


def result(number: int = 3, attempt: int = 1, loss: float = 0.1 + 0.2) -> TrialResult:
    return TrialResult(
        study_id="s",
        number=number,
        attempt=attempt,
        params={"rate": 1 / 3, "size": 4, "rule": "x"},
        instances=(InstanceOutcome(1, 2, {"loss": loss}), InstanceOutcome(3, 4, {}, "diverged")),
        features={"loss": loss},
        objectives=(loss,),
        started=datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC),
    )


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path)


def test_what_is_read_is_what_was_written_to_the_last_bit(spool: Spool) -> None:
    spool.write([result()])
    assert spool.read(3) == result()
    assert spool.read(30) is None


def test_a_result_is_never_overwritten(spool: Spool) -> None:
    spool.write([result(loss=1.0)])
    spool.write([result(loss=2.0)])
    assert spool.read(3) == result(loss=1.0)


def test_attempts_stand_beside_each_other_and_the_first_counts(spool: Spool) -> None:
    spool.write([result(attempt=10, loss=10.0), result(attempt=2, loss=2.0)])
    assert spool.read(3) == result(attempt=2, loss=2.0)


@pytest.mark.parametrize("cut", [0, 1, 50, -1])
def test_a_torn_file_is_as_good_as_absent(spool: Spool, cut: int) -> None:
    spool.write([result(attempt=1), result(attempt=2, loss=2.0)])
    torn = spool.path(3, 1)
    torn.write_bytes(torn.read_bytes()[:cut])
    assert spool.read(3) == result(attempt=2, loss=2.0)


def test_what_an_interrupted_write_left_is_removed(spool: Spool) -> None:
    left = spool.folder / ".000003.1.json.abcd.tmp"
    left.write_text("{")
    spool.write([result()])
    spool.clean()
    assert [path.name for path in spool.folder.iterdir()] == ["000003.1.json"]


def test_a_failed_write_leaves_nothing(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        spool.write([result()])
    assert list(spool.folder.iterdir()) == []


def test_numbers_that_are_not_finite_have_no_place_in_a_result() -> None:
    with pytest.raises(ValidationError):
        TrialResult(study_id="s", number=0, params={}, objectives=(float("nan"),))
