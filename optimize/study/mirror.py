"""The copy of a study that samplers think in: one study in memory, of whose ended trials some may be forgotten."""

from __future__ import annotations

import copy
from collections.abc import Container, Iterable, Sequence
from datetime import datetime
from typing import Any, Final, NoReturn

from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.study._frozen import FrozenStudy
from optuna.trial import FrozenTrial, TrialState
from typing_extensions import override

NAME: Final = "mirror"
STUDY: Final = 0
"""Its id, and its name above: there is one study in it."""
# Of ended trials, which are not written to any more, all have this one.
_NOTHING: Final[dict[Any, Any]] = {}


class Mirror(BaseStorage):
    """What Optuna's samplers ask of a storage, for one study in one thread; ids of trials are their numbers.

    Optuna's own storage in memory keeps every trial for ever and copies a trial for each of its parameters. Here a
    trial under way is written in place, an ended one takes only what samplers look at, and ``forget`` drops it.

    Args:
        directions: of the objectives.

    Example:
        >>> mirror = Mirror([StudyDirection.MINIMIZE])
        >>> number = mirror.create_new_trial(0)
        >>> mirror.set_trial_state_values(number, TrialState.COMPLETE, [0.5])
        True
        >>> mirror.forget([number])
        >>> mirror.get_all_trials(0)
        []
    """

    def __init__(self, directions: Sequence[StudyDirection]) -> None:
        self._directions = list(directions)
        self._attributes: dict[str, Any] = {}
        self._trials: dict[int, FrozenTrial] = {}
        self.next_number = 0

    def forget(self, numbers: Iterable[int]) -> None:
        """Drop ended trials; nothing but their numbers remains, which are not given again."""
        for number in numbers:
            if not self._trials[number].state.is_finished():
                raise ValueError(f"trial {number} has not ended")
            del self._trials[number]

    # ------------------------------------------------------------------------------------------------------ the study

    @override
    def get_study_id_from_name(self, study_name: str) -> int:
        return STUDY

    @override
    def get_study_name_from_id(self, study_id: int) -> str:
        return NAME

    @override
    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        return self._directions

    @override
    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        return {}

    @override
    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        return self._attributes

    @override
    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        self._attributes[key] = value

    @override
    def get_all_studies(self) -> list[FrozenStudy]:
        return [
            FrozenStudy(
                study_name=NAME, direction=None, directions=self._directions, user_attrs={},
                system_attrs=dict(self._attributes), study_id=STUDY,
            )
        ]  # fmt: skip

    # --------------------------------------------------------------------------------------------------------- trials

    @override
    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        number = self.next_number
        self.next_number += 1
        if template_trial is None:
            self._trials[number] = running_trial(number)
        else:
            self._trials[number] = _ended(template_trial) if template_trial.state.is_finished() else template_trial
        return number

    @override
    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        trial = self.get_trial(trial_id)
        trial.params[param_name] = distribution.to_external_repr(param_value_internal)
        trial.distributions[param_name] = distribution

    @override
    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        trial = copy.copy(self.get_trial(trial_id))
        trial.state = state
        if values is not None:
            trial.values = values
        self._trials[trial_id] = _ended(trial) if state.is_finished() else trial
        return True

    @override
    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        self.get_trial(trial_id).system_attrs[key] = value

    @override
    def get_trial(self, trial_id: int) -> FrozenTrial:
        return self._trials[trial_id]

    @override
    def get_trial_id_from_study_id_trial_number(self, study_id: int, trial_number: int) -> int:
        if trial_number not in self._trials:
            raise KeyError(f"trial {trial_number} is not known or was forgotten")
        return trial_number

    @override
    def get_trial_number_from_id(self, trial_id: int) -> int:
        return trial_id

    @override
    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        if states == (TrialState.WAITING,):
            return []  # every ask looks for some first
        trials = [trial for trial in self._trials.values() if states is None or trial.state in states]
        return copy.deepcopy(trials) if deepcopy else trials

    # --------------------------------------------------------------------------------------- what no sampler asks for

    @override
    def create_new_study(self, directions: Sequence[StudyDirection], study_name: str | None = None) -> NoReturn:
        raise NotImplementedError("a mirror is of one study")

    @override
    def delete_study(self, study_id: int) -> NoReturn:
        raise NotImplementedError("a mirror is of one study")

    @override
    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> NoReturn:
        raise NotImplementedError("samplers write system attributes")

    @override
    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> NoReturn:
        raise NotImplementedError("samplers write system attributes")

    @override
    def set_trial_intermediate_value(self, trial_id: int, step: int, intermediate_value: float) -> NoReturn:
        raise NotImplementedError("samplers write system attributes")


def running_trial(number: int) -> FrozenTrial:
    """A trial that begins, as Optuna's storages make it."""
    return FrozenTrial(
        trial_id=number,
        number=number,
        state=TrialState.RUNNING,
        params={},
        distributions={},
        user_attrs={},
        system_attrs={},
        value=None,
        intermediate_values={},
        datetime_start=datetime.now(),  # noqa: DTZ005 (Optuna's are without a zone)
        datetime_complete=None,
    )


def mirrored(trial: FrozenTrial, distributions: dict[str, BaseDistribution]) -> FrozenTrial:
    """A trial of the storage as it is in the mirror: results are large and no sampler looks at them.

    ``distributions`` may belong to many trials; nobody changes those of one that was proposed.
    """
    return FrozenTrial(
        number=trial.number,
        state=trial.state,
        value=None,
        values=trial.values,
        datetime_start=trial.datetime_start,
        datetime_complete=trial.datetime_complete,
        params=trial.params,
        distributions=distributions,
        user_attrs={},
        system_attrs=trial.system_attrs,
        intermediate_values={},
        trial_id=trial.number,
    )


def _ended(trial: FrozenTrial) -> FrozenTrial:
    """The same trial, in as little memory as samplers allow."""
    trial.datetime_start = trial.datetime_complete = None
    trial.user_attrs = trial.intermediate_values = _NOTHING
    trial.system_attrs = trial.system_attrs or _NOTHING
    return trial
