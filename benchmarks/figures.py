"""What all benchmarks share: one JSON line per figure, with what it was measured on."""

from __future__ import annotations

import json
import platform
import sys
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("torch", "numpy", "ray", "optuna")


def processor() -> str:
    """Model name of the processor."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


_FILES: list[Path] = []


def also_write_to(file: Path | None) -> None:
    """From now on lines are appended to this file too."""
    if file is not None:
        _FILES.append(file)


def emit(name: str, **figures: object) -> None:
    """Print one line."""
    versions = {package: version(package) for package in PACKAGES}
    line = {
        "name": name,
        **figures,
        "python": platform.python_version(),
        "versions": versions,
        "processor": processor(),
    }
    text = json.dumps(line) + "\n"
    sys.stdout.write(text)
    sys.stdout.flush()
    for path in _FILES:
        with path.open("a") as file:
            file.write(text)
