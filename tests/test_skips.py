"""A test that needs something from outside is skipped with its reason, or fails where all tests are asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

CONFTEST = (
    Path(__file__).with_name("conftest.py").read_text(encoding="utf-8").replace('pytest_plugins = ["pytester"]', "")
)
TESTS = {
    "test_one": """
        import pytest
        def test_with_a_folder(): pytest.skip("needs the folder of golden traces")
        @pytest.mark.skipif(True, reason="needs root")
        def test_as_root(): ...
        @pytest.mark.skip(reason="only on Windows")
        def test_elsewhere(): ...
        def test_here(): ...
    """,
    "test_two": """
        import pytest
        pytest.skip("needs Slurm", allow_module_level=True)
    """,
}


@pytest.mark.parametrize(
    ("asked", "outcomes"),
    [("", {"passed": 1, "skipped": 4}), ("1", {"passed": 1, "skipped": 1, "failed": 1, "errors": 2})],
)
def test_missing_things_fail_only_where_everything_is_asked_for(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, asked: str, outcomes: dict[str, int]
) -> None:
    monkeypatch.setenv("EIANN_REQUIRE_ALL", asked)
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(**TESTS)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "--continue-on-collection-errors")
    result.assert_outcomes(**outcomes)
    if asked:
        needs = ["this test needs the folder of golden traces", "this test needs root", "this file needs Slurm"]
        result.stdout.fnmatch_lines_random([f"EIANN_REQUIRE_ALL=1, and {need}" for need in needs])
