"""Waiting for the nodes of a run: ``python -m cluster.slurm.gather``, used by the batch script.

Ends with 0 when all nodes have joined, or enough of them have and the time is over; with 1, and what the others wrote,
where too few came.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cluster.slurm.node import DOWN, UP

_POLL_SECONDS: Final = 0.2
_LINES: Final = 20


def main(arguments: Sequence[str] | None = None) -> int:
    """Wait, and say what came of it."""
    parser = argparse.ArgumentParser(description="Wait for the nodes of a run (used by the batch script).")
    parser.add_argument("run", type=Path)
    parser.add_argument("--nodes", type=int, required=True)
    parser.add_argument("--at-least", type=int, default=1)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--step", type=int, help="the process of srun: without it nobody else will come")
    options = parser.parse_args(arguments)
    start = time.monotonic()
    while True:
        lives = options.step is None or _alive(options.step)  # asked before counting
        up, down = _tasks(options.run, UP), _tasks(options.run, DOWN)
        seconds = time.monotonic() - start
        decided = 0 in down or len(up | down) >= options.nodes or not lives
        if decided or seconds >= options.seconds:
            break
        time.sleep(_POLL_SECONDS)
    enough = lives and 0 in up - down and len(up) >= options.at_least
    sys.stdout.write(f"Ray is up on {len(up)} of {options.nodes} nodes after {seconds:.1f} s\n")
    if len(up) < options.nodes:
        for task in sorted(set(range(options.nodes)) - up):
            sys.stdout.write(_last_lines(options.run, task))
        sys.stdout.write(
            "goes on with those\n" if enough else f"at least {options.at_least}, the first too, are needed\n"
        )
    return 0 if enough else 1


def _tasks(run: Path, prefix: str) -> set[int]:
    return {int(path.name.removeprefix(prefix)) for path in run.glob(f"{prefix}*")}


def _last_lines(run: Path, task: int) -> str:
    try:
        lines = (run / f"ray-{task}.log").read_text(encoding="utf-8", errors="replace").splitlines()[-_LINES:]
    except OSError:
        lines = []
    return "".join(f"  node {task}: {line}\n" for line in lines or ["wrote nothing"])


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
