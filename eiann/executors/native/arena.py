"""Arenas: one block of memory per replica for values, weights and masks, and the tables that say where each lies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from eiann.executors.native.library import Batch
from eiann.executors.native.lowering import Lowered
from eiann.executors.native.memory import ALIGNMENT_BYTES, zeros
from eiann.network.architecture import sizes_of

if TYPE_CHECKING:
    from eiann.network.network import Network

REGISTER_BYTES = 32


class Rows(NamedTuple):
    """Where some replicas lie: kind of layout (S,), address of the arena (S,), numbers (S, numbers)."""

    layout: NDArray[np.int32]
    pointers: NDArray[np.uintp]
    numbers: NDArray[np.floating]


class Arenas:
    """Memory of all replicas for one lowered program.

    Args:
        network: whose parameters and states are copied in.
        lowered: the program's code.
        batch: samples that are evaluated together; 1 for training.
    """

    def __init__(self, network: Network, lowered: Lowered, batch: int = 1) -> None:
        self.network = network
        self.lowered = lowered
        self.batch = batch
        self.type: np.dtype[np.floating[Any]] = np.dtype(np.float64 if network.dtype == torch.float64 else np.float32)
        self._lanes = REGISTER_BYTES // self.type.itemsize
        self._align = ALIGNMENT_BYTES // self.type.itemsize
        sizes = [sizes_of(a) for a in network.architectures]
        self._kinds = {size: number for number, size in enumerate(dict.fromkeys(sizes))}
        self.layout = np.array([self._kinds[size] for size in sizes], dtype=np.int32)
        values, weights = len(lowered.program.values), len(network.weights)
        shape = (len(self._kinds), values)
        self.value_offset = np.zeros(shape, dtype=np.int64)
        self.value_length = np.zeros(shape, dtype=np.int32)
        self.weight_offset = np.zeros((len(self._kinds), weights), dtype=np.int64)
        self.mask_offset = np.zeros_like(self.weight_offset)
        self.pre = np.zeros((len(self._kinds), weights), dtype=np.int32)
        self.post = np.zeros_like(self.pre)
        self._totals = [self._lay_out(kind, size) for size, kind in self._kinds.items()]
        self.arenas = zeros([self._totals[kind] for kind in self.layout], self.type)
        self.pointers = np.array([arena.ctypes.data for arena in self.arenas], dtype=np.uintp)
        self.numbers = self._numbers(lowered)
        self.code = np.array(lowered.code, dtype=np.int32)

    # ----------------------------------------------------------------------------------------------------------- layout

    def _padded(self, n: int) -> int:
        return -(-n // self._lanes) * self._lanes

    def _lay_out(self, kind: int, sizes: tuple[int, ...]) -> int:
        """Fill the tables of one combination of population sizes; the size of its arena."""
        total = 0
        places: dict[tuple[int, int], int] = {}
        for value, slot in self.lowered.slots.items():
            info = self.lowered.program.values[value]
            channels = self.network.architecture.populations[info.population].size
            n = channels if info.per_channel else sizes[info.population]
            if slot not in places:
                places[slot] = total
                total += self._aligned(self._padded(n) * self.batch)
            self.value_offset[kind, value] = places[slot]
            self.value_length[kind, value] = n
        for index in self.network.weights:
            j = self.network.architecture.projections[index]
            pre, post = sizes[j.pre], sizes[j.post]
            if j.convolution is not None:  # kernels lie in one row, in the order of the network's tensor
                pre, post = 1, self.network.weights[index][0].numel()
            self.pre[kind, index], self.post[kind, index] = pre, post
            block = self._aligned(pre * self._padded(post))
            self.weight_offset[kind, index] = total
            total += block
            if index in self.network.masks:
                self.mask_offset[kind, index] = total
                total += block
        return total

    def _aligned(self, n: int) -> int:
        return -(-n // self._align) * self._align

    def _numbers(self, lowered: Lowered) -> NDArray[np.floating]:
        with np.errstate(over="ignore"):  # a number beyond single precision is infinite, as it is in torch
            numbers = np.array(lowered.numbers, dtype=self.type)
        return np.ascontiguousarray(numbers.reshape(-1, self.network.R).T)

    def replace(self, replica: int, lowered: Lowered) -> None:
        """Make the arena of a replica anew for the one that the network has in its place now.

        Args:
            replica: its slot, or the first behind all slots to add one.
            lowered: the same program with the numbers of all replicas as they are now.
        """
        if replica == len(self.arenas):
            self.arenas.append(self.arenas[0])
            self.layout, self.pointers, self.numbers = (
                np.concatenate([table, table[:1]]) for table in (self.layout, self.pointers, self.numbers)
            )
        size = sizes_of(self.network.architectures[replica])
        if size not in self._kinds:
            self._kinds[size] = len(self._totals)
            for name in ("value_offset", "value_length", "weight_offset", "mask_offset", "pre", "post"):
                table = getattr(self, name)
                setattr(self, name, np.concatenate([table, np.zeros_like(table[:1])]))
            self._totals.append(self._lay_out(self._kinds[size], size))
        self.layout[replica] = self._kinds[size]
        self.arenas[replica] = zeros([self._totals[self._kinds[size]]], self.type)[0]
        self.pointers[replica] = self.arenas[replica].ctypes.data
        self.numbers[replica] = self._numbers(lowered)[replica]
        self.copy_in([replica])

    def rows(self, replicas: Sequence[int] | None) -> Rows:
        """The tables of some replicas, in their order."""
        if replicas is None:
            return Rows(self.layout, self.pointers, self.numbers)
        chosen = list(replicas)
        return Rows(self.layout[chosen], self.pointers[chosen], self.numbers[chosen])

    def structure(self, threads: int, rows: Rows | None = None) -> Batch:
        """The argument of the interpreter for all or some replicas; valid as long as this object and ``rows`` live."""
        program = self.lowered.program
        rows = self.rows(None) if rows is None else rows
        return Batch(
            code=self.code.ctypes.data,
            code_length=len(self.code),
            replicas=len(rows.layout),
            values=self.value_offset.shape[1],
            weights=self.weight_offset.shape[1],
            numbers=self.numbers.shape[1],
            layout=rows.layout.ctypes.data,
            value_offset=self.value_offset.ctypes.data,
            value_length=self.value_length.ctypes.data,
            weight_offset=self.weight_offset.ctypes.data,
            mask_offset=self.mask_offset.ctypes.data,
            pre=self.pre.ctypes.data,
            post=self.post.ctypes.data,
            arena=rows.pointers.ctypes.data,
            number=rows.numbers.ctypes.data,
            input=program.inputs,
            target=-1 if program.target is None else program.target,
            threads=threads,
        )

    # ----------------------------------------------------------------------------------------------------------- access

    def value(self, replica: int, value: int) -> NDArray[np.floating]:
        """View of a value, (batch, units)."""
        kind = self.layout[replica]
        start, n = int(self.value_offset[kind, value]), int(self.value_length[kind, value])
        row = self._padded(n)
        return self.arenas[replica][start : start + row * self.batch].reshape(self.batch, row)[:, :n]

    def weight(self, replica: int, index: int, *, mask: bool = False) -> NDArray[np.floating]:
        """View of a weight or mask as (post, pre), of a convolution as its kernels."""
        kind = self.layout[replica]
        start = int((self.mask_offset if mask else self.weight_offset)[kind, index])
        pre, post = int(self.pre[kind, index]), int(self.post[kind, index])
        row = self._padded(post)
        if self.network.architecture.projections[index].convolution is not None:
            return self.arenas[replica][start : start + post].reshape(self.network.weights[index].shape[1:])
        return self.arenas[replica][start : start + pre * row].reshape(pre, row)[:, :post].T

    def copy_in(self, replicas: Iterable[int] | None = None) -> None:
        """Parameters, masks and states of the network into the arenas of these replicas; None for all."""
        network = self.network
        sources = [(index, False, tensor.numpy()) for index, tensor in network.weights.items()]
        sources += [(index, True, tensor.numpy()) for index, tensor in network.masks.items()]
        states = {
            value: network.state(name).numpy()
            for name, value in self.lowered.program.states.items()
            if value in self.lowered.slots
        }
        for replica in range(network.R) if replicas is None else replicas:
            for index, mask, source in sources:
                view = self.weight(replica, index, mask=mask)
                view[...] = source[replica][tuple(slice(0, n) for n in view.shape)]
            for value, state in states.items():
                view = self.value(replica, value)
                view[...] = state[replica, : view.shape[1]]

    def copy_out(self, replicas: Iterable[int] | None = None) -> None:
        """Weights and states of these replicas, None for all, back to the network.

        Clones that exist only as products are written out.
        """
        network = self.network
        virtual = {clone.weight: clone for clone in self.lowered.simplified.virtual}
        states = {
            value: network.state(name).numpy()
            for name, value in self.lowered.program.states.items()
            if value in self.lowered.slots
        }
        for replica in range(network.R) if replicas is None else replicas:
            for index, tensor in network.weights.items():
                view = self.weight(replica, index)
                clone = virtual.get(index)
                if clone is not None:
                    view[...] = (self.weight(replica, clone.source) * self.numbers[replica, clone.factor]).T
                tensor.numpy()[replica][tuple(slice(0, n) for n in view.shape)] = view
            for value, state in states.items():
                view = self.value(replica, value)
                state[replica, : view.shape[1]] = view[0]

    def gather(self, value: int, rows: int = 1) -> torch.Tensor:
        """A value of all replicas, (R, rows, largest population), zeros where padded."""
        width = self.network.width(self.lowered.program.values[value].population)
        found = np.zeros((self.network.R, rows, width), dtype=self.type)
        for replica in range(self.network.R):
            view = self.value(replica, value)
            found[replica, :, : view.shape[1]] = view[:rows]
        return torch.from_numpy(found)
