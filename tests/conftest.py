"""What all tests share: one thread, no screen, and skips that can be made to count."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest
from hypothesis import settings

pytest_plugins = ["pytester"]

# Set before torch, ray and matplotlib are imported, which read them once.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("MPLBACKEND", "agg")

# No deadline for an example: on a shared machine the slow ones are those that something else interrupted.
settings.register_profile("eiann", deadline=None, print_blob=True, derandomize="CI" in os.environ)
settings.load_profile("eiann")

NEEDS = "needs "  # how the reason of a skip begins where something outside of the repository is missing


def missing(report: pytest.TestReport | pytest.CollectReport) -> str | None:
    """What a skipped test says that it needs, where the environment asks for every test (`EIANN_REQUIRE_ALL=1`)."""
    if os.environ.get("EIANN_REQUIRE_ALL") != "1" or not report.skipped or not isinstance(report.longrepr, tuple):
        return None
    reason = str(report.longrepr[2]).removeprefix("Skipped: ")
    return reason if reason.startswith(NEEDS) else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if reason := missing(report):
        report.outcome = "failed"
        report.longrepr = f"EIANN_REQUIRE_ALL=1, and this test {reason}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if reason := missing(report):
        report.outcome = "failed"
        report.longrepr = f"EIANN_REQUIRE_ALL=1, and this file {reason}"
    return report
