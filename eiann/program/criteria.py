"""Loss functions: declarations with value and gradient on tensors (replicas, batch, outputs)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from eiann.errors import ConfigError
from eiann.validation import parse_declaration


class Criterion(BaseModel):
    """Base: how far an output is from its target; ``reduction`` is over outputs and samples."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: ClassVar[str]
    reduction: Literal["mean", "sum"] = "mean"

    def elements(self, output: Tensor, target: Tensor) -> Tensor:
        """Loss per element, or per sample with a last axis of length 1."""
        raise NotImplementedError

    def element_gradient(self, output: Tensor, target: Tensor) -> Tensor:
        """Derivative of the sum of all elements with respect to the output."""
        raise NotImplementedError

    def value(self, output: Tensor, target: Tensor) -> Tensor:
        """Loss of each replica: (replicas, batch, outputs) -> (replicas,)."""
        elements = self.elements(output, target)
        count = elements.shape[-1] * elements.shape[-2] if self.reduction == "mean" else 1
        return elements.sum(dim=(-1, -2)) / count

    def gradient(self, output: Tensor, target: Tensor) -> Tensor:
        """Derivative of each replica's loss with respect to its output, of the output's shape."""
        count = output.shape[-2] * (1 if isinstance(self, CrossEntropyLoss) else output.shape[-1])
        scale = 1.0 / count if self.reduction == "mean" else 1.0
        return self.element_gradient(output, target) * scale


class MSELoss(Criterion):
    """Squared difference."""

    name: ClassVar[str] = "MSELoss"

    def elements(self, output: Tensor, target: Tensor) -> Tensor:
        """(o - y)^2."""
        return (output - target) ** 2

    def element_gradient(self, output: Tensor, target: Tensor) -> Tensor:
        """2 (o - y)."""
        return 2 * (output - target)


class BCELoss(Criterion):
    """Binary cross-entropy of outputs in [0, 1]; logarithms are not below -100, as in PyTorch."""

    name: ClassVar[str] = "BCELoss"

    def elements(self, output: Tensor, target: Tensor) -> Tensor:
        """-(y log o + (1 - y) log(1 - o)); NaN for an output outside [0, 1]."""
        return -(target * output.log().clamp(min=-100) + (1 - target) * (1 - output).log().clamp(min=-100))

    def element_gradient(self, output: Tensor, target: Tensor) -> Tensor:
        """(o - y) / (o (1 - o)), the denominator not below 1e-12."""
        return (output - target) / ((1 - output) * output).clamp(min=1e-12)


class CrossEntropyLoss(Criterion):
    """Cross-entropy of softmax(output) with class probabilities as target; averaged over samples, not over outputs."""

    name: ClassVar[str] = "CrossEntropyLoss"
    label_smoothing: Annotated[float, Field(ge=0, le=1)] = 0.0

    def _probabilities(self, target: Tensor) -> Tensor:
        """Targets mixed with the uniform distribution over classes (Szegedy et al. 2016)."""
        if self.label_smoothing == 0:
            return target
        return target * (1 - self.label_smoothing) + self.label_smoothing / target.shape[-1]

    def elements(self, output: Tensor, target: Tensor) -> Tensor:
        """-sum_k y_k log softmax(o)_k."""
        return -(self._probabilities(target) * torch.log_softmax(output, dim=-1)).sum(dim=-1, keepdim=True)

    def element_gradient(self, output: Tensor, target: Tensor) -> Tensor:
        """softmax(o) * sum(y) - y."""
        target = self._probabilities(target)
        return torch.softmax(output, dim=-1) * target.sum(dim=-1, keepdim=True) - target


CRITERIA: Mapping[str, type[Criterion]] = {cls.name: cls for cls in (MSELoss, BCELoss, CrossEntropyLoss)}


def parse_criterion(name: str, kwargs: Mapping[str, Any]) -> Criterion:
    """The criterion of that name; an unknown name or parameter is a ConfigError relative to the training settings."""
    if name not in CRITERIA:
        raise ConfigError(f"found {name!r}; the criteria are: {', '.join(CRITERIA)}", ("criterion",))
    return parse_declaration(CRITERIA[name], kwargs, ("criterion_kwargs",))
