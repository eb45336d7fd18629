"""The study folder and its Optuna storage: create, open, propose, record."""

from optimize.study.folder import StudyFolder, check_free
from optimize.study.lease import Lease, StudyBusyError
from optimize.study.ledger import Ledger, TrialJob
from optimize.study.spec import NETWORK_TRAINER, Point, Resources, StudySpec
from optimize.study.spool import Spool, TrialResult
from optimize.study.storage import StorageConflictError, StudyExistsError, open_storage, without_password
from optimize.study.study import Study, given_points
from optimize.study.suggest import Suggester, trial_seed

__all__ = [
    "NETWORK_TRAINER",
    "Ledger",
    "Lease",
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
    "TrialJob",
    "TrialResult",
    "check_free",
    "given_points",
    "open_storage",
    "trial_seed",
    "without_password",
]
