"""A small network and a small space, as texts that tests change one thing of."""

from __future__ import annotations

from collections.abc import Callable

from optimize.space import SearchSpace

NETWORK = """\
cells:
  E: excitatory, activation relu
  SomaI: inhibitory, activation relu
layers:
  Input: {E: 4}
  H1: {E: 16, SomaI: 4}
  H2: {E: 9, SomaI: 3}
  Output: {E: 2, SomaI: 2}
projections:
  E <- below.E: rule Backprop(learning_rate=0.1), init 1
  E <- SomaI: init 1
  SomaI <- below.E: init 1
  SomaI <- SomaI: constraint normalize_weight(scale=1)
training: {tau: 3, forward_steps: 15, backward_steps: 3, learning_rate: 0.2}
"""

SPACE = """\
network: net
data: spiral
ranges:
  rule.learning_rate: [1.0e-4, 1.0, log]
parameters:
  rate:
    start: 0.1
    sets: {E <- below.E: rule.learning_rate}
  scale:
    range: [0.01, 10.0, log]
    sets:
      H1.E <- Input.E: init[0]
"""

MakeSpace = Callable[..., SearchSpace]
