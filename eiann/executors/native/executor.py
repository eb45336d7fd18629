"""Training runs and evaluation on the native executor."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from eiann.executors.base import TrainingData
from eiann.executors.holding import clones_hold, constraints_hold
from eiann.executors.native.arena import Arenas, Rows
from eiann.executors.native.library import load
from eiann.executors.native.lowering import ACTIVATIONS, FORMS, MOST_PRODUCTS, lower
from eiann.executors.native.rewritten import UpdateRows
from eiann.executors.native.simplify import Simplified, simplify
from eiann.network.architecture import Architecture
from eiann.network.replicas import chosen_replicas
from eiann.program import ops
from eiann.program.compile import compile_evaluation, compile_training
from eiann.program.liveness import pruned

if TYPE_CHECKING:
    from eiann.network.network import Network

#: Samples that go through a replica's arena together in an evaluation.
EVALUATION_CHUNK = 48
#: How long a call may go on before Python hears of a Ctrl-C, and how many samples it takes at least: with fewer a
#: replica would leave the caches before it has paid for coming there.
SECONDS_PER_CALL = 0.5
LEAST_STEPS = 10


class NativeExecutor:
    """Float32 and float64 on the CPU: all populations and local rules, plain gradient descent."""

    name = "native"
    in_step = False

    def refusal(self, network: Network, batch_size: int = 1) -> str | None:
        """Why it cannot run this network, or None."""
        if network.device.type != "cpu":
            return "the network is not on the CPU"
        if network.dtype not in (torch.float32, torch.float64):
            return f"it computes in float32 or float64, not {network.dtype}"
        if batch_size != 1:
            return "mini-batches are trained by the torch executor"
        if network.is_ragged and any(p.is_image for p in network.architecture.populations):
            return "replicas with images differ in the size of a population"
        reason = uncovered(network.architecture)
        if reason is None:
            library, reason = load()
            return None if library is not None else reason
        return reason

    def begin(self, network: Network, data: TrainingData, watch: Sequence[str]) -> NativeSession:
        """Prepare a training run."""
        return NativeSession(network, data, watch)

    def evaluate(
        self, network: Network, inputs: Tensor, names: Sequence[str]
    ) -> Iterator[tuple[slice, dict[str, Tensor]]]:
        """Forward phases of all samples, in chunks."""
        library = _library()
        program = pruned(compile_evaluation(network.architecture), names)
        simplified = Simplified(program.operations, ())
        arenas = Arenas(network, lower(network, program, simplified, names), batch=EVALUATION_CHUNK)
        arenas.copy_in()
        call = library.evaluate_double if network.dtype == torch.float64 else library.evaluate_float
        structure = arenas.structure(torch.get_num_threads())
        flat = inputs.flatten(1).to(network.dtype).contiguous()
        for start in range(0, len(flat), EVALUATION_CHUNK):
            rows = slice(start, min(start + EVALUATION_CHUNK, len(flat)))
            count = rows.stop - rows.start
            chunk = flat[rows]
            call(
                ctypes.byref(structure),
                ctypes.c_void_p(chunk.data_ptr()),
                ctypes.c_int64(flat.shape[1]),
                ctypes.c_int32(count),
            )
            yield rows, {name: arenas.gather(program.names[name], count) for name in names}


class NativeSession:
    """A training run: each call trains every replica on a block of samples, replica after replica."""

    def __init__(self, network: Network, data: TrainingData, watch: Sequence[str]) -> None:
        self._library = _library()
        self._network = network
        self._program = pruned(compile_training(network.architecture), watch)
        found = {"clones_hold": clones_hold, "constraints_hold": constraints_hold}
        self._facts = {
            name: data.facts[name] if name in data.facts else holds(network, self._program)
            for name, holds in found.items()
        }
        self._simplified = simplify(self._program, **self._facts)
        self._watch = watch
        self._arenas = Arenas(network, lower(network, self._program, self._simplified, watch))
        self._arenas.copy_in()
        self._inputs = data.inputs.flatten(1).to(network.dtype).contiguous()
        self._targets = data.targets.to(network.dtype).contiguous()
        self._steps_per_call = LEAST_STEPS

    def run(self, order: Tensor, slots: Sequence[int] | None = None) -> Tensor:
        """Train on the next samples; see ``Session``. Other Python threads run meanwhile.

        It goes in calls of about half a second: a Ctrl-C is heard between two of them.
        """
        order = order.contiguous()
        steps = order.shape[1]
        if order.numel() and not 0 <= int(order.min()) <= int(order.max()) < len(self._inputs):
            raise IndexError(f"sample order outside of 0..{len(self._inputs) - 1}")
        losses = torch.zeros(len(order), steps, dtype=self._network.dtype)
        chosen = self._arenas.rows(slots)
        done = 0
        while done < steps:
            count = min(self._steps_per_call, steps - done)
            start = time.perf_counter()
            self._call(order, losses, chosen, done, count)
            seconds = (time.perf_counter() - start) / count
            self._steps_per_call = max(LEAST_STEPS, int(SECONDS_PER_CALL / max(seconds, 1e-9)))
            done += count
        return losses

    def _call(self, order: Tensor, losses: Tensor, rows: Rows, first: int, count: int) -> None:
        """Train on ``count`` samples of each replica's order."""
        call = self._library.train_double if losses.dtype == torch.float64 else self._library.train_float
        structure = self._arenas.structure(torch.get_num_threads(), rows)
        call(
            ctypes.byref(structure),
            ctypes.c_void_p(self._inputs.data_ptr()),
            ctypes.c_int64(self._inputs.shape[1]),
            ctypes.c_void_p(self._targets.data_ptr()),
            ctypes.c_int64(self._targets.shape[1]),
            ctypes.c_void_p(order[:, first:].data_ptr()),
            ctypes.c_int64(order.shape[1]),
            ctypes.c_int32(count),
            ctypes.c_void_p(losses[:, first:].data_ptr()),
        )

    def named(self, name: str) -> Tensor:
        """A watched value of the last sample, (R, 1, units)."""
        return self._arenas.gather(self._program.names[name])

    def store(self, slots: Sequence[int] | None = None) -> None:
        """Write parameters and states back to the network."""
        self._arenas.copy_out(slots)

    def load(self, slots: Sequence[int]) -> None:
        """Lay out and fill the arenas of new replicas; the code stays, since they share the structure."""
        new = chosen_replicas(self._network, slots)
        if self._simplified.virtual and not clones_hold(new, self._program):
            raise ValueError("a replica whose clones differ from their sources joins a batch in which they are equal")
        lowered = lower(self._network, self._program, self._simplified, self._watch)
        for slot in slots:
            self._arenas.replace(slot, lowered)

    def facts(self) -> dict[str, bool]:
        """Whether every clone equalled its source: then some are never copied, and products round otherwise.

        And whether all constraints held: then those of weights that do not change are left out.
        """
        return dict(self._facts)


