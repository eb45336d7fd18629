"""Where the rows behind every table come from: a database, the lines of a journal, or Optuna's own objects.

All three say the same of the same study. The first two are there because Optuna's way, an object for every parameter of
every trial, takes many seconds for a large study.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, Protocol

import sqlalchemy
from optuna.trial import FrozenTrial
from typing_extensions import override

from optimize.space import Parameter
from optimize.space.document import Value
from optimize.study.database import OptunaTables
from optimize.study.journal import JournalTrialStorage
from optimize.study.journal_reading import JournalTrial, decoded
from optimize.study.ledger import ATTEMPT, RESULT
from optimize.study.spec import StudySpec
from optimize.study.storage import TrialStorage

_ROWS: Final = 1000
"""Rows that are fetched together: few enough to stay in the processor's cache."""
_RUNNING: Final = ("RUNNING", "WAITING")


class Head(NamedTuple):
    """What Optuna knows of a trial besides its parameters; ``key`` is what the rest of the trial is found by."""

    key: int
    number: int
    state: str
    started: datetime | None
    finished: datetime | None

    @property
    def has_ended(self) -> bool:
        """Whether nothing of it changes any more."""
        return self.state not in _RUNNING


class Source(Protocol):
    """The trials of a study, read at one moment; pairs come in any order, each with the key of its trial.

    What is read later than the heads may know of trials that they do not have.
    """

    def heads(self) -> list[Head]:
        """All trials, ordered by number."""
        ...

    def params(self) -> Iterator[tuple[int, str, Value]]:
        """Every parameter of every trial."""
        ...

    def attempts(self) -> Iterator[tuple[int, int]]:
        """The attempts of trials that note one."""
        ...

    def results(self) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """What was recorded with trials: fields of ``TrialResult``."""
        ...


@contextmanager
def source_of(storage: TrialStorage, spec: StudySpec) -> Iterator[Source]:
    """The fastest way to a storage's trials."""
    readers = {parameter.name: reader for parameter in spec.search_space.searched if (reader := _reader(parameter))}
    if storage.engine is not None:
        with storage.engine.connect() as connection:
            yield DatabaseSource(connection, storage.study_id, readers)
        return
    reading = storage.reading() if isinstance(storage, JournalTrialStorage) else None
    if reading is not None:
        yield JournalSource(tuple(reading.trials(storage.study_id)), readers)
    else:
        yield OptunaSource(storage.trials())


class DatabaseSource(Source):
    """One plain query for each kind of thing."""

    def __init__(
        self, connection: sqlalchemy.Connection, study_id: int, readers: Mapping[str, Callable[[float], Value]]
    ) -> None:
        self._connection = connection
        self._tables = OptunaTables.known()
        self._study_id = study_id
        self._readers = readers

    @override
    def heads(self) -> list[Head]:
        trials = self._tables.trials.c
        columns = (trials.trial_id, trials.number, trials.state, trials.datetime_start, trials.datetime_complete)
        query = sqlalchemy.select(*columns).where(trials.study_id == self._study_id).order_by(trials.number)
        return [
            Head(key, number, state, _utc(started), _utc(finished))
            for key, number, state, started, finished in self._bare(query)
        ]

    @override
    def params(self) -> Iterator[tuple[int, str, Value]]:
        params, readers = self._tables.params.c, self._readers
        query = sqlalchemy.select(params.trial_id, params.param_name, params.param_value)
        for key, name, value in self._bare(query.where(params.trial_id.in_(self._mine)), binary=True):
            yield key, name, readers[name](value) if name in readers else value

    @override
    def attempts(self) -> Iterator[tuple[int, int]]:
        return self._attributes(ATTEMPT)

    @override
    def results(self) -> Iterator[tuple[int, Mapping[str, Any]]]:
        return self._attributes(RESULT)

    @property
    def _mine(self) -> sqlalchemy.Select[Any]:
        trials = self._tables.trials.c
        return sqlalchemy.select(trials.trial_id).where(trials.study_id == self._study_id)

    def _attributes(self, key: str) -> Iterator[tuple[int, Any]]:
        attributes = self._tables.user_attributes.c
        query = sqlalchemy.select(attributes.trial_id, attributes.value_json).where(
            attributes.trial_id.in_(self._mine), attributes.key == key
        )
        for trial_id, text in self._bare(query):
            yield trial_id, decoded(text)

    def _bare(self, query: sqlalchemy.Select[Any], *, binary: bool = False) -> Iterator[tuple[Any, ...]]:
        """Rows as the driver of the database has them, one after the other.

        SQLAlchemy makes an object of each, which costs more than the query where there is a row for each parameter; and
        hundreds of thousands of rows at once keep Python's garbage collection busy.

        Args:
            query: what is asked.
            binary: numbers need not be written out and read again, where the driver can do that.
        """
        text = query.compile(self._connection, compile_kwargs={"literal_binds": True})
        raw = self._connection.connection
        psycopg = self._connection.dialect.driver == "psycopg"
        cursor = raw.cursor(binary=True) if binary and psycopg else raw.cursor()
        try:
            cursor.execute(str(text))
            while rows := cursor.fetchmany(_ROWS):
                yield from rows
        finally:
            cursor.close()


