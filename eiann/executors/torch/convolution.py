"""Convolution and pooling for the torch executor: values are flat, (replicas, batch, channels * rows * columns).

Replicas run one after another, each with the plain 2-D kernels: convolutional networks are few and large.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn import grad as conv_grad

from eiann.network.architecture import Population, Projection

if TYPE_CHECKING:
    from eiann.executors.torch.machine import TorchMachine


# PyTorch leaves these two untyped.
_input_gradient: Callable[..., Tensor] = conv_grad.conv2d_input
_weight_gradient: Callable[..., Tensor] = conv_grad.conv2d_weight


def as_image(x: Tensor, population: Population) -> Tensor:
    """(replicas, batch, units) -> (replicas * batch, channels, rows, columns)."""
    return x.reshape(-1, *population.shape)


def _settings(projection: Projection) -> tuple[int, int, int, int]:
    conv = projection.convolution
    assert conv is not None
    return conv.stride, conv.padding, conv.dilation, conv.groups


def convolve(machine: TorchMachine, projection: Projection, x: Tensor) -> Tensor:
    """Output of the convolution, flat."""
    source = machine.network.architecture.populations[projection.pre]
    weight = machine.network.weights[projection.index]
    images = [
        F.conv2d(as_image(rows, source), kernels, None, *_settings(projection))
        for rows, kernels in zip(x, weight, strict=True)
    ]
    return torch.stack([image.reshape(x.shape[1], -1) for image in images])


def input_gradient(machine: TorchMachine, projection: Projection, u: Tensor) -> Tensor:
    """Gradient with respect to the input image, flat."""
    populations = machine.network.architecture.populations
    source, post = populations[projection.pre], populations[projection.post]
    shape = (u.shape[1], *source.shape)
    images = [
        _input_gradient(shape, kernels, as_image(rows, post), *_settings(projection))
        for rows, kernels in zip(u, machine.network.weights[projection.index], strict=True)
    ]
    return torch.stack([image.reshape(u.shape[1], -1) for image in images])


def kernel_gradient(machine: TorchMachine, projection: Projection, u: Tensor, x: Tensor) -> Tensor:
    """Gradient with respect to the kernels, (replicas, post channels, pre channels, k, k)."""
    populations = machine.network.architecture.populations
    source, post = populations[projection.pre], populations[projection.post]
    shape = machine.network.weights[projection.index].shape[1:]
    return torch.stack(
        [
            _weight_gradient(as_image(inputs, source), shape, as_image(rows, post), *_settings(projection))
            for rows, inputs in zip(u, x.expand(-1, u.shape[1], -1), strict=True)
        ]
    )


def pool_gradient(machine: TorchMachine, population: Population, gradient: Tensor, x: Tensor) -> Tensor:
    """Gradient of a maximum with respect to its input: to the largest of each window."""
    assert population.source is not None
    source = machine.network.architecture.populations[population.source]
    with torch.enable_grad():
        leaf = as_image(x, source).detach().requires_grad_()
        pooled = F.max_pool2d(leaf, population.kernel_size or 2)
        image = torch.autograd.grad(pooled, leaf, as_image(gradient, population))[0]
    return image.reshape(x.shape)
