"""Hyperparameter search over networks: spaces, objectives, studies, and Ray Tune to run them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from optimize.space import SearchSpace
    from optimize.study.study import Study

_HOMES: Final = {
    "SearchSpace": "optimize.space",
    "Study": "optimize.study.study",
}

__all__ = [
    "SearchSpace",
    "Study",
]


def __getattr__(name: str) -> object:
    """Names are imported when they are first used: reading a specification should not load a database library."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
