"""What a killed maker of a study left is cleared away, and nothing else is."""

from __future__ import annotations

import os
import time
from pathlib import Path

from optimize.study.folder import LEFT_AFTER_SECONDS, new_folder


def aged(folder: Path, seconds: float) -> Path:
    (folder / "results").mkdir(parents=True)
    moment = time.time() - seconds
    os.utime(folder, (moment, moment))
    return folder


def test_only_unfinished_folders_that_nobody_makes_any_more_vanish(tmp_path: Path) -> None:
    old = aged(tmp_path / ".demo.0123abcd.tmp", LEFT_AFTER_SECONDS + 60)
    in_the_making = aged(tmp_path / ".other.0123abcd.tmp", 5)
    of_somebody_else = [aged(tmp_path / name, 10**6) for name in (".cache.tmp", ".git", "old")]
    with new_folder(tmp_path, "new"):
        pass
    assert not old.exists()
    assert all(folder.exists() for folder in (in_the_making, *of_somebody_else, tmp_path / "new" / "results"))
