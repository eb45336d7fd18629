"""Optimizers of gradient rules: settings and one step on tensors, with the arithmetic of ``torch.optim``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from eiann.errors import ConfigError
from eiann.validation import parse_declaration

NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Beta = Annotated[float, Field(ge=0, lt=1)]


class OptimizerSettings(BaseModel):
    """Base: a frozen declaration of an optimizer; the learning rate belongs to each parameter."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @property
    def plain(self) -> bool:
        """Whether a step is parameter -= rate * gradient and nothing is remembered."""
        return False

    def state_names(self) -> tuple[str, ...]:
        """What it remembers per parameter, each of the parameter's shape."""
        return ()

    def step(
        self, parameter: Tensor, gradient: Tensor, rate: Tensor, state: Mapping[str, Tensor], count: Tensor
    ) -> None:
        """One step in place; ``rate`` broadcasts over the parameter, ``count`` (replicas,) steps came before."""
        raise NotImplementedError


class SGD(OptimizerSettings):
    """Gradient descent, optionally with momentum (Polyak 1964), Nesterov's form and weight decay."""

    momentum: NonNegative = 0.0
    dampening: float = 0.0
    weight_decay: NonNegative = 0.0
    nesterov: bool = False

    @property
    def plain(self) -> bool:
        """Without momentum and decay."""
        return self.momentum == 0 and self.weight_decay == 0

    def state_names(self) -> tuple[str, ...]:
        """The velocity."""
        return ("momentum",) if self.momentum else ()

    def step(
        self, parameter: Tensor, gradient: Tensor, rate: Tensor, state: Mapping[str, Tensor], count: Tensor
    ) -> None:
        """Velocity first, then the parameter."""
        if self.weight_decay:
            gradient = gradient + self.weight_decay * parameter
        if self.momentum:
            velocity = state["momentum"]
            first = (count == 0).reshape(-1, *(1 for _ in parameter.shape[1:]))
            velocity.copy_(torch.where(first, gradient, self.momentum * velocity + (1 - self.dampening) * gradient))
            gradient = gradient + self.momentum * velocity if self.nesterov else velocity
        parameter.sub_(rate * gradient)


class Adam(OptimizerSettings):
    """Kingma and Ba 2015."""

    betas: tuple[Beta, Beta] = (0.9, 0.999)
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.0

    def state_names(self) -> tuple[str, ...]:
        """Running means of the gradient and of its square."""
        return ("mean", "square")

    def step(
        self, parameter: Tensor, gradient: Tensor, rate: Tensor, state: Mapping[str, Tensor], count: Tensor
    ) -> None:
        """Bias-corrected step."""
        if self.weight_decay:
            gradient = gradient + self.weight_decay * parameter
        beta1, beta2 = self.betas
        mean, square = state["mean"], state["square"]
        mean.mul_(beta1).add_(gradient, alpha=1 - beta1)
        square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        steps = (count + 1).to(parameter.dtype).reshape(-1, *(1 for _ in parameter.shape[1:]))
        denominator = square.sqrt() / (1 - beta2**steps).sqrt() + self.eps
        parameter.sub_(rate / (1 - beta1**steps) * mean / denominator)


OPTIMIZERS: Mapping[str, type[OptimizerSettings]] = {"SGD": SGD, "Adam": Adam}


def parse_optimizer(name: str | None, kwargs: Mapping[str, Any]) -> OptimizerSettings | None:
    """The optimizer of that name; None stays None; a fault is a ConfigError relative to the training settings."""
    if name is None:
        return None
    if name not in OPTIMIZERS:
        raise ConfigError(f"found {name!r}; the optimizers are: {', '.join(OPTIMIZERS)}", ("optimizer",))
    if "lr" in kwargs:
        raise ConfigError(
            "found lr; learning rates are given as learning_rate of the network or of a rule",
            ("optimizer_kwargs", "lr"),
        )
    return parse_declaration(OPTIMIZERS[name], kwargs, ("optimizer_kwargs",))
