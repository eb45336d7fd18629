"""Search histories of Nested (HDF5) as tables of trials."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from eiann.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

_NAMES: Final = {"params": "param_names", "features": "feature_names", "objectives": "objective_names"}
_STATISTICS: Final = ("rank", "energy", "fitness", "distance")
_FAILURE: Final = "failed in the imported search; the reason was not recorded"


@dataclass(frozen=True)
class _Individual:
    """One candidate: a group with its vector ``x``, and what was measured unless it failed."""

    generation: int
    position: int
    failed: bool
    node: Any


def read_history(path: Path | str) -> pd.DataFrame:
    """The candidates of a Nested search, one row each, in the order in which they were tried.

    The file holds a group for every generation, numbered from 0, with the groups ``population`` and ``failed`` of
    candidates, and ``survivors`` and ``specialists``, which repeat some of them; the names of parameters, features and
    objectives are attributes of the file.

    Columns: ``number, state, generation, objectives.*, features.*, params.*, rank, energy, fitness, distance,
    survivor, specialist, failure``, as far as they mean the same they are those of a study's table of trials. So the
    table serves as ``eiann optimize --points``, and the functions of ``optimize.analysis`` take it.

    Raises:
        UserError: the file is missing, is not such a file, or is broken.

    Example:
        ``read_history("20250108_142503_spiral_history.hdf5").nsmallest(5, "objectives.loss")``
    """
    import h5py

    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: there is no such file; a Nested history is an .hdf5 file")
    try:
        with h5py.File(path, "r") as file:
            return _table(path, file)
    except OSError as error:
        raise UserError(f"{path}: found a broken or foreign file ({' '.join(str(error).split())})") from None


def _table(path: Path, file: Any) -> pd.DataFrame:
    import pandas as pd

    names = {kind: _names(path, file, attribute) for kind, attribute in _NAMES.items()}
    generations = sorted((name for name in file if name.isdigit()), key=int)
    if not generations:
        raise UserError(f"{path}: found no generation; a Nested history has the groups 0, 1, 2, ...")
    found = [individual for name in generations for individual in _individuals(path, file[name], int(name))]
    columns: dict[str, Any] = {
        "number": np.arange(len(found)),
        "state": ["FAIL" if one.failed else "COMPLETE" for one in found],
        "generation": [one.generation for one in found],
    }
    for kind, dataset in (("objectives", "objectives"), ("features", "features"), ("params", "x")):
        values = _matrix(path, found, dataset, names[kind])
        columns |= {f"{kind}.{name}": values[:, i] for i, name in enumerate(names[kind])}
    for name in _STATISTICS:
        columns[name] = [_number(one.node.attrs.get(name)) for one in found]
    columns["survivor"] = [bool(_number(one.node.attrs.get("survivor")) == 1.0) for one in found]
    columns["specialist"] = _among(file, found, "specialists")
    columns["failure"] = pd.Series([_FAILURE if one.failed else None for one in found], dtype="str")
    return pd.DataFrame(columns)


def _names(path: Path, file: Any, attribute: str) -> tuple[str, ...]:
    found = file.attrs.get(attribute)
    if found is None:
        raise UserError(f"{path}: found no attribute {attribute!r}; this is not a history that Nested wrote")
    return tuple(name.decode() if isinstance(name, bytes) else str(name) for name in np.ravel(found))


def _individuals(path: Path, generation: Any, number: int) -> Iterator[_Individual]:
    for group in ("population", "failed"):
        members: Mapping[str, Any] | None = generation.get(group)
        if members is None:
            raise UserError(f"{path}: generation {number} has no group {group!r}; the file is incomplete")
        for name in sorted(members, key=int):
            yield _Individual(number, int(name), group == "failed", members[name])


def _matrix(path: Path, found: Sequence[_Individual], dataset: str, names: Sequence[str]) -> np.ndarray[Any, Any]:
    """(candidates, names); NaN where a candidate has no such values."""
    rows = np.full((len(found), len(names)), np.nan)
    for row, one in zip(rows, found, strict=True):
        if dataset not in one.node:
            continue
        values = np.asarray(one.node[dataset][()], dtype=np.float64)
        if values.shape != row.shape:
            place = f"generation {one.generation}, candidate {one.position}"
            raise UserError(f"{path}: {place} has {values.size} values of {dataset!r} for {len(names)} names")
        row[:] = values
    return rows


def _among(file: Any, found: Sequence[_Individual], group: str) -> list[bool]:
    """Whether a candidate is repeated in that group of any generation: it is the same if its vector is."""
    chosen = {
        np.asarray(member["x"][()]).tobytes()
        for name in file
        if name.isdigit()
        for member in file[name].get(group, {}).values()
    }
    return [np.asarray(one.node["x"][()]).tobytes() in chosen for one in found]


def _number(value: Any) -> float:
    return np.nan if value is None else float(value)
