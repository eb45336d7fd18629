"""Activation functions phi of populations, elementwise on tensors with a leading replica axis.

An activation is a declaration: its name, its numeric parameters with defaults, the function and, where a closed form is
cheap, the product of an incoming gradient with the derivative. Parameters reach the function as tensors that broadcast
over replicas, so each replica may have its own.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F

from eiann.errors import ConfigError
from eiann.registry import Registry

Function = Callable[..., Tensor]


@dataclass(frozen=True)
class Activation:
    """Declaration of an activation function.

    Attributes:
        name: its name in configurations.
        function: ``function(z, *parameters)``; z of shape (replicas, batch, units), parameters (replicas, 1, 1).
        parameters: names and defaults of the numeric parameters, in the order of the function's arguments.
        gradient: ``gradient(g, z, a, *parameters)`` = g * phi'(z), where a = phi(z); autograd is used without it.
        silent_at_zero: whether phi(0) = 0, so that a unit without input and bias stays silent.
        rounds_alike: whether an element's result does not depend on its place in a tensor (false for exp and its like).
        elementwise: false where a unit's activity depends on the other units of the population.
    """

    name: str
    function: Function
    parameters: Mapping[str, float] = field(default_factory=dict)
    gradient: Function | None = None
    silent_at_zero: bool = True
    rounds_alike: bool = False
    elementwise: bool = True

    def bind(self, kwargs: Mapping[str, object]) -> tuple[float, ...]:
        """Values of the parameters in order; an unknown or non-numeric one is a ConfigError.

        Example:
            >>> ACTIVATIONS["polynomial"].bind({"n": 3})
            (1.0, 3.0)
        """
        for key, value in kwargs.items():
            if key not in self.parameters:
                known = ", ".join(self.parameters) or "none"
                raise ConfigError(f"{self.name} has no parameter {key!r}; its parameters are: {known}", (key,))
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ConfigError(f"found {value!r}; {key} of {self.name} is a number", (key,))
        return tuple(float(str(kwargs.get(key, default))) for key, default in self.parameters.items())

    def backward(self, g: Tensor, z: Tensor, a: Tensor, *parameters: Tensor) -> Tensor:
        """G * phi'(z), of the shape of z."""
        if self.gradient is not None:
            return self.gradient(g, z, a, *parameters)
        with torch.enable_grad():
            leaf = z.detach().requires_grad_()
            return torch.autograd.grad(self.function(leaf, *parameters), leaf, g)[0]


ACTIVATIONS: Registry[Activation] = Registry("activation")


def register(activation: Activation) -> Activation:
    """Add an activation, to be used in configurations under its name."""
    return ACTIVATIONS.register(activation.name)(activation)


def activation(name: str, *, elementwise: bool = True) -> Callable[[Function], Function]:
    """Decorator that makes a function of tensors available as an activation (docs/extending.md).

    Its arguments after the first are the parameters, each with a number as default. The gradient is that of autograd.

    Args:
        name: in configurations.
        elementwise: false where a unit's activity depends on the other units of the population.

    Example:
        >>> @activation("squared_relu")  # doctest: +SKIP
        ... def squared_relu(z, gain=1.0):
        ...     return gain * torch.relu(z) ** 2
    """

    def add(function: Function) -> Function:
        _, *others = inspect.signature(function).parameters.values()
        for parameter in others:
            if isinstance(parameter.default, bool) or not isinstance(parameter.default, int | float):
                raise TypeError(f"the parameter {parameter.name} of the activation {name!r} needs a number as default")
        defaults = {parameter.name: float(parameter.default) for parameter in others}
        register(Activation(name, function, defaults, silent_at_zero=False, elementwise=elementwise))
        return function

    return add


def _softplus(z: Tensor, beta: Tensor, threshold: Tensor) -> Tensor:
    scaled = z * beta
    return torch.where(scaled > threshold, z, torch.log1p(torch.exp(scaled.clamp(max=threshold))) / beta)


def _polynomial_gradient(g: Tensor, z: Tensor, _: Tensor, a: Tensor, n: Tensor) -> Tensor:
    # Where the unit is silent the derivative is zero even for n < 1, as autograd of the clamp gives it.
    rectified = z.clamp(min=0)
    return torch.where(z >= 0, g * a * n * rectified ** (n - 1), torch.zeros_like(g))


for _activation in (
    Activation("linear", lambda z: z, gradient=lambda g, z, a: g, rounds_alike=True),
    Activation("relu", torch.relu, gradient=lambda g, z, a: g * (a > 0), rounds_alike=True),
    Activation("polynomial", lambda z, a, n: a * z.clamp(min=0) ** n, {"a": 1.0, "n": 2.0}, _polynomial_gradient),
    Activation(
        "srelu",
        lambda z, low, high: torch.minimum(torch.maximum(z, low), high),
        {"min": 0.0, "max": 1.0},
        rounds_alike=True,
    ),
    Activation("softmax", lambda z: torch.softmax(z, dim=-1), silent_at_zero=False, elementwise=False),
    Activation("sigmoid", torch.sigmoid, gradient=lambda g, z, a: g * (1 - a) * a, silent_at_zero=False),
    Activation("tanh", torch.tanh, gradient=lambda g, z, a: g * (1 - a * a)),
    Activation("softplus", _softplus, {"beta": 1.0, "threshold": 20.0}, silent_at_zero=False),
    Activation("elu", lambda z, alpha: torch.where(z > 0, z, alpha * torch.expm1(z.clamp(max=0))), {"alpha": 1.0}),
    Activation(
        "leaky_relu", lambda z, slope: torch.where(z > 0, z, slope * z), {"negative_slope": 0.01}, rounds_alike=True
    ),
    Activation("relu6", F.relu6, rounds_alike=True),
    Activation("gelu", F.gelu),
    Activation("selu", F.selu),
    Activation("silu", F.silu),
    Activation("mish", F.mish),
    Activation("softsign", F.softsign),
    Activation("hardsigmoid", F.hardsigmoid, silent_at_zero=False),
    Activation("hardswish", F.hardswish),
    Activation("hardtanh", F.hardtanh, rounds_alike=True),
    Activation("logsigmoid", F.logsigmoid, silent_at_zero=False),
):
    register(_activation)
