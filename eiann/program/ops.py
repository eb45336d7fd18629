"""The operations of a program: what they read, what they write, what they mean.

A *value* is a vector of one population's units, known by its number. Most values are written once per sample;
*states* (biases, thresholds, traces) persist between samples and are changed in place by operations that say so. A
*weight* is the matrix (post, pre) of a projection, known by the projection's number; it is changed in place. A
*number* is a scalar per replica, e.g. a learning rate, known by its number. With a batch of samples each value has a
row per sample.

Executors map these classes to code; nothing else of a network reaches them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

Value = int
Weight = int
Number = int


@dataclass(frozen=True)
class Op:
    """Base of all operations."""


@dataclass(frozen=True)
class Zero(Op):
    """dst = 0."""

    dst: Value


@dataclass(frozen=True)
class Matvec(Op):
    """dsts[k] = W xs[k], for several inputs of one weight at once (time steps that do not depend on each other)."""

    dsts: tuple[Value, ...]
    weight: Weight
    xs: tuple[Value, ...]


@dataclass(frozen=True)
class MatvecT(Op):
    """dsts[k] = W^T xs[k]."""

    dsts: tuple[Value, ...]
    weight: Weight
    xs: tuple[Value, ...]


@dataclass(frozen=True)
class Sum(Op):
    """dst = sum of the terms, from left to right."""

    dst: Value
    terms: tuple[Value, ...]


@dataclass(frozen=True)
class Leak(Op):
    """dst = s + (-s + sum of the terms) / tau: one time step of a leaky integrator."""

    dst: Value
    state: Value
    terms: tuple[Value, ...]
    tau: Number


@dataclass(frozen=True)
class Activate(Op):
    """dst = phi(s), or phi(s + nudge)."""

    dst: Value
    state: Value
    nudge: Value | None
    population: int


@dataclass(frozen=True)
class ActivateGradient(Op):
    """dst = g * phi'(s), where a = phi(s)."""

    dst: Value
    gradient: Value
    state: Value
    activity: Value
    population: int


@dataclass(frozen=True)
class Scale(Op):
    """dst = number * x."""

    dst: Value
    x: Value
    number: Number


@dataclass(frozen=True)
class Clamp(Op):
    """dst = x clamped to [low, high]; None is an open end."""

    dst: Value
    x: Value
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Subtract(Op):
    """dst = a - b."""

    dst: Value
    a: Value
    b: Value


@dataclass(frozen=True)
class Multiply(Op):
    """dst = a * b, elementwise."""

    dst: Value
    a: Value
    b: Value


@dataclass(frozen=True)
class ZeroWhereZero(Op):
    """dst = x, and 0 where the reference is exactly 0."""

    dst: Value
    x: Value
    reference: Value


@dataclass(frozen=True)
class ZeroUpTo(Op):
    """dst = x, and 0 where the reference does not exceed the number."""

    dst: Value
    x: Value
    reference: Value
    number: Number


@dataclass(frozen=True)
class Select(Op):
    """dst = e at the selected units, 0 elsewhere.

    Of the units with positive e the m largest, of those with negative ``masked`` the m most negative are kept, m =
    ceil(fraction * units); the values are those of ``masked`` (e with some units silenced). Stochastic: units are
    drawn one by one with probability abs(e).
    """

    dst: Value
    error: Value
    masked: Value
    fraction: Number
    stochastic: bool
    population: int


@dataclass(frozen=True)
class Loss(Op):
    """The sample's loss: criterion(output, target) per replica; kept in the history."""

    output: Value
    target: Value


@dataclass(frozen=True)
class LossGradient(Op):
    """dst = d criterion(output, target) / d output."""

    dst: Value
    output: Value
    target: Value


# ---------------------------------------------------------------------------------------- changes of weights and states


@dataclass(frozen=True)
class Outer(Op):
    """W += sign * rate * u x^T (post x pre)."""

    weight: Weight
    rate: Number
    sign: float
    u: Value
    x: Value


@dataclass(frozen=True)
class Oja(Op):
    """W += rate * (v x^T - (v^2 1^T) * W)."""

    weight: Weight
    rate: Number
    v: Value
    x: Value


