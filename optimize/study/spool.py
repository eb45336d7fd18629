"""Results on disk, one file for each attempt at a trial, written where the trial was computed and before it is told."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from optimize.early import RungValues
from optimize.files import TEMPORARY, write_texts
from optimize.objective import InstanceOutcome
from optimize.space.document import Value

_NAME: Final = re.compile(r"(\d{6,})\.(\d+)\.json")


class TrialResult(BaseModel):
    """All that is known of a trial once it was computed.

    Attributes:
        study_id: of the study it belongs to.
        number: of the trial.
        attempt: 1 for the first; larger after a crash or a stop.
        params: what was computed. A result only counts for a trial with exactly these parameters.
        instances: what was measured, instance by instance.
        features: aggregated over the instances.
        objectives: what is minimized; ``None`` for a trial that failed.
        failure: why it failed.
        stopped: why it was given up early; then it has no objectives and no failure.
        rungs: its intermediate values, where trials are stopped early.
        pack: number of the pack it was in.
        device, executor: where and by what it was computed.
        seconds: wall time of its pack, divided by the number of trials in it; where they end one by one, what passed
            since the one before it ended.
        started: when its pack did, UTC.
        finished: when it was known, UTC.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    schema_version: Literal[1] = 1
    study_id: str
    number: Annotated[int, Field(ge=0)]
    attempt: Annotated[int, Field(ge=1)] = 1
    params: dict[str, Value]
    instances: tuple[InstanceOutcome, ...] = ()
    features: dict[str, float] = {}
    objectives: tuple[float, ...] | None = None
    failure: str | None = None
    stopped: str | None = None
    rungs: tuple[RungValues, ...] = ()
    pack: int | None = None
    device: str | None = None
    executor: str | None = None
    seconds: float | None = None
    started: datetime | None = None
    finished: datetime | None = None

    @property
    def instances_failed(self) -> int:
        """How many instances failed."""
        return sum(outcome.failure is not None for outcome in self.instances)


class Spool:
    """The folder ``results/`` of a study.

    A file appears whole or not at all and is never changed. Files of several attempts at one trial stand beside each
    other; the storage records one of them.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, number: int, attempt: int) -> Path:
        """Where the result of this attempt is kept."""
        return self.folder / f"{number:06d}.{attempt}.json"

    def write(self, results: Iterable[TrialResult]) -> None:
        """Make results durable. A result that is there already is left alone."""
        missing = {self.path(result.number, result.attempt): result for result in results}
        missing = {path: result for path, result in missing.items() if not path.exists()}
        if missing:
            write_texts({path: result.model_dump_json(exclude_none=True) for path, result in missing.items()})

    def attempts(self, number: int) -> list[Path]:
        """Files of the attempts at one trial, the first attempt first."""
        found = [
            (int(match[2]), path) for path, match in self._files(f"{number:06d}.*.json") if int(match[1]) == number
        ]
        return [path for _, path in sorted(found)]

    def read(self, number: int) -> TrialResult | None:
        """The first attempt at a trial that gave a result, or ``None``."""
        for path in self.attempts(number):
            if (result := self.load(path)) is not None:
                return result
        return None

    def load(self, path: Path) -> TrialResult | None:
        """One file, or ``None`` where it holds no result: it is then as if it were absent, and is computed again."""
        try:
            return TrialResult.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            return None

    def clean(self) -> None:
        """Remove what interrupted writes left."""
        for path in self.folder.glob(f".*{TEMPORARY}"):
            path.unlink(missing_ok=True)

    def _files(self, pattern: str) -> list[tuple[Path, re.Match[str]]]:
        return [(path, match) for path in self.folder.glob(pattern) if (match := _NAME.fullmatch(path.name))]
