"""Operations on images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor
from torch.nn import functional as F

from eiann.executors.torch.forms import Step, elementwise, form
from eiann.program import ops

if TYPE_CHECKING:
    from eiann.executors.torch.machine import TorchMachine


@form(ops.Convolve)
def _convolve(machine: TorchMachine, op: ops.Convolve) -> Step:
    from eiann.executors.torch.convolution import convolve

    projection = machine.network.architecture.projections[op.weight]
    return elementwise(machine, op.dst, lambda x: convolve(machine, projection, x), op.x)


@form(ops.ConvolveT)
def _convolve_t(machine: TorchMachine, op: ops.ConvolveT) -> Step:
    from eiann.executors.torch.convolution import input_gradient

    projection = machine.network.architecture.projections[op.weight]
    return elementwise(machine, op.dst, lambda u: input_gradient(machine, projection, u), op.u)


@form(ops.PerPixel)
def _per_pixel(machine: TorchMachine, op: ops.PerPixel) -> Step:
    population = machine.network.architecture.populations[op.population]
    pixels = population.units // population.size
    return elementwise(machine, op.dst, lambda b: b.repeat_interleave(pixels, dim=2), op.state)


@form(ops.MaxPool)
def _max_pool(machine: TorchMachine, op: ops.MaxPool) -> Step:
    from eiann.executors.torch.convolution import as_image

    population = machine.network.architecture.populations[op.population]
    assert population.source is not None
    source, edge = machine.network.architecture.populations[population.source], population.kernel_size or 2

    def compute(x: Tensor) -> Tensor:
        pooled = F.max_pool2d(as_image(x, source), edge)
        return pooled.reshape(x.shape[0], x.shape[1], -1)

    return elementwise(machine, op.dst, compute, op.x)


@form(ops.MaxPoolGradient)
def _max_pool_gradient(machine: TorchMachine, op: ops.MaxPoolGradient) -> Step:
    from eiann.executors.torch.convolution import pool_gradient

    population = machine.network.architecture.populations[op.population]
    return elementwise(machine, op.dst, lambda g, x: pool_gradient(machine, population, g, x), op.gradient, op.x)
