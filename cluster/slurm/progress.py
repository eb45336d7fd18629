"""Whether a job that is restarted gets on: ``python -m cluster.slurm.progress``, used by the batch script.

Asks a command how far the job is, before each run, and keeps the answers. The same one again and again, or none again
and again, is a job that is stuck.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_NO_ANSWER: Final = "?"
_SECONDS: Final = 120
STUCK: Final = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Note the answer; exit code 3 if the last runs have brought nothing."""
    parser = argparse.ArgumentParser(description="Note how far a job is (used by the batch script).")
    parser.add_argument("file", type=Path, help="where the answers are kept, a line each")
    parser.add_argument("--limit", type=int, required=True, help="runs in a row that may bring nothing")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args(arguments)
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    with options.file.open("a", encoding="utf-8") as file:
        file.write(f"{answer_of(command)}\n")
    return STUCK if is_stuck(options.file.read_text(encoding="utf-8").splitlines(), options.limit) else 0


def is_stuck(answers: Sequence[str], limit: int) -> bool:
    """Whether each of the last ``limit`` runs ended where it began.

    Example:
        >>> is_stuck(["0", "8", "8"], 2), is_stuck(["0", "8", "8", "8"], 2)
        (False, True)
    """
    last = answers[-limit - 1 :]
    return len(last) == limit + 1 and len(set(last)) == 1


def answer_of(command: Sequence[str]) -> str:
    """The last line that the command prints."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return _NO_ANSWER
    lines = done.stdout.split("\n") if done.returncode == 0 else []
    return next((line.strip() for line in reversed(lines) if line.strip()), _NO_ANSWER)


if __name__ == "__main__":
    sys.exit(main())
