"""A study in a relational database: whole packs in one transaction, and patience with a database that restarts."""

from __future__ import annotations

import functools
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Self, TypeVar

import optuna
import sqlalchemy
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError
from typing_extensions import override

from eiann.crash import crash_point
from eiann.errors import UserError
from optimize.study.storage import Ending, TrialStorage

log = logging.getLogger(__name__)

PATIENCE_S: Final = 120.0
"""How long a server that does not answer is asked again, before the run stops; a restart takes seconds."""
ASK_AGAIN_S: Final = 0.5

Answer = TypeVar("Answer")


class DatabaseTrialStorage(TrialStorage):
    """A study in a relational database: a pack of trials is one transaction, not one for every parameter.

    Optuna's own tables are written, as Optuna 5 defines them, so that every tool for Optuna reads the study.

    A transaction that was cut off, nobody knows whether before or after its end, is made again; ``create_study``,
    ``create``, ``end`` and ``swap`` recognize what they have written before.
    """

    def __init__(self, storage: RDBStorage, study_name: str, *, patience: float = PATIENCE_S) -> None:
        super().__init__(storage, study_name)
        self._engine = storage.engine
        self._tables = OptunaTables.known()
        self._patience = patience if self._engine.dialect.name != "sqlite" else 0.0

    @property
    @override
    def engine(self) -> sqlalchemy.Engine | None:
        """The database behind it."""
        return self._engine

    @override
    def create_study(self, objectives: int, attributes: Mapping[str, Any] | None = None) -> None:
        """Create the study with its first attributes in one transaction."""
        tables = self._tables
        texts = {key: json.dumps(value) for key, value in (attributes or {}).items()}
        attempts = 0

        def created(connection: sqlalchemy.Connection) -> int:
            nonlocal attempts
            attempts += 1
            inserted = connection.execute(tables.studies.insert().values(study_name=self._name)).inserted_primary_key
            assert inserted is not None
            here = {"study_id": int(inserted[0])}
            minimized = {**here, "direction": StudyDirection.MINIMIZE}
            _insert(connection, tables.directions, [{**minimized, "objective": i} for i in range(objectives)])
            rows = [{**here, "key": key, "value_json": text} for key, text in texts.items()]
            _insert(connection, tables.study_attributes, rows)
            return here["study_id"]

        try:
            self._study_id = self._transaction(created, guarded=False)
        except IntegrityError as error:
            if attempts == 1 or not texts or self._stored_texts() != texts:
                self._study_id = None
                raise self._taken() from error

    @override
    def delete_study(self) -> None:
        """Remove the study and its trials in one transaction, the rows that point to others first."""
        study_id, trials = self.study_id, self._tables.trials
        ids = sqlalchemy.select(trials.c.trial_id).where(trials.c.study_id == study_id)

        def deleted(connection: sqlalchemy.Connection) -> None:
            for table in reversed(trials.metadata.sorted_tables):
                if "study_id" in table.c:
                    connection.execute(table.delete().where(table.c.study_id == study_id))
                elif "trial_id" in table.c:
                    connection.execute(table.delete().where(table.c.trial_id.in_(ids)))

        self._transaction(deleted)
        self._study_id = None

    @override
    def set_attribute(self, key: str, value: object) -> None:
        """Write an attribute of the study."""
        here = {"study_id": self.study_id, "key": key}
        self._transaction(lambda connection: _put(connection, self._tables.study_attributes, here, value))

    @override
    def swap(self, key: str, expected: object, value: object) -> bool:
        """Write an attribute if it has the expected value, in one transaction."""
        table = self._tables.study_attributes
        here = (table.c.study_id == self.study_id) & (table.c.key == key)
        text = json.dumps(value)
        row = {"study_id": self.study_id, "key": key, "value_json": text}
        attempts = 0

        def swapped(connection: sqlalchemy.Connection) -> bool:
            nonlocal attempts
            attempts += 1
            old = table.c.value_json == json.dumps(expected)
            if connection.execute(table.update().where(here, old).values(value_json=text)).rowcount:
                return True
            found = connection.execute(table.select().where(here)).first()
            if expected is None and found is None:
                # The table allows one row for a key: of two programs that insert, one fails.
                connection.execute(table.insert().values(**row))
                return True
            return attempts > 1 and found is not None and found.value_json == text

        try:
            return self._transaction(swapped, guarded=False)
        except IntegrityError:
            return False

    @override
    def create(
        self, templates: Sequence[FrozenTrial], study_system_attrs: Mapping[str, Any] | None = None
    ) -> list[int]:
        """Add trials in one transaction."""
        study_id, tables = self.study_id, self._tables
        mine = tables.trials.c.study_id == study_id
        attempts = 0

        def created(connection: sqlalchemy.Connection) -> list[int]:
            nonlocal attempts
            attempts += 1
            count = sqlalchemy.select(sqlalchemy.func.count()).select_from(tables.trials).where(mine)
            number = connection.execute(count).scalar_one()
            if attempts > 1 and templates and number == templates[-1].number + 1:
                return self._ids_from(connection, templates[0].number)
            for key, value in (study_system_attrs or {}).items():
                _put(connection, tables.study_system_attributes, {"study_id": study_id, "key": key}, value)
            for position, template in enumerate(templates):
                self._check_number(number + position, template)
            ids = _insert_trials(connection, tables.trials, study_id, templates)
            named = list(zip(ids, templates, strict=True))
            _insert(connection, tables.params, [row for i, t in named for row in _param_rows(i, t)])
            for table, kind in ((tables.user_attributes, "user_attrs"), (tables.system_attributes, "system_attrs")):
                _insert(connection, table, [row for i, t in named for row in _attribute_rows(i, getattr(t, kind))])
            return ids

        return self._transaction(created)

    @override
    def end(self, endings: Sequence[Ending]) -> list[bool]:
        """End trials in one transaction."""
        tables = self._tables
        attempts = 0

        def ended(connection: sqlalchemy.Connection) -> list[bool]:
            nonlocal attempts
            attempts += 1
            trial_id, state = tables.trials.c.trial_id, tables.trials.c.state
            open_ = trial_id.in_([e.trial_id for e in endings]) & state.in_([TrialState.RUNNING, TrialState.WAITING])
            # Locked until this is over, where rows can be.
            query = sqlalchemy.select(trial_id).where(open_).with_for_update()
            still_open = {int(found) for (found,) in connection.execute(query)}
            now = [ending for ending in endings if ending.trial_id in still_open]
            for kind in dict.fromkeys(ending.state for ending in now):
                these = trial_id.in_([ending.trial_id for ending in now if ending.state is kind])
                connection.execute(tables.trials.update().where(these).values(state=kind, datetime_complete=_now()))
            for table, rows in (
                (tables.user_attributes, [row for e in now for row in _attribute_rows(e.trial_id, e.user_attrs)]),
                (tables.system_attributes, [row for e in now for row in _attribute_rows(e.trial_id, e.system_attrs)]),
            ):
                if rows:
                    places = [(row["trial_id"], row["key"]) for row in rows]
                    connection.execute(
                        table.delete().where(sqlalchemy.tuple_(table.c.trial_id, table.c.key).in_(places))
                    )
                    _insert(connection, table, rows)
            _insert(connection, tables.values, [row for ending in now for row in _value_rows(ending)])
            return [
                ending.trial_id in still_open or (attempts > 1 and self._is_ours(connection, ending))
                for ending in endings
            ]

        return self._transaction(ended)

    @override
    def set_trial_attribute(self, trial_id: int, key: str, value: Any) -> None:
        """Write an attribute of a trial that has not ended."""
        here = {"trial_id": trial_id, "key": key}
        self._transaction(lambda connection: _put(connection, self._tables.user_attributes, here, value))

    @override
    def set_trial_attributes(self, key: str, values: Mapping[int, Any]) -> None:
        """Write an attribute of several trials that have not ended, by their ids."""

        def write(connection: sqlalchemy.Connection) -> None:
            for trial_id, value in values.items():
                _put(connection, self._tables.user_attributes, {"trial_id": trial_id, "key": key}, value)

        self._transaction(write)

    @override
    def close(self) -> None:
        """Let go of connections."""
        super().close()
        self._engine.dispose()

    # -------------------------------------------------------------------------------------------------- transactions

    @override
    def _read(self, question: Callable[[BaseStorage], Answer]) -> Answer:
        return self._patiently(lambda: question(self._storage))

    def _transaction(self, work: Callable[[sqlalchemy.Connection], Answer], *, guarded: bool = True) -> Answer:
        """All of the work or nothing of it, under the guard."""

        def once() -> Answer:
            with self._engine.begin() as connection:
                if guarded:
                    self._lock_guard(connection)
                answer = work(connection)
                crash_point("database.commit")
            crash_point("database.committed")
            return answer

        return self._patiently(once)

    def _lock_guard(self, connection: sqlalchemy.Connection) -> None:
        """Check the guard, and keep others from changing it until this transaction is over."""
        if self._guard is None:
            return
        key, token = self._guard
        table = self._tables.study_attributes
        mine = (table.c.study_id == self.study_id) & (table.c.key == key)
        held = table.c.value_json.contains(json.dumps({"token": token})[1:-1], autoescape=True)
        # A write that changes nothing takes the lock, of the row or of the file. A look would take none.
        if not connection.execute(table.update().where(mine, held).values(key=key)).rowcount:
            raise self._taken_over()

    def _patiently(self, work: Callable[[], Answer]) -> Answer:
        deadline = time.monotonic() + self._patience
        while True:
            try:
                return work()
            except (DBAPIError, StorageInternalError) as error:
                if not is_transient(error):
                    raise
                if time.monotonic() > deadline:
                    raise UserError(f"storage {self._engine.url!r}: {reason_of(error)}") from error
                log.warning("the storage does not answer (%s); asking again", reason_of(error))
                time.sleep(min(ASK_AGAIN_S, self._patience))

    def _is_ours(self, connection: sqlalchemy.Connection, ending: Ending) -> bool:
        """Whether a trial that has ended did so with this very ending."""
        table = self._tables.user_attributes
        query = sqlalchemy.select(table.c.key, table.c.value_json).where(
            table.c.trial_id == ending.trial_id, table.c.key.in_(ending.user_attrs)
        )
        stored = {row.key: row.value_json for row in connection.execute(query)}
        return bool(stored) and stored == {key: json.dumps(value) for key, value in ending.user_attrs.items()}

    def _stored_texts(self) -> dict[str, str]:
        table = self._tables.study_attributes
        query = sqlalchemy.select(table.c.key, table.c.value_json).where(table.c.study_id == self.study_id)
        with self._engine.connect() as connection:
            return {row.key: row.value_json for row in connection.execute(query)}

    def _ids_from(self, connection: sqlalchemy.Connection, number: int) -> list[int]:
        trials = self._tables.trials.c
        query = sqlalchemy.select(trials.trial_id).where(trials.study_id == self.study_id, trials.number >= number)
        return [int(trial_id) for (trial_id,) in connection.execute(query.order_by(trials.number))]


