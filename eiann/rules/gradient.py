"""Rules that follow a gradient: of the loss, or of the dendritic state of a population."""

from __future__ import annotations

from typing import ClassVar

from eiann.rules.base import BIAS_RULES, DENDRITIC_GRADIENT, GRADIENT, BackwardPhase, BiasRule, LearningRule, register


@register()
class Backprop(LearningRule):
    """Backpropagation of the loss through the last ``backward_steps`` time steps.

    Rumelhart, Hinton and Williams 1986; through time: Werbos 1990.

    W := W - learning_rate * dL/dW with plain gradient descent; the network's optimizer may add momentum or adapt the
    step. The state that enters the first of those time steps is a constant. All Backprop weights and biases of a
    network change together.
    """

    name: ClassVar[str] = "Backprop"
    backward: ClassVar[BackwardPhase | None] = GRADIENT


@register()
class BackpropDendriticLoss(LearningRule):
    """Gradient descent on the mean squared forward dendritic state of ``source``, a population with dendritic input.

    The loss is criterion(d, 0), d the state of the source's dendrites at the end of the forward phase. The gradient
    reaches weights into the interneurons that inhibit these dendrites (Galloni et al. 2025, dendritic inhibition by
    backpropagation).
    """

    name: ClassVar[str] = "Backprop_DendriticLoss"
    backward: ClassVar[BackwardPhase | None] = DENDRITIC_GRADIENT
    source: str


class BackpropBias(BiasRule):
    """The bias follows the gradient of the loss together with all Backprop weights."""

    name: ClassVar[str] = "BackpropBias"
    backward: ClassVar[BackwardPhase | None] = GRADIENT


BIAS_RULES.register("Backprop", "BackpropBias")(BackpropBias)
