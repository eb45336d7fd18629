"""What was recorded with the trials of a study that have ended: read once, by column, for both tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd

from optimize.results.sources import Head, Source
from optimize.study.spec import StudySpec
from optimize.study.storage import TrialStorage

Floats = np.ndarray[Any, np.dtype[np.float64]]
_NOTHING: Final[Mapping[str, Any]] = {}


@dataclass(frozen=True, eq=False)
class Recorded:
    """Columns that nobody changes.

    Attributes:
        moment: which trials there were, and their states. What has ended does not change: as long as they are the same,
            so is everything here.
        objectives, features: by name, for each trial in the order of numbers; NaN where it has none.
        fields: further fields of results, of each trial; ``None`` where it has none.
        ran, failed: instances of each trial.
        instances: the table of instances.
    """

    moment: tuple[tuple[int, str], ...]
    objectives: Mapping[str, Floats]
    features: Mapping[str, Floats]
    fields: Mapping[str, Sequence[Any]]
    ran: Sequence[int]
    failed: Sequence[int]
    instances: pd.DataFrame


_FIELDS: Final = ("attempt", "seconds", "pack", "device", "failure", "stopped")
_last_read: Final[WeakKeyDictionary[TrialStorage, Recorded]] = WeakKeyDictionary()
"""What was read last of each open storage: the second table need not read it again."""


def recorded(storage: TrialStorage, spec: StudySpec, source: Source, heads: Sequence[Head]) -> Recorded:
    """What was recorded with the trials that had ended when ``heads`` were read."""
    moment = tuple((head.key, head.state) for head in heads)
    last = _last_read.get(storage)
    if last is None or last.moment != moment:
        last = _last_read[storage] = _read(spec, source, heads, moment)
    return last


def _read(spec: StudySpec, source: Source, heads: Sequence[Head], moment: tuple[tuple[int, str], ...]) -> Recorded:
    trials = len(heads)
    at = {head.key: position for position, head in enumerate(heads) if head.has_ended}
    objectives: dict[str, list[float | None]] = {name: [None] * trials for name in spec.evaluation.objectives}
    features: dict[str, list[float | None]] = {name: [None] * trials for name in spec.evaluation.measured}
    fields: dict[str, list[Any]] = {name: [None] * trials for name in _FIELDS}
    ran, failed = [0] * trials, [0] * trials
    instances = _Instances(spec.evaluation.measured)
    # Each result is let go before the next one: all of them at once would keep Python's garbage collection busy.
    for key, result in source.results():
        position = at.get(key)
        if position is None:
            continue
        for values, value in zip(objectives.values(), result.get("objectives") or (), strict=False):
            values[position] = value
        of_trial = result.get("features", _NOTHING)
        for name, values in features.items():
            values[position] = of_trial.get(name)
        for name, kept in fields.items():
            kept[position] = result.get(name)
        outcomes = result.get("instances", ())
        ran[position] = len(outcomes)
        failed[position] = instances.add(position, outcomes)
    return Recorded(
        moment=moment,
        objectives={name: floats(values) for name, values in objectives.items()},
        features={name: floats(values) for name, values in features.items()},
        fields=fields,
        ran=ran,
        failed=failed,
        instances=instances.table([head.number for head in heads]),
    )


class _Instances:
    """The table of instances while it is read, in any order of trials."""

    def __init__(self, measured: Sequence[str]) -> None:
        self._positions: list[int] = []
        self._instances: list[int] = []
        self._seeds: dict[str, list[int]] = {"network_seed": [], "data_seed": []}
        self._features: dict[str, list[float | None]] = {name: [] for name in measured}
        self._failures: list[str | None] = []

    def add(self, position: int, outcomes: Sequence[Mapping[str, Any]]) -> int:
        """Take in the instances of one trial, and return how many of them failed."""
        self._positions += [position] * len(outcomes)
        self._instances += range(len(outcomes))
        for name, seeds in self._seeds.items():
            seeds += [outcome[name] for outcome in outcomes]
        features = [outcome.get("features", _NOTHING) for outcome in outcomes]
        for name, values in self._features.items():
            values += [measured.get(name) for measured in features]
        self._failures += [outcome.get("failure") for outcome in outcomes]
        return sum("failure" in outcome for outcome in outcomes)

    def table(self, numbers: Sequence[int]) -> pd.DataFrame:
        """The table, ordered by trial and instance; ``numbers`` are those of the trials by position."""
        positions = np.array(self._positions, dtype=np.int64)
        order = np.argsort(positions, kind="stable")
        columns: dict[str, Any] = {
            "number": np.array(numbers, dtype=np.int64)[positions[order]],
            "instance": np.array(self._instances, dtype=np.int64)[order],
        }
        for name, seeds in self._seeds.items():
            columns[name] = np.array(seeds, dtype=np.int64)[order]
        for name, values in self._features.items():
            columns[f"features.{name}"] = floats(values)[order]
        columns["failure"] = pd.Series(self._failures, dtype="str").iloc[order].reset_index(drop=True)
        return pd.DataFrame(columns)


def floats(values: Iterable[float | None]) -> Floats:
    """A column of numbers, NaN where there is none."""
    return np.array(list(values), dtype=np.float64)
