"""The documents build to a site without a warning, and pages that are made from code are those of the code."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.docs.generated import ROOT, load


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    pages = [page.read_text(encoding="utf-8") for page in (tmp_path / "site").rglob("*.html")]
    assert len(pages) > 10
    foreign = {
        url for page in pages for url in re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="(https?://[^"]+)"', page)
    }
    assert not {url for url in foreign if not url.startswith("https://squidfunk.github.io")}, "a page needs a network"


def test_pages_made_from_code_are_up_to_date() -> None:
    rules, commands, speed = load("make_rules"), load("make_commands"), load("make_speed")
    pages = {ROOT / "docs" / "rules.md": rules.page(), commands.PAGE: commands.page(), speed.PAGE: speed.page()}
    for path, content in pages.items():
        assert path.read_text(encoding="utf-8") == content, f"{path.name} is old; make it again: make pages"


def test_every_rule_that_changes_a_weight_by_itself_has_a_picture() -> None:
    rules = load("make_rules")
    missing = [name for name in rules.PLANES if not (rules.PICTURES / f"{name}.png").is_file()]
    assert not missing
