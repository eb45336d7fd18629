"""The CUDA executor on the CPU: all of it but the capture of graphs."""

from __future__ import annotations

import pytest

from eiann.executors.choose import EXECUTORS
from eiann.executors.cuda.executor import CudaExecutor


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> str:
    """Name of an executor that repeats steps on the CPU instead of capturing them."""
    monkeypatch.setitem(EXECUTORS, "recorded", CudaExecutor(device_type="cpu"))
    return "recorded"
