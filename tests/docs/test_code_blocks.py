"""Every code block of the documents runs: a page's blocks one after the other, in a folder of their own."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^( *)```(\w+)(?: title=\"([^\"]+)\")?\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
# What a reader types that this suite must not: set-up of the machine, and what needs a cluster.
ELSEWHERE = ("make ", "pip ", "source ", "export ", "eiann submit", "eiann logs", "eiann cancel", "eiann dashboard")
# Registers things: tests/test_docs_extending.py runs it, and takes them back.
OWN_TEST = {"extending.md"}
# A search of a page is as long as a reader can wait for; here it only has to go the whole way.
SHORTER = [
    (r"--trials \d+", "--trials 4"),
    (r"--instances \d+", "--instances 2"),
    (r"--fresh-seeds \d+", "--fresh-seeds 2"),
]


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its file name if it is one, its text."""

    language: str
    title: str
    text: str


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [Block(language, title, body) for _, language, title, body in FENCE.findall(text)]


def pages() -> list[Path]:
    found = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [
        page
        for page in found
        if page.name not in OWN_TEST and any(block.language in ("python", "console") for block in blocks(page))
    ]


@pytest.mark.parametrize(
    "page",
    # The README goes the way of the tutorial once more; .ci/run has it run too.
    [pytest.param(page, marks=pytest.mark.long if page.name == "README.md" else ()) for page in pages()],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_the_blocks_of_a_page_run_in_their_order(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    variables: dict[str, object] = {}
    for block in blocks(page):
        if block.title:
            (tmp_path / block.title).write_text(block.text, encoding="utf-8")
    for block in blocks(page):
        if block.language == "python":
            exec(compile(block.text, f"{page.name}", "exec"), variables)
        elif block.language == "console":
            for line in block.text.splitlines():
                run(line.partition(" #")[0].strip())


def run(line: str) -> None:
    if not line or line.startswith(ELSEWHERE):
        return
    for long, short in SHORTER:
        line = re.sub(long, short, line)
    if line.startswith("eiann optimize") and "--steps" not in line:
        line += " --steps 600"
    program, *arguments = shlex.split(line)
    assert program == "eiann", f"found {line!r}; is it one that a test can run?"
    done = subprocess.run(
        [sys.executable, "-m", "optimize.cli", *arguments], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
