"""Histories as JSON: every number comes back to the last bit, and other programs can read them."""

from __future__ import annotations

import json
import math
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from eiann import files
from eiann.errors import UserError
from eiann.io.tensors import dtype_name
from eiann.training.history import History

KIND = "eiann history"
_DTYPES = {dtype_name(dtype): dtype for dtype in (torch.float32, torch.float64, torch.int64)}


def write_history(history: History, path: Path) -> None:
    """Write a history; the file appears whole or not at all.

    JSON has no word for what is not finite: those numbers are the texts "nan", "inf" and "-inf".
    """
    entries = {field.name: _plain(getattr(history, field.name)) for field in fields(history)}
    files.write_json(path, {"format": KIND, **entries})


def load_history(path: str | Path) -> History:
    """The history in a file, or in the folder of a saved network.

    Raises:
        UserError: there is none, or the file is damaged or something else.
    """
    path = Path(path)
    if path.is_dir():
        path = path / "history.json"
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: found {error.strerror or error}; a history is needed") from None
    except ValueError as error:
        raise UserError(f"{path}: found a file that is damaged or no JSON ({error}); a history is needed") from None
    if not isinstance(raw, dict) or raw.get("format") != KIND:
        raise UserError(f"{path}: found JSON of something else; a history that eiann.save wrote is needed")
    try:
        return History(**{field.name: _value(raw[field.name]) for field in fields(History)})
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: found a damaged history ({' '.join(str(error).split())})") from None


def _plain(value: Any) -> Any:
    if not isinstance(value, Tensor):
        return value
    return {"dtype": dtype_name(value.dtype), "shape": list(value.shape), "values": _finite(value.flatten().tolist())}


def _finite(values: list[Any]) -> list[Any]:
    return [value if math.isfinite(value) else str(value) for value in values]


def _value(plain: Any) -> Any:
    if not isinstance(plain, dict):
        return plain
    dtype, values = _DTYPES[plain["dtype"]], plain["values"]
    return torch.tensor([float(v) for v in values] if dtype.is_floating_point else values, dtype=dtype).reshape(
        plain["shape"]
    )