def is_transient(error: Exception) -> bool:
    """Whether a database that failed like this may answer in a while: it restarts, or the network was cut."""
    cause = error.__cause__ if isinstance(error, StorageInternalError) else error
    return isinstance(cause, OperationalError | InterfaceError)


def reason_of(error: BaseException) -> str:
    """What a database says, on one line, without its links to documentation."""
    cause = error.__cause__ if isinstance(error, StorageInternalError) and error.__cause__ else error
    said = cause.orig if isinstance(cause, DBAPIError) and cause.orig is not None else cause
    return " ".join(str(said).split()).split(" (Background on this error")[0] or type(said).__name__


@dataclass(frozen=True)
class OptunaTables:
    """The tables of an Optuna database that are written and read in bulk."""

    studies: sqlalchemy.Table
    directions: sqlalchemy.Table
    trials: sqlalchemy.Table
    params: sqlalchemy.Table
    values: sqlalchemy.Table
    user_attributes: sqlalchemy.Table
    system_attributes: sqlalchemy.Table
    study_attributes: sqlalchemy.Table
    study_system_attributes: sqlalchemy.Table

    @classmethod
    def known(cls) -> Self:
        """The tables as the installed Optuna declares them."""
        from optuna.storages._rdb.models import BaseModel

        tables = BaseModel.metadata.tables
        return cls(
            studies=tables["studies"],
            directions=tables["study_directions"],
            trials=tables["trials"],
            params=tables["trial_params"],
            values=tables["trial_values"],
            user_attributes=tables["trial_user_attributes"],
            system_attributes=tables["trial_system_attributes"],
            study_attributes=tables["study_user_attributes"],
            study_system_attributes=tables["study_system_attributes"],
        )


