"""The page about training does what it says: its blocks are run, in order."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import eiann

PAGE = Path(__file__).parents[1] / "docs" / "training.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def test_the_blocks_run_and_leave_what_they_promise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for block in BLOCKS:
        exec(compile(block, str(PAGE), "exec", dont_inherit=True), names)
    assert len(BLOCKS) == 6
    assert torch.equal(names["curves"].loss, eiann.load_history("runs/first").loss)
    assert names["angles"]["all_params"].shape == (2, 4)
    assert np.nanmax(names["angles"]["all_params"]) < 0.1  # the rule is Backprop itself; NaN where nothing changed
    assert names["accuracy"].shape == (2, len(names["stored"].steps))
    assert names["fields"].shape == (2, 16, 2)
    assert {path.name for path in Path("runs").iterdir()} == {"first", "first.checkpoint", "weights", "angles.png"}
