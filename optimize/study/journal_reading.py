"""What a journal file says of a study, read directly: for looking at a study, where Optuna's own replay is slow.

Optuna makes an object of every range of every parameter of every trial. Here the lines are followed by Optuna's rules,
and nothing is made that no table shows. What is not known here, an operation or a field, ends it: then
Optuna's reading counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Any, Final

from optuna.trial import TrialState
from pydantic_core import from_json

from optimize.garbage import uncollected


class _Code(IntEnum):
    """Operations by the number that they have in the file."""

    CREATE_STUDY = 0
    DELETE_STUDY = 1
    SET_STUDY_USER_ATTR = 2
    SET_STUDY_SYSTEM_ATTR = 3
    CREATE_TRIAL = 4
    SET_TRIAL_STATE_VALUES = 6
    SET_TRIAL_INTERMEDIATE_VALUE = 7
    SET_TRIAL_USER_ATTR = 8
    SET_TRIAL_SYSTEM_ATTR = 9


_KNOWN: Final = {
    _Code.CREATE_STUDY: {"study_name", "directions"},
    _Code.DELETE_STUDY: {"study_id"},
    _Code.SET_STUDY_USER_ATTR: {"study_id", "user_attr"},
    _Code.SET_STUDY_SYSTEM_ATTR: {"study_id", "system_attr"},
    _Code.CREATE_TRIAL: {
        "study_id", "datetime_start", "datetime_complete", "state", "value", "values", "distributions", "params",
        "user_attrs", "system_attrs", "intermediate_values",
    },
    _Code.SET_TRIAL_STATE_VALUES: {"trial_id", "state", "values", "datetime_start", "datetime_complete"},
    _Code.SET_TRIAL_INTERMEDIATE_VALUE: {"trial_id", "step", "intermediate_value"},
    _Code.SET_TRIAL_USER_ATTR: {"trial_id", "user_attr"},
    _Code.SET_TRIAL_SYSTEM_ATTR: {"trial_id", "system_attr"},
}  # fmt: skip
"""The operations that are followed, and their fields. A parameter that is set by itself, as Optuna's ``ask`` does, is
not among them: whether Optuna accepts it depends on the ranges of other trials."""
_OF_ALL: Final = frozenset({"op_code", "worker_id"})


class UnknownToUsError(Exception):
    """A line is none that is followed here."""


@dataclass(slots=True)
class JournalTrial:
    """A trial as the lines have it.

    Attributes:
        number: of the trial in its study.
        state: as it is now.
        started, finished: with their time zone.
        params: numbers as stored: of a choice, its position.
        user_attrs: of the trial.
    """

    number: int
    state: TrialState
    started: datetime | None
    finished: datetime | None
    params: dict[str, float]
    user_attrs: dict[str, Any]


@dataclass
class _JournalStudy:
    name: str
    user_attrs: dict[str, Any] = field(default_factory=dict)
    trials: list[JournalTrial] = field(default_factory=list)


class JournalReading:
    """What the lines so far say.

    Example:
        >>> reading = JournalReading()
        >>> reading.follow([b'{"op_code":0,"worker_id":"w","study_name":"demo","directions":[1]}'])
        >>> reading.study_id("demo"), reading.trials(0)
        (0, [])
    """

    def __init__(self) -> None:
        self.lines = 0
        self._studies: dict[int, _JournalStudy] = {}
        self._made = 0
        # Ids count the trials of all studies of the file, those of deleted studies too.
        self._trials: list[JournalTrial] = []

    @uncollected()
    def follow(self, lines: Iterable[bytes]) -> None:
        """Take in further lines.

        Raises:
            UnknownToUsError: one cannot be followed; what was taken in is of no use then.
        """
        for line in lines:
            self.lines += 1
            try:
                operation = decoded(line)
                code = operation["op_code"]
                if not operation.keys() <= _KNOWN[code] | _OF_ALL:
                    raise UnknownToUsError
                self._apply(code, operation)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise UnknownToUsError from error

    def study_id(self, name: str) -> int:
        """Identity of a study.

        Raises:
            KeyError: there is none of that name.
        """
        for study_id, study in self._studies.items():
            if study.name == name:
                return study_id
        raise KeyError(name)

    def attributes(self, study_id: int) -> dict[str, Any]:
        """User attributes of a study."""
        return dict(self._studies[study_id].user_attrs)

    def trials(self, study_id: int) -> list[JournalTrial]:
        """Trials of a study, ordered by number."""
        return self._studies[study_id].trials

    def _apply(self, code: int, operation: Mapping[str, Any]) -> None:
        match code:
            case _Code.CREATE_STUDY:
                if operation["study_name"] not in {study.name for study in self._studies.values()}:
                    self._studies[self._made] = _JournalStudy(operation["study_name"])
                    self._made += 1
            case _Code.DELETE_STUDY:
                self._studies.pop(operation["study_id"], None)
            case _Code.SET_STUDY_USER_ATTR:
                if study := self._studies.get(operation["study_id"]):
                    study.user_attrs.update(operation["user_attr"])
            case _Code.CREATE_TRIAL:
                if study := self._studies.get(operation["study_id"]):
                    self._trials.append(_created(operation, len(study.trials)))
                    study.trials.append(self._trials[-1])
            case _Code.SET_TRIAL_STATE_VALUES:
                if trial := self._open(operation["trial_id"]):
                    _change_state(trial, operation)
            case _Code.SET_TRIAL_USER_ATTR:
                if trial := self._open(operation["trial_id"]):
                    trial.user_attrs.update(operation["user_attr"])
            case _:
                pass  # No table shows it.

    def _open(self, trial_id: int) -> JournalTrial | None:
        """A trial that may be changed: it exists and has not ended."""
        if not 0 <= trial_id < len(self._trials) or self._trials[trial_id].state.is_finished():
            return None
        return self._trials[trial_id]


def decoded(text: str | bytes) -> Any:
    """The value of a JSON text: by pydantic's reader, three times as fast and as exact as Python's.

    Raises:
        ValueError: it is none.

    Example:
        >>> decoded('{"a": [0.1, NaN]}')
        {'a': [0.1, nan]}
    """
    try:
        return from_json(text)
    except ValueError:
        # Half a character of two, which Python writes and reads.
        return json.loads(text)


def _created(operation: Mapping[str, Any], number: int) -> JournalTrial:
    params = operation.get("params", {})
    if params.keys() - operation.get("distributions", {}).keys():
        raise UnknownToUsError
    return JournalTrial(
        number,
        TrialState(operation.get("state", TrialState.RUNNING.value)),
        _time(operation["datetime_start"]),
        _time(operation.get("datetime_complete")),
        params,
        operation.get("user_attrs", {}),
    )


def _change_state(trial: JournalTrial, operation: Mapping[str, Any]) -> None:
    state = TrialState(operation["state"])
    if state is TrialState.RUNNING:
        if trial.state is TrialState.RUNNING:
            return  # Two took up a waiting trial; the first has it.
        trial.started = _time(operation["datetime_start"])
    elif state.is_finished():
        trial.finished = _time(operation["datetime_complete"])
    trial.state = state


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    time = datetime.fromisoformat(text)
    return time if time.tzinfo is not None else time.astimezone()
