"""Recorders: they turn a callable into one that repeats what it did, without asking Python again.

What is recorded reads and writes tensors that stay where they are. On a CUDA device the kernels of one run are captured
as a graph (``torch.cuda.CUDAGraph``), and repeating it is one launch. Anywhere else the callable itself is repeated:
the same code on the same tensors, so that everything but the capture runs and is tested without a GPU.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import torch
from torch import Tensor

Replay = Callable[[], None]


class Recorder(Protocol):
    """How a callable becomes a recording."""

    def record(self, run: Callable[[], None], changed: Sequence[Tensor]) -> Replay:
        """Record what the callable does.

        Args:
            run: reads and writes tensors that live as long as the recording, with shapes that never change and without
                waiting for the device.
            changed: all tensors that it changes and that matter before the first replay; recording leaves them as they
                were.
        """
        ...


class Repeater:
    """Repeats the callable: for devices without graphs, and to test what is recorded."""

    def record(self, run: Callable[[], None], changed: Sequence[Tensor]) -> Replay:
        """The callable itself."""
        del changed
        return run


class GraphRecorder:
    """Captures CUDA graphs; those of one recorder share a pool of memory, so they never run at the same time."""

    #: Runs before the capture, in which libraries load kernels and take their workspaces.
    warm_ups = 2

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool = torch.cuda.graph_pool_handle()

    def record(self, run: Callable[[], None], changed: Sequence[Tensor]) -> Replay:
        """Warm up, undo what that changed, capture."""
        with torch.cuda.device(self._device):
            side: torch.cuda.Stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side), undone(changed):
                for _ in range(self.warm_ups):
                    run()
            torch.cuda.current_stream().wait_stream(side)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool=self._pool):
                run()
        replay: Replay = graph.replay
        return replay


@contextmanager
def undone(changed: Sequence[Tensor]) -> Iterator[None]:
    """Give the tensors back the values that they had before the block."""
    kept = [tensor.clone() for tensor in changed]
    yield
    for tensor, value in zip(changed, kept, strict=True):
        tensor.copy_(value)


def recorder_for(device: torch.device) -> Recorder:
    """Graphs on a CUDA device, repetition elsewhere."""
    return GraphRecorder(device) if device.type == "cuda" else Repeater()
