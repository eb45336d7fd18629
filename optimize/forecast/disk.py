"""How much disk a trial takes: measured on a small study in a temporary folder, written by what writes real ones."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from optimize.objective import InstanceOutcome
from optimize.space import SearchSpace
from optimize.space.document import NamedWithOptions
from optimize.study import Resources, Study, StudySpec, TrialJob
from optimize.tune.inline import run_inline
from optimize.tune.trainer import PackMeasurement

_JOURNAL: Final = "journal:"
_FEW: Final = 4
_MANY: Final = 16


def disk_of_trials(space: SearchSpace, *, storage: str | None = None) -> tuple[int, int]:
    """Bytes of an empty study, and of one trial with all its instances: storage, durable results and tables together.

    Args:
        space: what will be searched, with the number of instances that it will have.
        storage: URL of the storage that it will have. A journal is measured as a journal, everything else as SQLite:
            the same rows, in another database.
    """
    with tempfile.TemporaryDirectory(prefix="eiann-forecast-") as folder:
        place = Path(folder)
        journal = f"{_JOURNAL}{place / 'journal.log'}" if storage is not None and storage.startswith(_JOURNAL) else None
        study = Study.create(
            # Without early stopping and races, whose records are small: every trial then has all that one can have.
            space.with_early(None, None),
            name="forecast",
            studies=place / "studies",
            trials=_FEW,
            sampler=NamedWithOptions(name="random"),
            resources=Resources(pack=_FEW),
            storage=journal,
        )
        try:
            few = _bytes_with(study, place, _FEW)
            many = _bytes_with(study, place, _MANY)
        finally:
            study.close()
    trial = max(1, (many - few) // (_MANY - _FEW))
    return max(0, few - _FEW * trial), trial


def _bytes_with(study: Study, place: Path, trials: int) -> int:
    from optimize.results import write_table

    study.budget = trials
    run_inline(study, _Random(study.spec))
    write_table(study.trials(), study.folder.tables / "trials.parquet")
    write_table(study.instances(), study.folder.tables / "instances.parquet")
    return sum(_on_disk(path) for path in place.rglob("*") if path.is_file())


def _on_disk(path: Path) -> int:
    """What a file takes of the disk: whole blocks, however small it is."""
    return max(path.stat().st_blocks * 512, path.stat().st_size)


class _Random:
    """Answers with numbers as long as real ones, at once."""

    def __init__(self, spec: StudySpec) -> None:
        self._measured = spec.evaluation.measured
        self._random = random.Random(0)

    def train(self, jobs: Sequence[TrialJob]) -> PackMeasurement:
        outcomes = tuple(
            tuple(
                InstanceOutcome(*seeds, {name: 100 * self._random.random() for name in self._measured})
                for seeds in job.seeds
            )
            for job in jobs
        )
        return PackMeasurement(outcomes, executor="native", device="cpu")
