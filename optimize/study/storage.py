"""The Optuna storage of a study: the only truth about its trials, written in as few transactions as it allows."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import optuna
import sqlalchemy
from optuna.exceptions import DuplicatedStudyError, UpdateFinishedTrialError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from eiann.errors import UserError

JOURNAL: Final = "journal:"
# Waiting for the lock of another process, e.g. a table being read, is normal; half a minute of it is not.
_SQLITE_TIMEOUT_S: Final = 30.0


Opened = TypeVar("Opened")


class StudyExistsError(UserError):
    """The storage has a study of that name."""


class StorageConflictError(UserError):
    """Somebody else wrote to this study."""


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

    The contract that every kind of storage is held to: ``create`` and ``end`` are durable when they return; a trial
    whose ``create`` was interrupted is absent or has no complete set of parameters; ``end`` is recorded at most once
    for a trial and says whether it was this time; ``swap`` changes a study attribute only from the expected value.
    """

    def __init__(self, storage: BaseStorage, study_name: str) -> None:
        self._storage = storage
        self._name = study_name
        self._study_id: int | None = None

    # ---------------------------------------------------------------------------------------------------- the study

    @property
    def study_id(self) -> int:
        """Identity of the study within its storage.

        Raises:
            UserError: the storage has no such study.
        """
        if self._study_id is None:
            try:
                self._study_id = self._storage.get_study_id_from_name(self._name)
            except KeyError as error:
                raise UserError(f"the storage has no study named {self._name!r}") from error
        return self._study_id

    def exists(self) -> bool:
        """Whether the storage has the study."""
        names = {study.study_name for study in self._storage.get_all_studies()}
        return self._name in names

    def create_study(self, objectives: int) -> None:
        """Create the study; every objective is minimized.

        Raises:
            StudyExistsError: there is one of that name.
        """
        try:
            self._study_id = self._storage.create_new_study([StudyDirection.MINIMIZE] * objectives, self._name)
        except DuplicatedStudyError as error:
            message = f"found {self._name!r}, a study that the storage has already; choose another --name"
            raise StudyExistsError(message) from error

    def delete_study(self) -> None:
        """Remove the study and its trials."""
        self._storage.delete_study(self.study_id)

    def attributes(self) -> dict[str, Any]:
        """Attributes of the study as its users see them."""
        return self._storage.get_study_user_attrs(self.study_id)

    def set_attribute(self, key: str, value: object) -> None:
        """Write an attribute of the study."""
        self._storage.set_study_user_attr(self.study_id, key, value)

    def swap(self, key: str, expected: object, value: object) -> bool:
        """Write an attribute if it has the expected value (``None``: is absent or null).

        Storages without transactions make this in two steps and read it back; whoever wrote last has it.
        """
        if self.attributes().get(key) != expected:
            return False
        self.set_attribute(key, value)
        return bool(self.attributes().get(key) == value)

    def system_attributes(self) -> dict[str, Any]:
        """Attributes of the study that belong to samplers."""
        return self._storage.get_study_system_attrs(self.study_id)

    def set_system_attribute(self, key: str, value: Any) -> None:
        """Write an attribute that belongs to a sampler."""
        self._storage.set_study_system_attr(self.study_id, key, value)

    # ---------------------------------------------------------------------------------------------------- its trials

    def trials(self) -> list[FrozenTrial]:
        """All trials, ordered by number."""
        trials = self._storage.get_all_trials(self.study_id, deepcopy=False)
        return sorted(trials, key=lambda trial: trial.number)

    def create(self, templates: Sequence[FrozenTrial]) -> list[int]:
        """Add trials with all that the templates hold, and return their ids.

        Raises:
            StorageConflictError: a trial got another number than its template has; then somebody else adds trials.
        """
        ids = []
        for template in templates:
            trial_id = self._storage.create_new_trial(self.study_id, template)
            number = self._storage.get_trial_number_from_id(trial_id)
            self._check_number(number, template)
            ids.append(trial_id)
        return ids

    def end(self, endings: Sequence[Ending]) -> list[bool]:
        """End trials; for each, whether it was recorded now. A trial that has ended before is left as it is."""
        recorded = []
        for ending in endings:
            try:
                for key, value in ending.user_attrs.items():
                    self._storage.set_trial_user_attr(ending.trial_id, key, value)
                for key, value in ending.system_attrs.items():
                    self._storage.set_trial_system_attr(ending.trial_id, key, value)
                recorded.append(self._storage.set_trial_state_values(ending.trial_id, ending.state, ending.values))
            except UpdateFinishedTrialError:
                recorded.append(False)
        return recorded

    def set_trial_attribute(self, trial_id: int, key: str, value: Any) -> None:
        """Write an attribute of a trial that has not ended."""
        self._storage.set_trial_user_attr(trial_id, key, value)

    def close(self) -> None:
        """Let go of connections."""
        self._storage.remove_session()

    @property
    def engine(self) -> sqlalchemy.Engine | None:
        """The database behind it, for reading tables in bulk; ``None`` where there is none."""
        return None

    def _check_number(self, number: int, template: FrozenTrial) -> None:
        if number != template.number:
            raise StorageConflictError(
                f"study {self._name!r}: trial {template.number} became trial {number}; another program adds trials"
            )