@dataclass(frozen=True)
class Btsp(Op):
    """The change of ``eiann.rules.btsp.BTSP19``; ``x`` and ``past_x`` are clamped, ``past_x`` not yet discounted."""

    weight: Weight
    rate: Number
    x: Value
    past_x: Value
    plus: Value
    past_plus: Value
    minus: Value
    saturation: Number
    discount: Number
    ratio: Number
    threshold: Number
    beta: Number
    sigmoid_at_zero: Number
    sigmoid_range: Number


@dataclass(frozen=True)
class GradientStepWeight(Op):
    """One optimizer step of a weight with the gradient sum_k us[k] xs[k]^T."""

    weight: Weight
    rate: Number
    us: tuple[Value, ...]
    xs: tuple[Value, ...]
    optimizer: Literal["network", "plain"]


@dataclass(frozen=True)
class GradientStepBias(Op):
    """One optimizer step of a state (a bias) with the gradient sum_k us[k]."""

    state: Value
    rate: Number
    us: tuple[Value, ...]


@dataclass(frozen=True)
class AddTo(Op):
    """state += rate * x, summed over a batch."""

    state: Value
    rate: Number
    x: Value


@dataclass(frozen=True)
class MoveThreshold(Op):
    """state += (-state + a^2 / k) / tau."""

    state: Value
    activity: Value
    k: Number
    tau: Number


@dataclass(frozen=True)
class Store(Op):
    """state := x."""

    state: Value
    x: Value


# ----------------------------------------------------------------------------------------------- bounds and constraints


@dataclass(frozen=True)
class ClampState(Op):
    """state := state clamped to [low, high]."""

    state: Value
    low: Number
    high: Number


@dataclass(frozen=True)
class ClampWeight(Op):
    """W := W clamped to [low, high].

    ``again``: whether what satisfies the bounds need not do so at the end of the same pass, since rows are scaled after
    it and a bound is neither 0 nor open.
    """

    weight: Weight
    low: Number
    high: Number
    again: bool = False


@dataclass(frozen=True)
class ZeroDiagonal(Op):
    """The diagonal of W := 0."""

    weight: Weight


@dataclass(frozen=True)
class Normalize(Op):
    """Rows of W divided by their sum of absolute values (rows of zeros stay), then W multiplied by the number."""

    weight: Weight
    scale: Number


@dataclass(frozen=True)
class Mask(Op):
    """W := W * mask of that projection."""

    weight: Weight


@dataclass(frozen=True)
class Clone(Op):
    """W := (factor * W_source) * W_source2, transposed if asked."""

    weight: Weight
    source: Weight
    source2: Weight | None
    factor: Number
    transpose: bool


@dataclass(frozen=True)
class ChangeWeight(Op):
    """W := function(W, *xs, *numbers), of a user's own rule or constraint; on tensors, so for the torch executor alone.

    W has the shape (R, post, pre), each of ``xs`` (R, batch, units), each number (R, 1, 1).
    """

    weight: Weight
    function: Callable[..., Tensor]
    xs: tuple[Value, ...]
    numbers: tuple[Number, ...]


# --------------------------------------------------------------------------------------------------------------- images


@dataclass(frozen=True)
class Convolve(Op):
    """dst = convolution of the image x with the kernels W."""

    dst: Value
    weight: Weight
    x: Value


@dataclass(frozen=True)
class ConvolveT(Op):
    """dst = gradient of a convolution with respect to its input, for the gradient u of its output."""

    dst: Value
    weight: Weight
    u: Value


@dataclass(frozen=True)
class PerPixel(Op):
    """dst = a state per channel, repeated for each pixel of the population's image."""

    dst: Value
    state: Value
    population: int


@dataclass(frozen=True)
class MaxPool(Op):
    """dst = the largest of each window of the source's image."""

    dst: Value
    x: Value
    population: int


@dataclass(frozen=True)
class MaxPoolGradient(Op):
    """dst = gradient of the pooling with respect to its input x."""

    dst: Value
    gradient: Value
    x: Value
    population: int
