"""Training runs and evaluation of many replicas on one CUDA device."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from eiann.executors.base import TrainingData
from eiann.executors.cuda.evaluation import RecordedEvaluation
from eiann.executors.cuda.recording import recorder_for
from eiann.executors.cuda.session import RecordedSession
from eiann.program import ops
from eiann.program.compile import compile_training

if TYPE_CHECKING:
    from eiann.network.network import Network

#: Samples per chunk of an evaluation; it does not depend on the number of replicas.
EVALUATION_CHUNK = 200

Key = tuple[tuple[str, ...], int]


class CudaExecutor:
    """Every rule, dense populations, any batch size; units are not drawn at random.

    Args:
        device_type: where networks have to be. With ``cpu`` all of it runs but the capture of graphs: that is how it is
            tested where there is no GPU.
    """

    name = "cuda"
    in_step = True

    def __init__(self, device_type: str = "cuda") -> None:
        self._device_type = device_type
        self._evaluations: WeakKeyDictionary[Network, dict[Key, RecordedEvaluation]] = WeakKeyDictionary()

    def refusal(self, network: Network, batch_size: int = 1) -> str | None:
        """Why it cannot run this network, or None."""
        del batch_size
        if network.device.type != self._device_type:
            return f"the network is not on a {self._device_type.upper()} device"
        for p in network.architecture.populations:
            if p.is_image or p.copies:
                return f"{p.label} is an image population"
        operations = compile_training(network.architecture).operations
        if any(isinstance(op, ops.Select) and op.stochastic for op in operations):
            return "units are drawn at random"
        return None

    def begin(self, network: Network, data: TrainingData, watch: Sequence[str]) -> RecordedSession:
        """Prepare a training run."""
        return RecordedSession(network, data, watch, recorder_for(network.device))

    def evaluate(
        self, network: Network, inputs: Tensor, names: Sequence[str]
    ) -> Iterator[tuple[slice, dict[str, Tensor]]]:
        """Forward phases of all samples, in chunks."""
        flat = inputs.flatten(1).to(network.device, network.dtype)
        for start in range(0, len(flat), EVALUATION_CHUNK):
            rows = slice(start, min(start + EVALUATION_CHUNK, len(flat)))
            with torch.no_grad():
                yield rows, self._evaluation(network, names, rows.stop - rows.start).evaluate(flat[rows])

    def _evaluation(self, network: Network, names: Sequence[str], rows: int) -> RecordedEvaluation:
        known = self._evaluations.setdefault(network, {})
        key = (tuple(names), rows)
        if key not in known or not known[key].serves(network):
            known[key] = RecordedEvaluation(network, names, rows, recorder_for(network.device))
        return known[key]
