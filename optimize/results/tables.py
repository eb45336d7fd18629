"""The two tables of a study. They are derived: whatever happens to them, the storage has it all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import pandas as pd

from eiann.errors import UserError
from optimize.files import replacing
from optimize.garbage import uncollected
from optimize.results.recorded import floats, recorded
from optimize.results.sources import source_of
from optimize.space.document import Value
from optimize.study.spec import StudySpec
from optimize.study.storage import TrialStorage

TableName = Literal["trials", "instances"]


@uncollected()
def trials_table(storage: TrialStorage, spec: StudySpec) -> pd.DataFrame:
    """One row for each trial, ordered by number.

    Columns: ``number, state, objectives.*, features.*, params.*, instances_ok, instances_failed, attempt, seconds,
    pack, device, started, finished, failure``. Objectives are as minimized; features are aggregated over instances, in
    their own units; ``seconds`` is the trial's share in the wall time of its pack; times are UTC; ``failure`` is words,
    of a trial that was given up early (PRUNED) too; its features are those of the instances that it had.
    """
    with source_of(storage, spec) as source:
        heads = source.heads()
        ended = recorded(storage, spec, source, heads)
        at = {head.key: position for position, head in enumerate(heads)}
        params: dict[str, list[Value | None]] = {p.name: [None] * len(heads) for p in spec.search_space.searched}
        for key, name, value in source.params():
            if (position := at.get(key)) is not None and name in params:
                params[name][position] = value
        attempts = [1] * len(heads)
        for key, attempt in source.attempts():
            if (position := at.get(key)) is not None:
                attempts[position] = attempt
    fields = ended.fields
    columns: dict[str, Any] = {
        "number": _column([head.number for head in heads], dtype="int64"),
        "state": _column([head.state for head in heads], dtype="str"),
    }
    columns |= {f"objectives.{name}": values for name, values in ended.objectives.items()}
    columns |= {f"features.{name}": values for name, values in ended.features.items()}
    for parameter in spec.search_space.searched:
        columns[f"params.{parameter.name}"] = _params(params[parameter.name], parameter.kind)
    columns |= {
        "instances_ok": _column([ran - bad for ran, bad in zip(ended.ran, ended.failed, strict=True)], dtype="int64"),
        "instances_failed": _column(ended.failed, dtype="int64"),
        "attempt": _column(
            [noted if own is None else own for own, noted in zip(fields["attempt"], attempts, strict=True)],
            dtype="int64",
        ),
        "seconds": floats(fields["seconds"]),
        "pack": _column(fields["pack"], dtype="Int64"),
        "device": _column(fields["device"], dtype="str"),
        "started": pd.to_datetime(pd.Series([head.started for head in heads], dtype="object"), utc=True),
        "finished": pd.to_datetime(pd.Series([head.finished for head in heads], dtype="object"), utc=True),
        "failure": _column(
            [why or stopped for why, stopped in zip(fields["failure"], fields["stopped"], strict=True)], dtype="str"
        ),
    }
    return pd.DataFrame(columns)


@uncollected()
def instances_table(storage: TrialStorage, spec: StudySpec) -> pd.DataFrame:
    """One row for each instance of each trial that ended, ordered by trial and instance.

    Columns: ``number, instance, network_seed, data_seed, features.*, failure``.
    """
    with source_of(storage, spec) as source:
        return recorded(storage, spec, source, source.heads()).instances.copy()


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


def _params(values: Sequence[Value | None], kind: str) -> Any:
    if kind == "float":
        return floats(values)  # type: ignore[arg-type]
    # A parameter that depends on another one is absent in some trials.
    return _column(values, dtype="Int64" if kind == "int" else "object")
