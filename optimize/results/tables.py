"""The two tables of a study. They are derived: whatever happens to them, the storage has it all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import pandas as pd

from eiann.errors import UserError
from optimize.files import replacing
from optimize.results.rows import TrialRow, trial_rows
from optimize.study.spec import StudySpec
from optimize.study.storage import TrialStorage

TableName = Literal["trials", "instances"]


def trials_table(storage: TrialStorage, spec: StudySpec) -> pd.DataFrame:
    """One row for each trial, ordered by number.

    Columns: ``number, state, objectives.*, features.*, params.*, instances_ok, instances_failed, attempt, seconds,
    pack, device, started, finished, failure``. Objectives are as minimized; features are aggregated over instances, in
    their own units; ``seconds`` is the trial's share in the wall time of its pack; times are UTC; ``failure`` is words,
    of a trial that was given up early (PRUNED) too; its features are those of the instances that it had.
    """
    rows = trial_rows(storage, spec)
    results = [row.result for row in rows]
    evaluation = spec.evaluation
    objectives = list(evaluation.objectives)
    columns: dict[str, Any] = {
        "number": _column([row.number for row in rows], dtype="int64"),
        "state": _column([row.state for row in rows], dtype="str"),
    }
    for i, name in enumerate(objectives):
        columns[f"objectives.{name}"] = _floats(_nth(result.get("objectives"), i) for result in results)
    for name in evaluation.measured:
        columns[f"features.{name}"] = _floats(result.get("features", {}).get(name) for result in results)
    for parameter in spec.search_space.searched:
        columns[f"params.{parameter.name}"] = _params(rows, parameter.name, parameter.kind)
    failed = [sum("failure" in instance for instance in result.get("instances", ())) for result in results]
    total = [len(result.get("instances", ())) for result in results]
    columns |= {
        "instances_ok": _column([ran - bad for ran, bad in zip(total, failed, strict=True)], dtype="int64"),
        "instances_failed": _column(failed, dtype="int64"),
        "attempt": _column([row.result.get("attempt", row.attempt) for row in rows], dtype="int64"),
        "seconds": _floats(result.get("seconds") for result in results),
        "pack": _column([result.get("pack") for result in results], dtype="Int64"),
        "device": _column([result.get("device") for result in results], dtype="str"),
        "started": pd.to_datetime(pd.Series([row.started for row in rows], dtype="object"), utc=True),
        "finished": pd.to_datetime(pd.Series([row.finished for row in rows], dtype="object"), utc=True),
        "failure": _column([result.get("failure") or result.get("stopped") for result in results], dtype="str"),
    }
    return pd.DataFrame(columns)


def instances_table(storage: TrialStorage, spec: StudySpec) -> pd.DataFrame:
    """One row for each instance of each trial that ended, ordered by trial and instance.

    Columns: ``number, instance, network_seed, data_seed, features.*, failure``.
    """
    numbers: list[int] = []
    positions: list[int] = []
    instances: list[Mapping[str, Any]] = []
    for row in trial_rows(storage, spec, params=False):
        for position, instance in enumerate(row.result.get("instances", ())):
            numbers.append(row.number)
            positions.append(position)
            instances.append(instance)
    columns: dict[str, Any] = {
        "number": _column(numbers, dtype="int64"),
        "instance": _column(positions, dtype="int64"),
        "network_seed": _column([instance["network_seed"] for instance in instances], dtype="int64"),
        "data_seed": _column([instance["data_seed"] for instance in instances], dtype="int64"),
    }
    for name in spec.evaluation.measured:
        columns[f"features.{name}"] = _floats(instance.get("features", {}).get(name) for instance in instances)
    columns["failure"] = _column([instance.get("failure") for instance in instances], dtype="str")
    return pd.DataFrame(columns)


_WRITERS: Final[Mapping[str, Callable[[pd.DataFrame, Path], Any]]] = {
    ".parquet": lambda table, path: table.to_parquet(path, index=False),
    ".csv": lambda table, path: table.to_csv(path, index=False),
}


def check_table_path(path: Path) -> None:
    """Whether a table can be written there: asked before the work that it is to hold.

    Raises:
        UserError: the name has an ending that is none of a table, or there is no such folder.
    """
    if path.suffix not in _WRITERS:
        raise UserError(f"{path}: found the ending {path.suffix!r}; a table is written as .parquet or .csv")
    if not path.parent.is_dir():
        raise UserError(f"{path}: there is no folder {path.parent}")


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table as parquet or CSV, by the ending of the name.

    Raises:
        UserError: see ``check_table_path``.
    """
    check_table_path(path)
    with replacing(path, sync=False) as temporary:
        _WRITERS[path.suffix](table, temporary)


def _column(values: Any, dtype: str) -> pd.Series[Any]:
    return pd.Series(values, dtype=dtype)


def _floats(values: Iterable[float | None]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _nth(values: Sequence[float] | None, i: int) -> float | None:
    return None if values is None else values[i]


def _params(rows: Sequence[TrialRow], name: str, kind: str) -> Any:
    values = [row.params.get(name) for row in rows]
    if kind == "float":
        return _floats(values)  # type: ignore[arg-type]
    # A parameter that depends on another one is absent in some trials.
    return _column(values, dtype="Int64" if kind == "int" else "object")
