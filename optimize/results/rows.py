"""What a storage holds of a study's trials, as rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from optimize.results.sources import source_of
from optimize.space.document import Value
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
    """All trials of a study, ordered by number.

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
    with source_of(storage, spec) as source:
        heads = source.heads()
        rows = {head.key: TrialRow(*head[1:]) for head in heads}
        ended = {head.key for head in heads if head.has_ended}
        for key, name, value in source.params():
            if row := rows.get(key):
                row.params[name] = value
        for key, attempt in source.attempts():
            if row := rows.get(key):
                row.attempt = attempt
        for key, result in source.results():
            if key in ended:
                rows[key].result = dict(result)
    return list(rows.values())
