"""A journal file survives torn tails and killed writers, and Optuna's own tools read what is written."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Timer

import optuna
import pytest
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from eiann.errors import UserError
from optimize.study.journal import JournalFile, LockLostError
from optimize.study.opening import open_storage
from optimize.study.storage import Ending, TrialStorage
from tests.optimize.study.test_storage import template


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "study.log"


@pytest.fixture
def storage(path: Path) -> Iterator[TrialStorage]:
    opened = open_storage(f"journal:{path}", "toy")
    opened.create_study(1)
    yield opened
    opened.close()


def numbers(path: Path) -> list[int]:
    return [trial.number for trial in open_storage(f"journal:{path}", "toy").trials()]


@pytest.mark.parametrize("tail", [b"{", b'{"op_code":4,"worker_id":"x', b"\0" * 5000, b"x" * 200_000, b'{"op_code":4}'])
def test_a_torn_tail_is_cut_off_before_anything_is_added(storage: TrialStorage, path: Path, tail: bytes) -> None:
    storage.create([template(0)])
    whole = path.read_bytes()
    path.write_bytes(whole + tail)
    assert numbers(path) == [0]
    path.write_bytes(whole + tail)
    storage.create([template(1)])
    assert path.read_bytes().startswith(whole + b'{"op_code"')
    assert numbers(path) == [0, 1]


@pytest.mark.parametrize("keep", [0, 1, 2, 3])
def test_of_a_torn_transaction_whole_lines_stay_and_can_be_gone_over(
    storage: TrialStorage, path: Path, keep: int
) -> None:
    (trial_id,) = storage.create([template(0)])
    before = path.read_bytes()
    ending = Ending(trial_id, TrialState.COMPLETE, (1.5,), {"result": {"a": 1}, "ended_as": 1})
    storage.end([ending])
    lines = path.read_bytes()[len(before) :].splitlines(keepends=True)
    path.write_bytes(before + b"".join(lines[:keep]) + lines[keep][:9] if keep < len(lines) else path.read_bytes())
    again = open_storage(f"journal:{path}", "toy")
    recorded = again.end([ending])
    assert recorded == [keep < len(lines)]
    (trial,) = again.trials()
    assert (trial.values, trial.user_attrs["result"]) == ([1.5], {"a": 1})


def test_a_pack_is_one_append(storage: TrialStorage, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    original = JournalFile._write
    monkeypatch.setattr(JournalFile, "_write", lambda self, lines: written.append(len(lines)) or original(self, lines))
    ids = storage.create([template(number) for number in range(5)], {"parents": [1]})
    storage.end([Ending(trial_id, TrialState.COMPLETE, (0.5,), {"result": 1}) for trial_id in ids])
    assert written == [6, 10]


def test_optuna_reads_and_continues_it(storage: TrialStorage, path: Path) -> None:
    ids = storage.create([template(0), template(1)])
    storage.end([Ending(ids[0], TrialState.COMPLETE, (0.5,))])
    study = optuna.load_study(study_name="toy", storage=JournalStorage(JournalFileBackend(str(path))))
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "RUNNING"]
    study.tell(1, 0.25)
    assert study.ask().number == 2
    assert [trial.state.name for trial in storage.trials()] == ["COMPLETE", "COMPLETE", "RUNNING"]
    storage.create([template(3)])


def test_what_is_no_operation_is_said_with_its_line(storage: TrialStorage, path: Path) -> None:
    path.write_bytes(path.read_bytes() + b'{"op_co{"op_code":4}\n')
    with pytest.raises(UserError, match="line 2 is no operation") as caught:
        numbers(path)
    assert "\n" not in str(caught.value)


def test_a_full_disk_leaves_the_file_as_it_was(
    storage: TrialStorage, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.create([template(0)])
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        storage.create([template(1)])
    monkeypatch.undo()
    assert path.read_bytes() == before
    storage.create([template(1)])
    assert numbers(path) == [0, 1]


def test_the_lock_of_a_killed_process_is_broken_at_once(storage: TrialStorage, path: Path) -> None:
    code = (
        "import os, signal; from pathlib import Path; from optimize.study.journal import JournalFile\n"
        f"with JournalFile(Path({str(path)!r})).transaction(): os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", code], check=False, timeout=240)
    assert killed.returncode == -signal.SIGKILL
    lock = path.with_name(path.name + ".lock")
    assert lock.exists()
    before = time.monotonic()
    storage.create([template(0)])
    assert time.monotonic() - before < 10
    assert not lock.exists()


def test_the_lock_of_a_living_process_is_waited_for(storage: TrialStorage, path: Path) -> None:
    lock = path.with_name(path.name + ".lock")
    lock.symlink_to(path)  # as Optuna's own backend holds it
    Timer(0.3, lock.unlink).start()
    before = time.monotonic()
    storage.create([template(0)])
    assert time.monotonic() - before > 0.25


def test_nothing_is_left_beside_the_file(storage: TrialStorage, path: Path) -> None:
    storage.create([template(0)])
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    assert all(json.loads(line) for line in path.read_text().splitlines())


def test_who_was_frozen_until_its_lock_was_broken_begins_anew(storage: TrialStorage, path: Path) -> None:
    """What it had prepared rests on a state that somebody else has changed meanwhile."""
    lock = path.with_name(path.name + ".lock")
    other = open_storage(f"journal:{path}", "toy")
    seen: list[int] = []

    def work(inner: BaseStorage) -> int:
        seen.append(len(inner.get_all_trials(storage.study_id)))
        made = inner.create_new_trial(storage.study_id, template(seen[-1]))
        if len(seen) == 1:
            lock.unlink()  # as somebody does who has waited for half a minute
            other.create([template(0)])
        return made

    storage._write(work)
    assert seen == [0, 1]
    assert numbers(path) == [0, 1]
    assert not lock.exists()


def test_a_lock_that_is_another_one_is_left_alone(path: Path) -> None:
    lock = path.with_name(path.name + ".lock")
    journal = JournalFile(path)
    before = path.read_bytes()

    def lose_it() -> None:
        with journal.transaction():
            journal.append_logs([{"op_code": 4}])
            lock.unlink()
            lock.write_text("somebody")

    with pytest.raises(LockLostError):
        lose_it()
    assert lock.read_text() == "somebody"
    assert path.read_bytes() == before
