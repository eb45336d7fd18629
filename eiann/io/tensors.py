"""Tensors in a safetensors file, with a few words of JSON that say what they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from eiann import files
from eiann.errors import UserError

FORMAT = "eiann"
"""Key of the words in a file's header."""


def write_tensors(path: Path, kind: str, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write tensors by name; the file appears whole or not at all.

    Args:
        path: where.
        kind: what the file is, in a few words; ``read_tensors`` asks for the same.
        tensors: on any device, of any layout.
        facts: plain data for the header.

    Raises:
        UserError: the file cannot be written.
    """
    from safetensors.torch import save

    header = {FORMAT: json.dumps({"kind": kind, "facts": dict(facts)})}
    content = save({name: value.detach().cpu().contiguous() for name, value in tensors.items()}, header)
    try:
        files.write_bytes(path, content)
    except OSError as error:
        raise UserError(f"{path}: the file cannot be written: {error.strerror or error}") from None


def read_tensors(path: Path, kind: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and facts of a file that ``write_tensors`` wrote.

    Raises:
        UserError: there is no such file, it is cut off or damaged, or it is something else.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise UserError(f"{path}: found no such file; {_article(kind)} is needed")
    try:
        with safe_open(path, "pt") as file:
            words = (file.metadata() or {}).get(FORMAT)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, OSError) as error:
        raise UserError(
            f"{path}: found a file that is damaged or no safetensors file ({_one_line(error)}); "
            f"{_article(kind)} is needed"
        ) from None
    if words is None:
        raise UserError(f"{path}: found a safetensors file that eiann did not write; {_article(kind)} is needed")
    try:
        header = json.loads(words)
        found, facts = header["kind"], header["facts"]
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{path}: found a damaged header; {_article(kind)} is needed") from None
    if found != kind or not isinstance(facts, dict):
        raise UserError(f"{path}: found {_article(str(found))}; {_article(kind)} is needed")
    return tensors, facts


def dtype_named(name: str) -> torch.dtype:
    """The dtype of that name, ``float32`` or ``float64``."""
    known = {"float32": torch.float32, "float64": torch.float64}
    if name not in known:
        raise UserError(f"found the dtype {name!r}; float32 and float64 are known")
    return known[name]


def dtype_name(dtype: torch.dtype) -> str:
    """``float32``."""
    return str(dtype).removeprefix("torch.")


def _article(kind: str) -> str:
    return f"{'an' if kind[:1] in 'aeiou' else 'a'} {kind}"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
