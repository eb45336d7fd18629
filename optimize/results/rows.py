"""What a storage holds of a study's trials, read in bulk: the rows behind every table."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import sqlalchemy
from optuna.trial import FrozenTrial

from optimize.space import Parameter
from optimize.space.document import Value
from optimize.study.database import OptunaTables
from optimize.study.ledger import ATTEMPT, RESULT
from optimize.study.spec import StudySpec
from optimize.study.storage import TrialStorage


@dataclass
class TrialRow:
    """One trial: what Optuna knows of it and what was recorded with it (fields of ``TrialResult``)."""

    number: int
    state: str
    started: datetime | None
    finished: datetime | None
    params: dict[str, Value] = field(default_factory=dict)
    result: dict[str, Any] = field(default_factory=dict)
    attempt: int = 1


def trial_rows(storage: TrialStorage, spec: StudySpec, *, params: bool = True) -> list[TrialRow]:
    """All trials of a study, ordered by number; without ``params`` the largest part is not read where that saves time.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from pathlib import Path
        >>> from optimize.study import Study
        >>> from optimize.space import SearchSpace
        >>> with TemporaryDirectory() as studies:
        ...     study = Study.create(SearchSpace.load("spiral/perceptron"), name="demo", studies=Path(studies))
        ...     trial_rows(study.storage, study.spec)
        []
    """
    if storage.engine is None:
        return [_from_frozen(trial) for trial in storage.trials()]
    with storage.engine.connect() as connection:
        return _from_database(connection, storage.study_id, spec, params)


def _from_frozen(trial: FrozenTrial) -> TrialRow:
    return TrialRow(
        number=trial.number,
        state=trial.state.name,
        started=_utc_of_local(trial.datetime_start),
        finished=_utc_of_local(trial.datetime_complete),
        params=trial.params,
        result=trial.user_attrs.get(RESULT, {}),
        attempt=trial.user_attrs.get(ATTEMPT, 1),
    )


def _from_database(
    connection: sqlalchemy.Connection, study_id: int, spec: StudySpec, with_params: bool
) -> list[TrialRow]:
    """Three plain queries: Optuna's own way, an object for every parameter of every trial, takes many seconds."""
    tables = OptunaTables.known()
    trials, params, attributes = tables.trials.c, tables.params.c, tables.user_attributes.c
    mine = sqlalchemy.select(trials.trial_id).where(trials.study_id == study_id)
    rows: dict[int, TrialRow] = {}
    columns = (trials.trial_id, trials.number, trials.state, trials.datetime_start, trials.datetime_complete)
    for trial_id, number, state, started, finished in connection.execute(
        sqlalchemy.select(*columns).where(trials.study_id == study_id)
    ).all():
        rows[trial_id] = TrialRow(number, state.name, _utc(started), _utc(finished))
    if with_params:
        readers = {parameter.name: _reader(parameter) for parameter in spec.search_space.searched}
        of_mine = sqlalchemy.select(params.trial_id, params.param_name, params.param_value).where(
            params.trial_id.in_(mine)
        )
        for trial_id, name, value in _bare(connection, of_mine):
            rows[trial_id].params[name] = readers[name](value) if name in readers else value
    results = sqlalchemy.select(attributes.trial_id, attributes.key, attributes.value_json).where(
        attributes.trial_id.in_(mine), attributes.key.in_([RESULT, ATTEMPT])
    )
    for trial_id, key, text in _bare(connection, results):
        if key == RESULT:
            rows[trial_id].result = json.loads(text)
        else:
            rows[trial_id].attempt = json.loads(text)
    return sorted(rows.values(), key=lambda row: row.number)


def _bare(connection: sqlalchemy.Connection, query: sqlalchemy.Select[Any]) -> Sequence[tuple[Any, ...]]:
    """Rows as the driver of the database has them, all at once.

    SQLAlchemy makes an object of each, which costs more than the query where there is a row for each parameter.
    """
    text = query.compile(connection, compile_kwargs={"literal_binds": True})
    cursor = connection.connection.cursor()
    try:
        cursor.execute(str(text))
        return cursor.fetchall()
    finally:
        cursor.close()


def _reader(parameter: Parameter) -> Callable[[float], Value]:
    """How a stored number becomes the parameter's value; Optuna stores the positions of choices."""
    if parameter.kind == "categorical":
        return lambda stored: parameter.choices[int(stored)]
    return int if parameter.kind == "int" else float


def _utc(naive: datetime | None) -> datetime | None:
    return None if naive is None else naive.replace(tzinfo=UTC)


def _utc_of_local(time: datetime | None) -> datetime | None:
    return None if time is None else time.astimezone(UTC)
