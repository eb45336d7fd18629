"""A study as optuna-dashboard shall see it: readable, with notes and pictures, and nothing in it can be changed.

The storage is the only truth about a study, and a driver may be writing to it. So what the dashboard shows beside the
trials is made when it asks, and every write, such as deleting the study, is refused.
"""

from __future__ import annotations

import copy
import json
import uuid
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final, NoReturn

import optuna
from optuna.artifacts.exceptions import ArtifactNotFound
from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import StudyDirection
from optuna.study._frozen import FrozenStudy
from optuna.trial import FrozenTrial, TrialState
from typing_extensions import override

from optimize.dashboard.notes import study_note, trial_note
from optimize.objective import objective_labels
from optimize.study import Study
from optimize.study.ledger import RESULT
from optimize.study.opening import JOURNAL, database

NOTED: Final = 300
"""So many of the best trials have a note, and as many of the last: the dashboard reads all notes for every trial."""

_ARTIFACT: Final = "artifacts:"
_NAMES: Final = "study:metric_names"
_PIECE: Final = 2000


class ReadOnlyError(RuntimeError):
    """Something was to be changed through the dashboard."""


class Pictures:
    """Pictures of a study's folder by identity, as optuna-dashboard wants artifacts.

    Args:
        folder: of the study. Pictures that come to be later are found too.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of_study(self) -> dict[str, Path]:
        """Figures of the report."""
        return self._found("figures")

    def of_trial(self, number: int) -> dict[str, Path]:
        """Pictures of a network that was trained again."""
        return self._found(f"best/trial-{number}/plots")

    def trials(self) -> list[int]:
        """Numbers of the trials that have pictures."""
        names = [path.parent.name for path in self._folder.glob("best/trial-*/plots")]
        return [int(name.removeprefix("trial-")) for name in names]

    def _found(self, place: str) -> dict[str, Path]:
        paths = sorted((self._folder / place).glob("*.png"))
        return {str(uuid.uuid5(uuid.NAMESPACE_URL, f"{place}/{path.name}")): path for path in paths}

    def open_reader(self, artifact_id: str) -> BinaryIO:
        """A picture to be read.

        Raises:
            ArtifactNotFound: there is none of that identity.
        """
        known = self.of_study()
        for number in self.trials():
            known |= self.of_trial(number)
        if artifact_id not in known:
            raise ArtifactNotFound(f"there is no picture {artifact_id}")
        return known[artifact_id].open("rb")

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        """Refused."""
        _refuse(artifact_id, content_body)

    def remove(self, artifact_id: str) -> None:
        """Refused."""
        _refuse(artifact_id)


class StudyView(BaseStorage):
    """One study of a storage, read only.

    Args:
        study: to be shown.
        links: further pages about it, by name.
    """

    def __init__(self, study: Study, links: Mapping[str, str] | None = None) -> None:
        self._study = study
        self._links = links or {}
        # The study's own storage is asked first: it knows whether this is the study that the folder means.
        self._id = study.storage.study_id
        self._inner = _open(study.folder.url(study.spec.storage))
        self.pictures = Pictures(study.folder.path)

    def close(self) -> None:
        """Let go of connections."""
        self._inner.remove_session()
        if isinstance(self._inner, RDBStorage):
            self._inner.engine.dispose()

    # ------------------------------------------------------------------------------------------------ reading

    @override
    def get_all_studies(self) -> list[FrozenStudy]:
        (own,) = (study for study in self._inner.get_all_studies() if study._study_id == self._id)  # noqa: SLF001
        shown = copy.copy(own)
        shown.system_attrs = self.get_study_system_attrs(self._id)
        shown.user_attrs = self.get_study_user_attrs(self._id)
        return [shown]

    @override
    def get_study_id_from_name(self, study_name: str) -> int:
        if study_name != self._study.name:
            raise KeyError(study_name)
        return self._id

    @override
    def get_study_name_from_id(self, study_id: int) -> str:
        self._own(study_id)
        return self._study.name

    @override
    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        self._own(study_id)
        return self._inner.get_study_directions(study_id)

    @override
    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        self._own(study_id)
        spec = self._study.spec
        return {"space": spec.search_space.name, "sampler": spec.sampler.name, "budget": self._study.budget}

    @override
    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        self._own(study_id)
        trials = self._inner.get_all_trials(self._id, deepcopy=False)
        attrs: dict[str, Any] = {_NAMES: list(objective_labels(self._study.spec.evaluation.objectives))}
        attrs |= _note("dashboard:", study_note(self._study, trials, self._links))
        for trial in _worth_noting(trials):
            attrs |= _note(f"dashboard:{trial._trial_id}:", trial_note(trial, self._study.spec.evaluation))  # noqa: SLF001
        return attrs | _artifacts(self.pictures.of_study())

    @override
    def get_trial(self, trial_id: int) -> FrozenTrial:
        return self._shown(self._inner.get_trial(trial_id))

    @override
    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        self._own(study_id)
        return [self._shown(trial) for trial in self._inner.get_all_trials(study_id, deepcopy=False, states=states)]

    def _own(self, study_id: int) -> None:
        if study_id != self._id:
            raise KeyError(f"no study {study_id}")

    def _shown(self, trial: FrozenTrial) -> FrozenTrial:
        """The trial with what was recorded as plain attributes, which the dashboard can plot, and its pictures."""
        shown = copy.copy(trial)
        result = trial.user_attrs.get(RESULT, {})
        instances = result.get("instances", ())
        attrs = {name: result[name] for name in ("failure", "executor", "device", "pack", "seconds") if name in result}
        attrs |= dict(result.get("features", {}))
        if instances:
            attrs["instances failed"] = sum("failure" in instance for instance in instances)
        shown.user_attrs = attrs
        shown.system_attrs = _artifacts(self.pictures.of_trial(trial.number))
        return shown

    # ------------------------------------------------------------------------------------------------ writing: refused

    @override
    def create_new_study(self, directions: Sequence[StudyDirection], study_name: str | None = None) -> int:
        _refuse()

    @override
    def delete_study(self, study_id: int) -> None:
        _refuse()

    @override
    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        _refuse()

    @override
    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        _refuse()

    @override
    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        _refuse()

    @override
    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        _refuse()

    @override
    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        _refuse()

    @override
    def set_trial_intermediate_value(self, trial_id: int, step: int, intermediate_value: float) -> None:
        _refuse()

    @override
    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        _refuse()

    @override
    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        _refuse()


def _refuse(*_: object) -> NoReturn:
    raise ReadOnlyError("this dashboard shows a study and changes nothing")


def _open(url: str) -> BaseStorage:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if url.startswith(JOURNAL):
        return JournalStorage(JournalFileBackend(url.removeprefix(JOURNAL)))
    return database(url)


def _worth_noting(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    with_result = [trial for trial in trials if RESULT in trial.user_attrs]
    complete = [trial for trial in with_result if trial.state is TrialState.COMPLETE and trial.values]
    best = sorted(complete, key=lambda trial: trial.values[0])[:NOTED]
    chosen = {trial.number: trial for trial in (*best, *with_result[-NOTED:])}
    return [chosen[number] for number in sorted(chosen)]


def _note(prefix: str, body: str) -> dict[str, Any]:
    """A note as optuna-dashboard stores one: a version, and the text in numbered pieces."""
    pieces = [body[i : i + _PIECE] for i in range(0, len(body), _PIECE)]
    return {f"{prefix}note_ver": 1, **{f"{prefix}note_str:{i}": piece for i, piece in enumerate(pieces)}}


def _artifacts(pictures: Mapping[str, Path]) -> dict[str, str]:
    return {
        _ARTIFACT + identity: json.dumps(
            {"artifact_id": identity, "filename": path.name, "mimetype": "image/png", "encoding": None}
        )
        for identity, path in pictures.items()
    }