class DatabaseTrialStorage(TrialStorage):
    """A study in a relational database: a pack of trials is one transaction, not one for every parameter.

    Optuna's own tables are written, as Optuna 4 and 5 define them, so that every tool for Optuna reads the study.
    """

    def __init__(self, storage: RDBStorage, study_name: str) -> None:
        super().__init__(storage, study_name)
        self._engine = storage.engine
        tables = OptunaTables.known()
        self._tables = tables

    @property
    def engine(self) -> sqlalchemy.Engine | None:
        """The database behind it."""
        return self._engine

    def swap(self, key: str, expected: object, value: object) -> bool:
        """Write an attribute if it has the expected value, in one transaction."""
        table = self._tables.study_attributes
        here = (table.c.study_id == self.study_id) & (table.c.key == key)
        text = json.dumps(value)
        study_id = self.study_id
        try:
            with self._engine.begin() as connection:
                changed = connection.execute(
                    table.update().where(here, table.c.value_json == json.dumps(expected)).values(value_json=text)
                )
                if changed.rowcount:
                    return True
                if expected is not None or connection.execute(table.select().where(here)).first():
                    return False
                # The table allows one row for a key: of two programs that insert, one fails.
                connection.execute(table.insert().values(study_id=study_id, key=key, value_json=text))
                return True
        except sqlalchemy.exc.IntegrityError:
            return False

    def create(self, templates: Sequence[FrozenTrial]) -> list[int]:
        """Add trials in one transaction."""
        study_id, tables = self.study_id, self._tables
        ids: list[int] = []
        params: list[dict[str, Any]] = []
        user_attrs: list[dict[str, Any]] = []
        system_attrs: list[dict[str, Any]] = []
        with self._engine.begin() as connection:
            mine = tables.trials.c.study_id == study_id
            count = sqlalchemy.select(sqlalchemy.func.count()).select_from(tables.trials).where(mine)
            number = connection.execute(count).scalar_one()
            for template in templates:
                self._check_number(number, template)
                number += 1
                row = {"number": template.number, "study_id": study_id, "state": template.state}
                inserted = connection.execute(tables.trials.insert().values(**row, datetime_start=_now()))
                assert inserted.inserted_primary_key is not None
                trial_id = int(inserted.inserted_primary_key[0])
                ids.append(trial_id)
                params += _param_rows(trial_id, template)
                user_attrs += _attribute_rows(trial_id, template.user_attrs)
                system_attrs += _attribute_rows(trial_id, template.system_attrs)
            for table, rows in (
                (tables.params, params),
                (tables.user_attributes, user_attrs),
                (tables.system_attributes, system_attrs),
            ):
                if rows:
                    connection.execute(table.insert(), rows)
        return ids

    def end(self, endings: Sequence[Ending]) -> list[bool]:
        """End trials in one transaction."""
        tables = self._tables
        recorded = []
        values: list[dict[str, Any]] = []
        with self._engine.begin() as connection:
            for ending in endings:
                trial = tables.trials.c.trial_id == ending.trial_id
                open_ = tables.trials.c.state.in_([TrialState.RUNNING, TrialState.WAITING])
                done = {"state": ending.state, "datetime_complete": _now()}
                changed = connection.execute(tables.trials.update().where(trial, open_).values(**done))
                recorded.append(bool(changed.rowcount))
                if not changed.rowcount:
                    continue
                values += [
                    {"trial_id": ending.trial_id, "objective": i, "value": value, "value_type": "FINITE"}
                    for i, value in enumerate(ending.values or ())
                ]
                for table, attrs in (
                    (tables.user_attributes, ending.user_attrs),
                    (tables.system_attributes, ending.system_attrs),
                ):
                    if rows := _attribute_rows(ending.trial_id, attrs):
                        here = (table.c.trial_id == ending.trial_id) & table.c.key.in_(attrs)
                        connection.execute(table.delete().where(here))
                        connection.execute(table.insert(), rows)
            if values:
                connection.execute(tables.values.insert(), values)
        return recorded

    def close(self) -> None:
        """Let go of connections."""
        super().close()
        self._engine.dispose()


