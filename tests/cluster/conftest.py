"""Real jobs in a folder of the test, every one of them ended when the test is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import HereProfile, HereRunner


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[HereRunner]:
    runner = HereRunner(HereProfile(grace_seconds=0.5), tmp_path / "jobs")
    yield runner
    for status in runner.jobs():
        runner.cancel(status.name)
