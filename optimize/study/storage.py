"""The Optuna storage of a study, the only truth about its trials: what every kind of storage promises."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import sqlalchemy
from optuna.exceptions import DuplicatedStudyError, UpdateFinishedTrialError
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from eiann.errors import UserError

Answer = TypeVar("Answer")


class StudyExistsError(UserError):
    """The storage has a study of that name."""


class StorageConflictError(UserError):
    """Somebody else wrote to this study."""


class TakenOverError(UserError):
    """Another driver holds the lease of this study; nothing was written."""


@dataclass(frozen=True)
class Ending:
    """How a trial ends: written once, to a trial that has not ended.

    Attributes:
        trial_id: in the storage.
        state: COMPLETE, FAIL or PRUNED.
        values: objectives, where it is complete.
        user_attrs, system_attrs: written with it.
    """

    trial_id: int
    state: TrialState
    values: tuple[float, ...] | None = None
    user_attrs: Mapping[str, Any] = field(default_factory=dict)
    system_attrs: Mapping[str, Any] = field(default_factory=dict)


class TrialStorage:
    """One study in an Optuna storage, through Optuna's public interface.

    The contract that every kind of storage is held to:

    * ``create_study``, ``create`` and ``end`` are durable when they return, and each is one transaction;
    * a trial whose ``create`` was interrupted is absent or has no complete set of parameters;
    * ``end`` is recorded at most once for a trial and says whether it was this time;
    * ``swap`` changes a study attribute only from the expected value, whoever else tries at the same moment;
    * once guarded, a write is refused as soon as the attribute it is guarded by has another token, however late the
      writer wakes up.

    Kinds of storage differ in how they come to an answer: see ``_read`` and ``_write``.
    """

    def __init__(self, storage: BaseStorage | None, study_name: str) -> None:
        self._given = storage
        self._name = study_name
        self._study_id: int | None = None
        self._guard: tuple[str, str] | None = None

    # ---------------------------------------------------------------------------------------------------- the study

    @property
    def name(self) -> str:
        """Name of the study."""
        return self._name

    @property
    def study_id(self) -> int:
        """Identity of the study within its storage.

        Raises:
            UserError: the storage has no such study.
        """
        if self._study_id is None:
            try:
                self._study_id = self._find_study()
            except KeyError as error:
                raise UserError(f"the storage has no study named {self._name!r}") from error
        return self._study_id

    def exists(self) -> bool:
        """Whether the storage has the study."""
        studies = self._read(lambda storage: storage.get_all_studies())
        return self._name in {study.study_name for study in studies}

    def create_study(self, objectives: int, attributes: Mapping[str, Any] | None = None) -> None:
        """Create the study with its first attributes; every objective is minimized.

        Raises:
            StudyExistsError: there is one of that name.
        """
        directions = [StudyDirection.MINIMIZE] * objectives

        def created(storage: BaseStorage) -> int:
            study_id = storage.create_new_study(directions, self._name)
            for key, value in (attributes or {}).items():
                storage.set_study_user_attr(study_id, key, value)
            return study_id

        try:
            self._study_id = self._write(created)
        except DuplicatedStudyError as error:
            raise self._taken() from error

    def delete_study(self) -> None:
        """Remove the study and its trials, in one transaction."""
        study_id = self.study_id
        self._write(lambda storage: storage.delete_study(study_id))
        self._study_id = None

    def attributes(self) -> dict[str, Any]:
        """Attributes of the study as its users see them."""
        study_id = self.study_id
        return self._read(lambda storage: storage.get_study_user_attrs(study_id))

    def set_attribute(self, key: str, value: object) -> None:
        """Write an attribute of the study."""
        study_id = self.study_id
        self._write(lambda storage: storage.set_study_user_attr(study_id, key, value))

    def swap(self, key: str, expected: object, value: object) -> bool:
        """Write an attribute if it has the expected value (``None``: is absent or null), and say whether it had.

        A study that was deleted has none.
        """
        study_id = self.study_id

        def swapped(storage: BaseStorage) -> bool:
            try:
                found = storage.get_study_user_attrs(study_id)
            except KeyError:
                return False
            if found.get(key) != expected:
                return False
            storage.set_study_user_attr(study_id, key, value)
            return True

        return self._write(swapped, guarded=False)

    def guard(self, key: str, token: str | None) -> None:
        """Refuse writes from now on unless the study attribute ``key`` is a mapping with this ``token``.

        ``None`` lifts it again.
        """
        self._guard = None if token is None else (key, token)

    def system_attributes(self) -> dict[str, Any]:
        """Attributes of the study that belong to samplers."""
        study_id = self.study_id
        return self._read(lambda storage: storage.get_study_system_attrs(study_id))

    # ---------------------------------------------------------------------------------------------------- its trials

    def trials(self) -> list[FrozenTrial]:
        """All trials, ordered by number."""
        study_id = self.study_id
        trials = self._read(lambda storage: storage.get_all_trials(study_id, deepcopy=False))
        return sorted(trials, key=lambda trial: trial.number)

    def create(
        self, templates: Sequence[FrozenTrial], study_system_attrs: Mapping[str, Any] | None = None
    ) -> list[int]:
        """Add trials with all that the templates hold, and return their ids.

        Args:
            templates: the trials.
            study_system_attrs: what a sampler wrote about the study when it proposed them; written with them.

        Raises:
            StorageConflictError: a trial got another number than its template has; then somebody else adds trials.
        """
        study_id = self.study_id

        def created(storage: BaseStorage) -> list[int]:
            for key, value in (study_system_attrs or {}).items():
                storage.set_study_system_attr(study_id, key, value)
            ids = []
            for template in templates:
                trial_id = storage.create_new_trial(study_id, template)
                self._check_number(storage.get_trial_number_from_id(trial_id), template)
                ids.append(trial_id)
            return ids

        return self._write(created)

    def end(self, endings: Sequence[Ending]) -> list[bool]:
        """End trials; for each, whether it was recorded now. A trial that has ended before is left as it is."""

        def ended(storage: BaseStorage, ending: Ending) -> bool:
            try:
                for key, value in ending.user_attrs.items():
                    storage.set_trial_user_attr(ending.trial_id, key, value)
                for key, value in ending.system_attrs.items():
                    storage.set_trial_system_attr(ending.trial_id, key, value)
                return storage.set_trial_state_values(ending.trial_id, ending.state, ending.values)
            except UpdateFinishedTrialError:
                return False

        return self._write(lambda storage: [ended(storage, ending) for ending in endings])

    def set_trial_attribute(self, trial_id: int, key: str, value: Any) -> None:
        """Write an attribute of a trial that has not ended."""
        self._write(lambda storage: storage.set_trial_user_attr(trial_id, key, value))

    def set_trial_attributes(self, key: str, values: Mapping[int, Any]) -> None:
        """Write an attribute of several trials that have not ended, by their ids."""

        def write(storage: BaseStorage) -> None:
            for trial_id, value in values.items():
                storage.set_trial_user_attr(trial_id, key, value)

        self._write(write)

    def close(self) -> None:
        """Let go of connections."""
        if self._given is not None:
            self._given.remove_session()

    @property
    def engine(self) -> sqlalchemy.Engine | None:
        """The database behind it, for reading tables in bulk; ``None`` where there is none."""
        return None

    # ----------------------------------------------------------------------------------- how a kind of storage works

    @property
    def _storage(self) -> BaseStorage:
        """Optuna's storage; a kind that makes it later says how."""
        assert self._given is not None
        return self._given

    def _find_study(self) -> int:
        return self._read(lambda storage: storage.get_study_id_from_name(self._name))

    def _read(self, question: Callable[[BaseStorage], Answer]) -> Answer:
        """Ask Optuna's storage something."""
        return question(self._storage)

    def _write(self, work: Callable[[BaseStorage], Answer], *, guarded: bool = True) -> Answer:
        """Have Optuna's storage write something, all of it or nothing."""
        if guarded:
            self._check_guard(self._storage)
        return work(self._storage)

    def _check_guard(self, storage: BaseStorage) -> None:
        if self._guard is not None:
            key, token = self._guard
            try:
                found = storage.get_study_user_attrs(self.study_id).get(key)
            except KeyError:  # The study was deleted.
                found = None
            if not isinstance(found, dict) or found.get("token") != token:
                raise self._taken_over()

    def _taken(self) -> StudyExistsError:
        return StudyExistsError(f"found {self._name!r}, a study that the storage has already; choose another --name")

    def _taken_over(self) -> TakenOverError:
        message = "another driver took over, because this one was silent for too long; this one has stopped"
        return TakenOverError(f"study {self._name!r}: {message}")

    def _check_number(self, number: int, template: FrozenTrial) -> None:
        if number != template.number:
            raise StorageConflictError(
                f"study {self._name!r}: trial {template.number} became trial {number}; another program adds trials"
            )