def _library() -> ctypes.CDLL:
    library, reason = load()
    if library is None:
        raise RuntimeError(reason)
    return library


def uncovered(architecture: Architecture) -> str | None:
    """The first thing in a network that the interpreter does not know."""
    for p in architecture.populations:
        if p.activation.name not in ACTIVATIONS:
            return f"the activation {p.activation.name} of {p.label}"
    program = compile_training(architecture)
    operations = simplify(program, clones_hold=False, constraints_hold=True).operations
    learns_by_gradient = any(isinstance(op, ops.GradientStepWeight | ops.GradientStepBias) for op in program.operations)
    if learns_by_gradient and architecture.optimizer is not None and not architecture.optimizer.plain:
        return f"the optimizer {type(architecture.optimizer).__name__} with state"
    for op in operations:
        if type(op) not in FORMS:
            return f"the operation {type(op).__name__}"
        if isinstance(op, ops.Clone | ops.Normalize) and architecture.projections[op.weight].convolution is not None:
            return f"a constraint on the kernels of {architecture.projections[op.weight].name}"
        if isinstance(op, ops.Select) and op.stochastic:
            return "units are drawn at random"
        if isinstance(op, UpdateRows) and len(op.us) > MOST_PRODUCTS:
            return f"a gradient over more than {MOST_PRODUCTS} time steps"
    return None
