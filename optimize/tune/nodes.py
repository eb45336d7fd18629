"""Results on the machines of a cluster that do not see the study's folder: kept there, fetched when a driver starts.

A worker makes a result durable before it reports it, without a shared disk in a folder of its own machine. If the
driver dies before the report arrives, the result lies there. The next driver on that cluster asks every machine for
what it has, before it decides which trials are computed again.
"""

from __future__ import annotations

import logging
import os
import stat
import tempfile
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from eiann.errors import UserError
from optimize.study import Spool, TrialResult
from optimize.study.folder import SPEC

log = logging.getLogger(__name__)

FOLDER_VARIABLE: Final = "EIANN_SPOOL"
"""Environment variable: where a machine keeps results, if not in the system's folder for temporary files."""
_TIMEOUT_S: Final = 60.0


def spool_for(results: str, study_id: str) -> Spool:
    """Where a worker keeps its results: in the study's folder if it is seen from here, otherwise on this machine.

    Raises:
        UserError: this machine's folder is not this user's alone.
    """
    folder = Path(results)
    if not _is_of_study(folder, study_id):
        folder = local_folder(study_id)
        _make_own(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
    return Spool(folder)


def local_folder(study_id: str) -> Path:
    """This machine's folder for results of a study."""
    base = os.environ.get(FOLDER_VARIABLE) or tempfile.gettempdir()
    return Path(base) / f"eiann-spool-{os.getuid()}" / study_id


def take(study_id: str, known: Collection[str]) -> list[str]:
    """Results that this machine has, as JSON; files of these names are known elsewhere, and removed here."""
    spool = Spool(local_folder(study_id))
    texts: list[str] = []
    if not spool.folder.parent.exists():
        return texts
    if not _is_own(spool.folder.parent):
        log.warning("%s is not this user's alone; results in it are not taken", spool.folder.parent)
        return texts
    for path in sorted(spool.folder.glob("*.json")):
        if path.name in known:
            path.unlink(missing_ok=True)
        elif (result := spool.load(path)) is not None:
            texts.append(result.model_dump_json(exclude_none=True))
    if not texts:
        with suppress(OSError):  # It may be absent, or a worker may just be writing.
            spool.folder.rmdir()
    return texts


def collect(study_id: str, spool: Spool) -> int:
    """Fetch what the machines of the connected cluster have of a study, and make it durable here.

    A machine that does not answer in time is not waited for: what it has is computed again.

    Returns:
        how many results came.
    """
    known = sorted(path.name for path in spool.folder.glob("*.json"))
    texts = [*take(study_id, known), *_from_others(study_id, known)]
    results = [TrialResult.model_validate_json(text) for text in texts]
    spool.write(results)
    if results:
        log.info("fetched %d results from the machines of the cluster", len(results))
    return len(results)


def _from_others(study_id: str, known: Collection[str]) -> Iterable[str]:
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    alive = [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    here = ray.get_runtime_context().get_node_id()
    others = [node["NodeID"] for node in alive if node["NodeID"] != here]
    if not others:
        return []
    remote = ray.remote(num_cpus=0, max_retries=0)(take)
    asked = [
        remote.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote(study_id, known)
        for node in others
    ]
    ready, late = ray.wait(asked, num_returns=len(asked), timeout=_TIMEOUT_S)
    answers: list[str] = []
    for answer in ready:
        try:
            answers += ray.get(answer)
        except ray.exceptions.RayError as error:
            log.warning("a machine of the cluster could not be asked for results: %s", _first_line(error))
    for answer in late:
        ray.cancel(answer, force=True)
        log.warning("a machine of the cluster was asked for results and did not answer within %.0f s", _TIMEOUT_S)
    return answers


def _make_own(folder: Path) -> None:
    """Make a folder of a name that others can guess, among everybody's temporary files; it is this user's alone.

    Raises:
        UserError: somebody else has it, who could read results or put some there.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    if not _is_own(folder):
        raise UserError(
            f"{folder} is not a folder of this user's alone, and results shall lie there; "
            f"remove it, or name another place in {FOLDER_VARIABLE}"
        )


def _is_own(folder: Path) -> bool:
    """Whether it is this user's and nobody else could have put anything there; now they do not even see it."""
    try:
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        found = os.fstat(opened)
        if found.st_uid != os.getuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            return False
        if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):  # as older versions made it
            os.fchmod(opened, 0o700)
        return True
    finally:
        os.close(opened)


def _is_of_study(folder: Path, study_id: str) -> bool:
    """A folder of this name may be another one than the driver's."""
    try:
        return folder.is_dir() and study_id in (folder.parent / SPEC).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False


def _first_line(error: Any) -> str:
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__
