"""The search spaces and networks of Galloni et al. 2025 as data, and where to find them.

One YAML file per model in a folder per data set (``spiral/dale_backprop.yaml``); ``families/`` and ``networks/`` hold
what models share. This package only finds files; ``optimize.SearchSpace`` reads them.

Paper: Galloni AR, Peddada A, Chennawar Y, Milstein AD (2025) Cellular and subcellular specialization enables
biology-constrained deep learning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import yaml

__all__ = ["SHARED_FOLDERS", "CatalogueEntry", "catalogue", "entry", "folder"]

SHARED_FOLDERS: Final = frozenset({"families", "networks"})


@dataclass(frozen=True)
class CatalogueEntry:
    """What a shipped space says about itself, without reading its network.

    Attributes:
        name: how users call it, e.g. ``spiral/dale_backprop``.
        path: the file.
        alias: the same under the reference implementation's name, e.g. ``spiral/2_hidden_van_bp_relu_zero_bias``.
        data: the data set, which is also the folder.
        title: which model it is, in one line.
        figure: where the paper shows it, where that is known.
        rule: what learns it, in a few words.
        reported: figures of the named point ``optimized`` by feature, empty where none were published; accuracy in %.
    """

    name: str
    path: Path
    alias: str | None
    data: str
    title: str
    figure: str | None
    rule: str
    reported: Mapping[str, float]


def folder() -> Path:
    """The folder with the shipped files."""
    return Path(__file__).parent


@cache
def catalogue() -> tuple[CatalogueEntry, ...]:
    """All shipped spaces, sorted by data set and name.

    Example:
        >>> [space.name for space in catalogue() if space.alias == "spiral/0_hidden_van_bp_relu_learned_bias"]
        ['spiral/perceptron']
    """
    files = sorted(path for path in folder().glob("*/*.yaml") if path.parent.name not in SHARED_FOLDERS)
    return tuple(_read(path) for path in files)


def entry(name: str) -> CatalogueEntry | None:
    """The shipped space of this name or alias, or ``None``."""
    for candidate in catalogue():
        if name in (candidate.name, candidate.alias):
            return candidate
    return None


def _read(path: Path) -> CatalogueEntry:
    content = _content(path)
    data = path.parent.name
    reference = content.get("reference")
    optimized = content.get("points", {}).get("optimized", {})
    return CatalogueEntry(
        name=f"{data}/{path.stem}",
        path=path,
        alias=f"{data}/{reference}" if reference else None,
        data=data,
        title=content.get("title", ""),
        figure=content.get("figure"),
        rule=_rule(path) or "",
        reported=MappingProxyType(dict(optimized.get("reported", {}))),
    )


def _rule(path: Path) -> str | None:
    """What the file says, or else the last of those that it extends which says anything."""
    content = _content(path)
    if "rule" in content:
        return str(content["rule"])
    bases = content.get("extends", [])
    named = [bases] if isinstance(bases, str) else bases
    rules = [_rule(path.parent / f"{name.removesuffix('.yaml')}.yaml") for name in named]
    return next((rule for rule in reversed(rules) if rule), None)


@cache
def _content(path: Path) -> dict[str, Any]:
    loader = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
    # Both are PyYAML's safe loaders.
    content: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506
    return content
