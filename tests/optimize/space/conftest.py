"""Spaces from texts."""

from __future__ import annotations

from pathlib import Path

import pytest

from optimize.space import SearchSpace
from tests.optimize.space.small import NETWORK, MakeSpace


@pytest.fixture
def make(tmp_path: Path) -> MakeSpace:
    """Write ``space.yaml`` (and more files by name) beside the network, and load it."""

    def build(text: str, **files: str) -> SearchSpace:
        (tmp_path / "net.yaml").write_text(NETWORK, encoding="utf-8")
        for name, content in files.items():
            (tmp_path / f"{name}.yaml").write_text(content, encoding="utf-8")
        (tmp_path / "space.yaml").write_text(text, encoding="utf-8")
        return SearchSpace.load(tmp_path / "space.yaml")

    return build