def _put(connection: sqlalchemy.Connection, table: sqlalchemy.Table, here: Mapping[str, Any], value: object) -> None:
    """Insert or replace the one row of an attribute."""
    text = json.dumps(value)
    where = sqlalchemy.and_(*(table.c[name] == key for name, key in here.items()))
    if not connection.execute(table.update().where(where).values(value_json=text)).rowcount:
        connection.execute(table.insert().values(**here, value_json=text))


def _insert(connection: sqlalchemy.Connection, table: sqlalchemy.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        connection.execute(table.insert(), rows)


def _insert_trials(
    connection: sqlalchemy.Connection, table: sqlalchemy.Table, study_id: int, templates: Sequence[FrozenTrial]
) -> list[int]:
    """Ids of the new rows, in order."""
    if not templates:
        return []
    rows = [{"number": t.number, "study_id": study_id, "state": t.state, "datetime_start": _now()} for t in templates]
    inserted = table.insert().returning(table.c.trial_id, sort_by_parameter_order=True)
    return [int(trial_id) for (trial_id,) in connection.execute(inserted, rows)]


def _value_rows(ending: Ending) -> list[dict[str, Any]]:
    return [
        {"trial_id": ending.trial_id, "objective": i, "value": value, "value_type": "FINITE"}
        for i, value in enumerate(ending.values or ())
    ]


# A space has a few dozen of them, and every trial has all.
_text_of = functools.lru_cache(maxsize=1024)(optuna.distributions.distribution_to_json)


def _param_rows(trial_id: int, template: FrozenTrial) -> list[dict[str, Any]]:
    return [
        {
            "trial_id": trial_id,
            "param_name": name,
            "param_value": distribution.to_internal_repr(template.params[name]),
            "distribution_json": _text_of(distribution),
        }
        for name, distribution in template.distributions.items()
    ]


def _attribute_rows(trial_id: int, attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"trial_id": trial_id, "key": key, "value_json": json.dumps(value)} for key, value in attributes.items()]


def _now() -> Any:
    """Naive UTC, as Optuna's tables have it."""
    return datetime.now(UTC).replace(tzinfo=None)
