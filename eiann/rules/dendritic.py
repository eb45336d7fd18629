"""Rules driven by dendritic errors: top-down input to the dendrite against lateral inhibition (Galloni et al. 2025).

Symbols: pi = plateau, the selected part of the clamped dendritic state that drives plasticity (post,); x =
presynaptic activity (pre,) after the backward phase, x_f at the end of the forward phase; a, a_f the postsynaptic
ones; d_f = forward dendritic state (post,). [z] is a clamp to [0, 1], [z]+- to [-1, 1]. Activities are in units of
the activation function.
"""

from __future__ import annotations

from typing import ClassVar

from eiann.program.kernel import BiasKernel, RuleKernel
from eiann.rules.base import BIAS_RULES, BackwardPhase, BiasRule, LearningRule, Nudging, register
from eiann.validation import Sign

NUDGE_ONCE = BackwardPhase("nudge", "BP_like_2E", equilibrate=False)
NUDGE_AND_EQUILIBRATE = BackwardPhase("nudge", "BP_like_2L")
NUDGE_OUTPUT_LAYER = BackwardPhase("nudge", "Top_Layer_BP_like_2L", output_layer_only=True)


@register()
class BPLike2E(Nudging):
    """Dendritic target propagation: W := W + eta * pi x [x_f]; nudged somata do not run their dynamics again."""

    name: ClassVar[str] = "BP_like_2E"
    backward: ClassVar[BackwardPhase | None] = NUDGE_ONCE

    def step(self, kernel: RuleKernel) -> None:
        """Error at the dendrite times the input of the forward phase."""
        kernel.outer(kernel.plateau, kernel.unit_interval(kernel.pre_forward))


@register()
class BPLike2L(Nudging):
    """Dendritic target propagation with dynamics: W := W + eta * pi x [x], x after the nudge has spread.

    With ``forward_only`` x is that of the forward phase.
    """

    name: ClassVar[str] = "BP_like_2L"
    backward: ClassVar[BackwardPhase | None] = NUDGE_AND_EQUILIBRATE
    forward_only: bool = False

    def step(self, kernel: RuleKernel) -> None:
        """Error at the dendrite times input."""
        pre = kernel.pre_forward if self.forward_only else kernel.pre
        kernel.outer(kernel.plateau, kernel.unit_interval(pre))


@register()
class TopLayerBPLike2L(LearningRule):
    """Supervision of the output layer alone: W := W + eta * pi x [x], pi the clamped error of the output."""

    name: ClassVar[str] = "Top_Layer_BP_like_2L"
    backward: ClassVar[BackwardPhase | None] = NUDGE_OUTPUT_LAYER
    relu_gate: bool = True

    def step(self, kernel: RuleKernel) -> None:
        """Output error times input."""
        kernel.outer(kernel.plateau, kernel.unit_interval(kernel.pre))


@register()
class DendriticLoss6(LearningRule):
    """Dendritic inhibition learns to cancel the forward dendritic state: W := W + sign * eta * [d_f]+- x [x_f]."""

    name: ClassVar[str] = "DendriticLoss_6"
    sign: Sign = 1.0

    def step(self, kernel: RuleKernel) -> None:
        """Dendritic state times input, both of the forward phase."""
        kernel.outer(
            kernel.signed_interval(kernel.dendrite_forward),
            kernel.unit_interval(kernel.pre_forward),
            rate="signed_learning_rate",
        )


class DendriticLossBias(BiasRule):
    """The bias follows the plateau: b := b + eta * pi."""

    name: ClassVar[str] = "DendriticLossBias"

    def step(self, kernel: BiasKernel) -> None:
        """Plateau times learning rate."""
        kernel.add(kernel.plateau)


BIAS_RULES.register("DendriticLossBias")(DendriticLossBias)
