"""Rules of correlated activity. Symbols, shapes and units as in ``eiann.rules.dendritic``."""

from __future__ import annotations

from typing import ClassVar

from eiann.program.kernel import RuleKernel
from eiann.rules.base import BackwardPhase, LearningRule, Nudging, register
from eiann.rules.dendritic import NUDGE_AND_EQUILIBRATE
from eiann.validation import Fraction, Positive, Sign


@register()
class HebbWeightNorm(LearningRule):
    """Hebb 1949: W := W +- eta * a x x, unclamped; meant to be used with a constraint that normalizes the weights.

    Attributes:
        sign: 1 adds, -1 subtracts (inhibitory weights, which grow more negative).
        forward_only: activities are those of the forward phase.
    """

    name: ClassVar[str] = "Hebb_WeightNorm"
    sign: Sign = 1.0
    forward_only: bool = False

    def step(self, kernel: RuleKernel) -> None:
        """Product of activities."""
        post, pre = kernel.activities(self.forward_only)
        kernel.outer(post, pre, subtract=self.sign <= 0)


@register()
class HebbWeightNorm4(LearningRule):
    """Like ``Hebb_WeightNorm`` with activities clamped to [0, 1]: W := W +- eta * [a] x [x] (Hebb 1949).

    Attributes:
        sign, forward_only: as there.
    """

    name: ClassVar[str] = "Hebb_WeightNorm_4"
    sign: Sign = 1.0
    forward_only: bool = False

    def step(self, kernel: RuleKernel) -> None:
        """Product of clamped activities."""
        post, pre = kernel.activities(self.forward_only)
        kernel.outer(kernel.unit_interval(post), kernel.unit_interval(pre), subtract=self.sign <= 0)


@register()
class OjasRule(LearningRule):
    """Oja 1982: W := W + eta * (v x [x] - (v^2 1) * W), v = [a]; the decay bounds the norm of a unit's weights.

    Attributes:
        forward_only: activities are those of the forward phase.
    """

    name: ClassVar[str] = "Ojas_rule"
    forward_only: bool = False

    def step(self, kernel: RuleKernel) -> None:
        """Hebbian term with activity-dependent decay."""
        post, pre = kernel.activities(self.forward_only)
        kernel.oja(kernel.unit_interval(post), kernel.unit_interval(pre))


@register()
class HebbianTemporalContrast(Nudging):
    """Contrast of nudged against free activity: W := W + eta * (h x [x] - [a_f] x [x_f]), after Xie and Seung 2003.

    h = [a], and 0 where the unit was silent in the forward phase if ``relu_gate``.
    """

    name: ClassVar[str] = "Hebbian_Temporal_Contrast"
    backward: ClassVar[BackwardPhase | None] = NUDGE_AND_EQUILIBRATE
    relu_gate: bool = True

    def step(self, kernel: RuleKernel) -> None:
        """Hebbian product after the nudge minus the one before."""
        post_forward = kernel.unit_interval(kernel.post_forward)
        post = kernel.unit_interval(kernel.post)
        if self.relu_gate:
            post = kernel.zero_where_zero(post, post_forward)
        kernel.outer(post, kernel.unit_interval(kernel.pre))
        kernel.outer(post_forward, kernel.unit_interval(kernel.pre_forward), subtract=True)


@register()
class TopDownHebbianTemporalContrast1(LearningRule):
    """Feedback weights learn from what the nudge changes (contrastive Hebbian learning, Xie and Seung 2003).

    W := W + eta * ([a] x [x] - [a_f] x [x_f]); with ``forward_only`` W := W + eta * [a_f] x [x - x_f]+-.
    """

    name: ClassVar[str] = "Top_Down_Hebbian_Temporal_Contrast_1"
    forward_only: bool = False

    def step(self, kernel: RuleKernel) -> None:
        """Contrast of products, or forward activity times the change of the input."""
        post_forward = kernel.unit_interval(kernel.post_forward)
        if self.forward_only:
            kernel.outer(post_forward, kernel.signed_interval(kernel.subtract(kernel.pre, kernel.pre_forward)))
        else:
            kernel.outer(kernel.unit_interval(kernel.post), kernel.unit_interval(kernel.pre))
            kernel.outer(post_forward, kernel.unit_interval(kernel.pre_forward), subtract=True)


@register()
class TopDownHebbianTemporalContrast3(LearningRule):
    """Feedback weights: W := W + eta * [a] x [x - x_f]+- (after Xie and Seung 2003; Galloni et al. 2025)."""

    name: ClassVar[str] = "Top_Down_Hebbian_Temporal_Contrast_3"

    def step(self, kernel: RuleKernel) -> None:
        """Activity times the change of the input by the nudge."""
        change = kernel.signed_interval(kernel.subtract(kernel.pre, kernel.pre_forward))
        kernel.outer(kernel.unit_interval(kernel.post), change)


NUDGE_BCM = BackwardPhase("nudge", "Supervised_BCM_4")


@register()
class SupervisedBCM4(Nudging):
    """Bienenstock, Cooper, Munro 1982, under supervision by nudges: W := W +- eta * (a x [x]) * ((a - theta) 1).

    The threshold theta (post,) follows theta := theta + (a^2 / k - theta) / theta_tau once per sample, starts at k,
    and outlives the training call.

    Attributes:
        theta_tau: time constant of the threshold in samples.
        k: scale of the threshold, in units of activity.
        sign: 1 adds, -1 subtracts.
        max_pop_fraction: see ``Nudging``; a small fraction by default.
    """

    name: ClassVar[str] = "Supervised_BCM_4"
    backward: ClassVar[BackwardPhase | None] = NUDGE_BCM
    batches: ClassVar[bool] = False
    theta_tau: Positive
    k: Positive
    sign: Sign = 1.0
    max_pop_fraction: Fraction = 0.025

    def step(self, kernel: RuleKernel) -> None:
        """Hebbian above the threshold, anti-Hebbian below it."""
        above = kernel.subtract(kernel.post, kernel.threshold())
        kernel.outer(kernel.multiply(kernel.post, above), kernel.unit_interval(kernel.pre), subtract=self.sign <= 0)

    def update(self, kernel: RuleKernel) -> None:
        """Move the threshold."""
        kernel.move_threshold()
