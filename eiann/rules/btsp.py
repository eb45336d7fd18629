"""Behavioural time scale synaptic plasticity: dendritic plateaus write past and present input into the weights."""

from __future__ import annotations

import math
from typing import ClassVar, Self

from pydantic import model_validator

from eiann.program.kernel import RuleKernel
from eiann.rules.base import BackwardPhase, Nudging, register
from eiann.validation import Finite, NonNegative, Positive, UnitInterval

NUDGE_BTSP = BackwardPhase("nudge", "BTSP_19")


@register()
class BTSP19(Nudging):
    """Weight-dependent potentiation and depression by plateaus (Milstein et al. 2021; Galloni et al. 2025).

    With E = [x], E' = gamma * (past activity clamped), and the eligibility of depression
    q(z) = (sigmoid(beta * ([z] - dep_th)) - c0) / (c1 - c0), beta = 2 / dep_width, c0 and c1 the sigmoid at 0 and 1,
    G(E, I) = ((w_max - W) * E) * I - (W * dep_ratio) * q(E * I) and

        W := W + eta * (pi+ * G(E, 1) + pi+ * G(E', 1) + past_pi+ * G(E, gamma) + pi- x E)

    pi+ and pi- are the positive and the negative part of the plateau; w_max is the upper weight bound, 2 without one.
    Past activity and past plateau are those of the sample before; they are zero when training begins.

    Attributes:
        neg_rate_th: units whose forward activity does not exceed it get no plateau.
        temporal_discount: gamma, how much of a trace is left one sample later.
        dep_ratio: strength of depression relative to potentiation.
        dep_th: eligibility at which depression is half, in [0, 1].
        dep_width: range of eligibility over which depression sets in.
    """

    name: ClassVar[str] = "BTSP_19"
    backward: ClassVar[BackwardPhase | None] = NUDGE_BTSP
    batches: ClassVar[bool] = False
    relu_gate: bool = True
    neg_rate_th: Finite | None = None
    dep_ratio: NonNegative = 1.0
    dep_th: UnitInterval = 0.01
    dep_width: Positive = 0.01
    temporal_discount: UnitInterval = 0.25

    @model_validator(mode="after")
    def _width_is_not_zero(self) -> Self:
        if self.dep_th + self.dep_width == self.dep_th:
            raise ValueError("dep_width is too small beside dep_th")
        return self

    @property
    def negative_rate_threshold(self) -> float | None:
        """Activity up to which a unit gets no plateau."""
        return self.neg_rate_th

    @property
    def beta(self) -> float:
        """Slope of the depression sigmoid."""
        return 2.0 / ((self.dep_th + self.dep_width) - self.dep_th)

    @property
    def sigmoid_at_zero(self) -> float:
        """c0."""
        return _logistic(self.beta * (0.0 - self.dep_th))

    @property
    def sigmoid_range(self) -> float:
        """c1 - c0."""
        return _logistic(self.beta * (1.0 - self.dep_th)) - self.sigmoid_at_zero

    def step(self, kernel: RuleKernel) -> None:
        """Plateaus now with input now and past, past plateaus with input now."""
        kernel.btsp()

    def update(self, kernel: RuleKernel) -> None:
        """Keep input and plateau for the next sample."""
        kernel.keep_traces()


def _logistic(z: float) -> float:
    """1 / (1 + exp(-z)), where exp(-z) may be too large for a number."""
    return 1.0 / (1.0 + math.exp(-z)) if z > -700.0 else 0.0
