"""What a recorder leaves behind, in memory or on the disk: values by name and training step."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from eiann.errors import UserError
from eiann.io.tensors import read_tensors, write_tensors

KIND = "part of a recording"
STEPS = "steps"
_PARTS = "part"


class Recording(Mapping[str, Tensor]):
    """Values that were recorded: name -> (R, records, ...); ``steps`` (records,) are the training steps of the records.

    Example:
        >>> recording = Recording(torch.tensor([0, 50]), {"activity:H1.E": torch.zeros(3, 2, 128)})
        >>> recording["activity:H1.E"].shape
        torch.Size([3, 2, 128])
    """

    def __init__(self, steps: Tensor, values: Mapping[str, Tensor]) -> None:
        self.steps = steps
        self._values = dict(values)

    @classmethod
    def open(cls, folder: str | Path) -> Recording:
        """All of what was streamed into a folder.

        Raises:
            UserError: there is no recording, or a part of it is damaged.
        """
        paths = parts(Path(folder))
        if not paths:
            raise UserError(f"{folder}: found no recording; a folder that a recorder streamed into is needed")
        read = [read_tensors(path, KIND)[0] for path in paths]
        whole = {name: torch.cat([part[name] for part in read]) for name in read[0]}
        return cls(whole.pop(STEPS), {name: value.transpose(0, 1) for name, value in whole.items()})

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._values:
            raise KeyError(f"{name!r} was not recorded; there are: {', '.join(self._values)}")
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


class Sink(Protocol):
    """Where records go."""

    def begin(self, state: Mapping[str, Tensor] | None) -> None:
        """Be ready for the first record, or for the one after those in ``state``."""
        ...

    def add(self, step: int, values: Mapping[str, Tensor]) -> None:
        """One record: name -> (R, ...), on the CPU."""
        ...

    def end(self) -> None:
        """No more will come."""
        ...

    def state(self) -> dict[str, Tensor]:
        """What is in memory, for a checkpoint."""
        ...

    def recording(self) -> Recording:
        """What was recorded."""
        ...


class Memory:
    """Keeps the last records in memory.

    Args:
        limit: how many at most; older ones are dropped.
    """

    def __init__(self, limit: int = 1000) -> None:
        if limit < 1:
            raise UserError(f"recorder: found {limit} as limit of records in memory; it is at least 1")
        self._records: deque[tuple[int, Mapping[str, Tensor]]] = deque(maxlen=limit)

    def begin(self, state: Mapping[str, Tensor] | None) -> None:
        """Take up what a checkpoint has; what an earlier training call recorded is forgotten."""
        self._records.clear()
        self._records.extend(_split(state or {}))

    def add(self, step: int, values: Mapping[str, Tensor]) -> None:
        """One record."""
        self._records.append((step, values))

    def end(self) -> None:
        """Nothing to do."""

    def state(self) -> dict[str, Tensor]:
        """All of it."""
        return _joined(list(self._records))

    def recording(self) -> Recording:
        """The last records."""
        whole = self.state()
        steps = whole.pop(STEPS, torch.empty(0, dtype=torch.int64))
        return Recording(steps, {name: value.transpose(0, 1) for name, value in whole.items()})


class Disk:
    """Streams records into a folder of safetensors files, each of them whole; memory holds one part.

    Args:
        folder: that is not there, or is empty.
        records_per_part: records in a file.
    """

    def __init__(self, folder: str | Path, records_per_part: int = 100) -> None:
        if records_per_part < 1:
            raise UserError(f"recorder: found {records_per_part} as records of a file; it is at least 1")
        self.folder = Path(folder)
        self._size = records_per_part
        self._records: list[tuple[int, Mapping[str, Tensor]]] = []
        self._written = 0

    def begin(self, state: Mapping[str, Tensor] | None) -> None:
        """Make the folder; when training goes on, parts that were written after the checkpoint are written again."""
        found = parts(self.folder)
        if state is None and found:
            raise UserError(f"{self.folder}: found a recording; give the recorder another folder")
        self._records = _split({name: value for name, value in (state or {}).items() if name != _PARTS})
        self._written = 0 if state is None else int(state[_PARTS])
        if len(found) < self._written:
            raise UserError(f"{self.folder}: found {len(found)} parts of a recording; the checkpoint knows "
                            f"{self._written}")  # fmt: skip
        for path in found[self._written :]:
            path.unlink()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{self.folder}: the folder cannot be made: {error.strerror or error}") from None

    def add(self, step: int, values: Mapping[str, Tensor]) -> None:
        """One record; every so many are written."""
        self._records.append((step, values))
        if len(self._records) >= self._size:
            self.end()

    def end(self) -> None:
        """Write what is left."""
        if self._records:
            write_tensors(self.folder / f"{_PARTS}-{self._written:06}.safetensors", KIND, _joined(self._records), {})
            self._written += 1
            self._records = []

    def state(self) -> dict[str, Tensor]:
        """What is not written yet, and how many parts are."""
        return {**_joined(self._records), _PARTS: torch.tensor(self._written)}

    def recording(self) -> Recording:
        """All records, read back."""
        self.end()
        return Recording.open(self.folder)


def parts(folder: Path) -> list[Path]:
    """Files of a streamed recording, in order."""
    return sorted(folder.glob(f"{_PARTS}-*.safetensors"))


def _joined(records: list[tuple[int, Mapping[str, Tensor]]]) -> dict[str, Tensor]:
    """Name -> (records, R, ...)."""
    if not records:
        return {}
    steps = torch.tensor([step for step, _ in records])
    return {STEPS: steps, **{name: torch.stack([values[name] for _, values in records]) for name in records[0][1]}}


def _split(whole: Mapping[str, Tensor]) -> list[tuple[int, Mapping[str, Tensor]]]:
    if STEPS not in whole:
        return []
    names = [name for name in whole if name != STEPS]
    return [(int(step), {name: whole[name][i] for name in names}) for i, step in enumerate(whole[STEPS])]
