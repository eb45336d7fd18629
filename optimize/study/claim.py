"""The name of a study in a storage outside its folder, claimed while the study is made.

Name and folder cannot come to be in one step. The name comes first and carries a claim: by whom, and for which folder.
It is settled when the folder stands. Death in between leaves a claim without folder; whoever wants the name next sees
that nobody stands behind it, and takes it over.
"""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from eiann.crash import crash_point
from eiann.errors import UserError
from optimize.study.folder import SPEC
from optimize.study.process import identity, is_gone
from optimize.study.storage import StudyExistsError, TakenOverError, TrialStorage

KEY: Final = "creating"
"""Study attribute: the claim; absent or null where the study is made."""
IDENTITY: Final = "eiann_study"
"""Study attribute: identity of the study that its folder belongs to."""
ABANDONED_S: Final = 60.0
"""A claim that is not settled for so long is abandoned. It decides how long others wait, not who is right: a claim that
was taken over cannot be settled any more."""
_LOOK_S: Final = 1.0


@contextmanager
def claimed(storage: TrialStorage, folder: Path, objectives: int, attributes: Mapping[str, Any]) -> Iterator[None]:
    """A study in the storage whose folder is made in the block; it is there with it, or gone after an error.

    Args:
        storage: opened for the name of the study.
        folder: that the study will have; it must not be there yet.
        objectives: of the study.
        attributes: of the study; its ``IDENTITY`` is one of them.

    Raises:
        StudyExistsError: the name is taken.
        UserError: another process took the name over, because this one was silent for too long.
    """
    claim = {
        "token": uuid4().hex,
        "host": socket.gethostname(),
        "process": os.getpid(),
        "identity": identity(os.getpid()),
        "folder": str(folder.absolute()),
        "since": time.time(),
    }
    if storage.exists():
        _take_over(storage, claim)
    storage.create_study(objectives, {**attributes, KEY: claim})
    try:
        yield
    except BaseException:
        _delete(storage, claim, claim)
        raise
    crash_point("claim.folder")
    if not storage.swap(KEY, claim, None):
        shutil.rmtree(folder, ignore_errors=True)
        raise UserError(f"{folder}: another process took over the name in the storage, since making it took too long")


def refusal(storage: TrialStorage) -> str | None:
    """Why the name that a storage was opened for cannot be had, or ``None``; nothing is changed."""
    return _refusal(storage) if storage.exists() else None


def settle(storage: TrialStorage) -> None:
    """Settle a claim whose folder stands, as this process sees: its maker died after the last but one step.

    Raises:
        UserError: another process took the name over at this moment.
    """
    claim = storage.attributes().get(KEY)
    if claim is not None and not storage.swap(KEY, claim, None):
        raise UserError("another process took over the name of this study in the storage at this moment")


def _take_over(storage: TrialStorage, claim: Mapping[str, Any]) -> None:
    """Free a name that nobody stands behind; of several that try, one succeeds."""
    if (reason := _refusal(storage)) is not None:
        raise StudyExistsError(reason)
    found = storage.attributes()[KEY]
    if not is_gone(found["identity"]):
        _watch(storage, found)
    _delete(storage, found, claim)


def _watch(storage: TrialStorage, found: Mapping[str, Any]) -> None:
    """Wait until nobody stands behind a claim, or it is another: then deleting or creating the study will say so.

    The clock of a maker on another machine may differ from ours, so that it seems to be silent when it has just begun.
    """
    deadline = time.monotonic() + ABANDONED_S
    while (left := deadline - time.monotonic()) > 0:
        time.sleep(min(_LOOK_S, left))
        try:
            if storage.attributes().get(KEY) != found:
                return
        except KeyError:  # the study was deleted
            return


def _delete(storage: TrialStorage, found: Mapping[str, Any], claim: Mapping[str, Any]) -> None:
    """Delete the study if it has the claim that was found, and as long as nobody takes it from us in turn."""
    mine = {**claim, "token": uuid4().hex}
    if not storage.swap(KEY, found, mine):
        return
    crash_point("claim.taken")
    storage.guard(KEY, mine["token"])
    try:
        with suppress(TakenOverError):
            storage.delete_study()
    finally:
        storage.guard(KEY, None)


def _refusal(storage: TrialStorage) -> str | None:
    name, attributes = storage.name, storage.attributes()
    claim = attributes.get(KEY)
    if not isinstance(claim, dict) or storage.trials():
        return f"found {name!r}, a study that the storage has already; choose another --name"
    folder = Path(claim["folder"])
    with suppress(OSError):
        if str(attributes.get(IDENTITY)) in (folder / SPEC).read_text(encoding="utf-8"):
            return f"found {name!r}, a study that the storage has already; go on with it: eiann resume {folder}"
    silent = time.time() - claim["since"]
    # From the future beyond that, the clock that it was written by is wrong.
    if is_gone(claim["identity"]) or abs(silent) > ABANDONED_S:
        return None
    return (
        f"found {name!r}, which process {claim['process']} on {claim['host']} began to make {max(0.0, silent):.0f} s "
        f"ago in {folder.parent}; choose another --name, or try again when that was {ABANDONED_S:.0f} s ago"
    )
