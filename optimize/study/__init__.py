"""The study folder and its Optuna storage: create, open, propose, record."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from optimize.study.folder import StudyFolder, check_free
    from optimize.study.jobs import TrialJob
    from optimize.study.lease import Lease, StudyBusyError
    from optimize.study.ledger import Ledger
    from optimize.study.opening import open_storage, without_password
    from optimize.study.spec import NETWORK_TRAINER, Point, Resources, StudySpec
    from optimize.study.spool import Spool, TrialResult
    from optimize.study.storage import StorageConflictError, StudyExistsError, TakenOverError
    from optimize.study.study import Study, given_points
    from optimize.study.suggest import Suggester, trial_seed

_HOMES: Final = {
    "NETWORK_TRAINER": "optimize.study.spec",
    "Lease": "optimize.study.lease",
    "Ledger": "optimize.study.ledger",
    "Point": "optimize.study.spec",
    "Resources": "optimize.study.spec",
    "Spool": "optimize.study.spool",
    "StorageConflictError": "optimize.study.storage",
    "Study": "optimize.study.study",
    "StudyBusyError": "optimize.study.lease",
    "StudyExistsError": "optimize.study.storage",
    "StudyFolder": "optimize.study.folder",
    "StudySpec": "optimize.study.spec",
    "Suggester": "optimize.study.suggest",
    "TakenOverError": "optimize.study.storage",
    "TrialJob": "optimize.study.jobs",
    "TrialResult": "optimize.study.spool",
    "check_free": "optimize.study.folder",
    "given_points": "optimize.study.study",
    "open_storage": "optimize.study.opening",
    "trial_seed": "optimize.study.suggest",
    "without_password": "optimize.study.opening",
}

__all__ = [
    "NETWORK_TRAINER",
    "Lease",
    "Ledger",
    "Point",
    "Resources",
    "Spool",
    "StorageConflictError",
    "Study",
    "StudyBusyError",
    "StudyExistsError",
    "StudyFolder",
    "StudySpec",
    "Suggester",
    "TakenOverError",
    "TrialJob",
    "TrialResult",
    "check_free",
    "given_points",
    "open_storage",
    "trial_seed",
    "without_password",
]


def __getattr__(name: str) -> object:
    """Names are imported when they are first used: reading a specification should not load a database library."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
