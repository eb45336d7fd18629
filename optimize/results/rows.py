"""What a storage holds of a study's trials, read in bulk: the rows behind every table."""

from __future__ import annotations

import json
from collections.abc import Callable
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


def trial_rows(storage: TrialStorage, spec: StudySpec) -> list[TrialRow]:
    """All trials of a study, ordered by number."""
    if storage.engine is None:
        return [_from_frozen(trial) for trial in storage.trials()]
    with storage.engine.connect() as connection:
        return _from_database(connection, storage.study_id, spec)


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


def _from_database(connection: sqlalchemy.Connection, study_id: int, spec: StudySpec) -> list[TrialRow]:
    """Three plain queries: Optuna's own way, an object for every parameter of every trial, takes many seconds."""
    tables = OptunaTables.known()
    trials, params, attributes = tables.trials.c, tables.params.c, tables.user_attributes.c
    mine = sqlalchemy.select(trials.trial_id).where(trials.study_id == study_id)
    rows: dict[int, TrialRow] = {}
    columns = (trials.trial_id, trials.number, trials.state, trials.datetime_start, trials.datetime_complete)
    for trial_id, number, state, started, finished in connection.execute(
        sqlalchemy.select(*columns).where(trials.study_id == study_id)
    ):
        rows[trial_id] = TrialRow(number, state.name, _utc(started), _utc(finished))
    readers = {parameter.name: _reader(parameter) for parameter in spec.search_space.searched}
    for trial_id, name, value in connection.execute(
        sqlalchemy.select(params.trial_id, params.param_name, params.param_value).where(params.trial_id.in_(mine))
    ):
        rows[trial_id].params[name] = readers[name](value) if name in readers else value
    for trial_id, key, text in connection.execute(
        sqlalchemy.select(attributes.trial_id, attributes.key, attributes.value_json).where(
            attributes.trial_id.in_(mine), attributes.key.in_([RESULT, ATTEMPT])
        )
    ):
        if key == RESULT:
            rows[trial_id].result = json.loads(text)
        else:
            rows[trial_id].attempt = json.loads(text)
    return sorted(rows.values(), key=lambda row: row.number)


def _reader(parameter: Parameter) -> Callable[[float], Value]:
    """How a stored number becomes the parameter's value; Optuna stores the positions of choices."""
    if parameter.kind == "categorical":
        return lambda stored: parameter.choices[int(stored)]
    return int if parameter.kind == "int" else float


def _utc(naive: datetime | None) -> datetime | None:
    return None if naive is None else naive.replace(tzinfo=UTC)


def _utc_of_local(time: datetime | None) -> datetime | None:
    return None if time is None else time.astimezone(UTC)