@dataclass(frozen=True)
class OptunaTables:
    """The tables of an Optuna database that are written and read in bulk."""

    trials: sqlalchemy.Table
    params: sqlalchemy.Table
    values: sqlalchemy.Table
    user_attributes: sqlalchemy.Table
    system_attributes: sqlalchemy.Table
    study_attributes: sqlalchemy.Table

    @classmethod
    def known(cls) -> Self:
        """The tables as the installed Optuna declares them."""
        from optuna.storages._rdb.models import BaseModel

        tables = BaseModel.metadata.tables
        return cls(
            trials=tables["trials"],
            params=tables["trial_params"],
            values=tables["trial_values"],
            user_attributes=tables["trial_user_attributes"],
            system_attributes=tables["trial_system_attributes"],
            study_attributes=tables["study_user_attributes"],
        )


def _param_rows(trial_id: int, template: FrozenTrial) -> list[dict[str, Any]]:
    return [
        {
            "trial_id": trial_id,
            "param_name": name,
            "param_value": distribution.to_internal_repr(template.params[name]),
            "distribution_json": optuna.distributions.distribution_to_json(distribution),
        }
        for name, distribution in template.distributions.items()
    ]


def _attribute_rows(trial_id: int, attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"trial_id": trial_id, "key": key, "value_json": json.dumps(value)} for key, value in attributes.items()]


def _now() -> Any:
    """Naive UTC, as Optuna's tables have it."""
    from datetime import UTC, datetime

    return datetime.now(UTC).replace(tzinfo=None)


def open_storage(url: str, study_name: str) -> TrialStorage:
    """Open a storage by URL.

    Args:
        url: of a database (``sqlite:///study.db``, ``postgresql://user@host/db``), or ``journal:PATH`` for a journal
            file, which several machines may share.
        study_name: the study in it; it need not exist yet.

    Raises:
        UserError: there is no such kind of storage, or it cannot be reached.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if url.startswith(JOURNAL):
        path = Path(url.removeprefix(JOURNAL))
        return _reach(url, lambda: TrialStorage(JournalStorage(JournalFileBackend(str(path))), study_name))
    kwargs: dict[str, Any] = {}
    if url.startswith("sqlite"):
        kwargs["connect_args"] = {"timeout": _SQLITE_TIMEOUT_S}
    return _reach(url, lambda: DatabaseTrialStorage(RDBStorage(url, engine_kwargs=kwargs), study_name))


def check_storage(url: str, study_name: str) -> None:
    """Whether a study of that name can be created there; nothing is.

    Raises:
        UserError: the storage cannot be reached, or has such a study.
    """
    if url.startswith(JOURNAL):
        file: str | None = url.removeprefix(JOURNAL)
    else:
        file = _reach(url, lambda: sqlalchemy.make_url(url)).database if url.startswith("sqlite") else None
    if file is not None and not Path(file).exists():
        # Opening a file makes it; that is for later.
        if not Path(file).absolute().parent.is_dir():
            raise UserError(f"storage {without_password(url)}: there is no folder {Path(file).parent}")
        return
    storage = open_storage(url, study_name)
    try:
        if storage.exists():
            message = f"found {study_name!r}, a study that the storage has already; choose another --name"
            raise StudyExistsError(message)
    finally:
        storage.close()


def _reach(url: str, opening: Callable[[], Opened]) -> Opened:
    try:
        return opening()
    except (sqlalchemy.exc.SQLAlchemyError, ImportError, OSError, RuntimeError) as error:
        reason = " ".join(str(error).split()).split(" (Background on this error")[0]
        raise UserError(f"storage {without_password(url)}: {reason}") from error


def without_password(url: str) -> str:
    """The URL as it may be shown."""
    try:
        return sqlalchemy.make_url(url).render_as_string(hide_password=True)
    except sqlalchemy.exc.ArgumentError:
        return url