class _Attributes(Source, Protocol):
    """What objects of trials have among their attributes."""

    _trials: Sequence[JournalTrial] | Sequence[FrozenTrial]

    @override
    def attempts(self) -> Iterator[tuple[int, int]]:
        return ((trial.number, trial.user_attrs[ATTEMPT]) for trial in self._trials if ATTEMPT in trial.user_attrs)

    @override
    def results(self) -> Iterator[tuple[int, Mapping[str, Any]]]:
        return ((trial.number, trial.user_attrs[RESULT]) for trial in self._trials if RESULT in trial.user_attrs)


class JournalSource(_Attributes):
    """The lines of a journal file."""

    def __init__(self, trials: Sequence[JournalTrial], readers: Mapping[str, Callable[[float], Value]]) -> None:
        self._trials = trials
        self._readers = readers

    @override
    def heads(self) -> list[Head]:
        return [
            Head(trial.number, trial.number, trial.state.name, _aware(trial.started), _aware(trial.finished))
            for trial in self._trials
        ]

    @override
    def params(self) -> Iterator[tuple[int, str, Value]]:
        readers = self._readers
        for trial in self._trials:
            for name, value in trial.params.items():
                yield trial.number, name, readers[name](value) if name in readers else value


class OptunaSource(_Attributes):
    """Optuna's own objects: slow, and right for every storage that Optuna has."""

    def __init__(self, trials: Sequence[FrozenTrial]) -> None:
        self._trials = trials

    @override
    def heads(self) -> list[Head]:
        return [
            Head(
                trial.number, trial.number, trial.state.name, _aware(trial.datetime_start),
                _aware(trial.datetime_complete),
            )
            for trial in self._trials
        ]  # fmt: skip

    @override
    def params(self) -> Iterator[tuple[int, str, Value]]:
        return ((trial.number, name, value) for trial in self._trials for name, value in trial.params.items())


def _reader(parameter: Parameter) -> Callable[[float], Value] | None:
    """How a stored number becomes the parameter's value, where it is not that; the positions of choices are stored."""
    if parameter.kind == "categorical":
        return lambda stored: parameter.choices[int(stored)]
    return int if parameter.kind == "int" else None


def _utc(naive: datetime | str | None) -> datetime | None:
    """SQLite has times as text."""
    if isinstance(naive, str):
        naive = datetime.fromisoformat(naive)
    return None if naive is None else naive.replace(tzinfo=UTC)


def _aware(time: datetime | None) -> datetime | None:
    """A time without a zone is local, as Optuna has them."""
    return None if time is None else time.astimezone(UTC)
