"""Angles between weights, or between changes of weights: how close a rule comes to backpropagation.

Weights come as state dictionaries, name -> ``(replicas, post, pre)``, as ``Network.state_dict()`` gives them. Angles
are in degrees, computed in float64, one for each replica.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from eiann.errors import UserError
from eiann.metrics.arrays import Floats, Values, floats

ALL = "all_params"
"""Key of the angle over all weights together, each matrix with the same say."""

_EPSILON = 1e-10

State = Mapping[str, Values]
"""Name of a parameter -> its values ``(replicas, ...)``."""


def angle(first: Values, second: Values) -> Floats:
    """Angle between vectors in degrees, ``(..., n)`` and ``(..., n)`` -> ``(...)``; NaN if one of them is zero.

    Example:
        >>> angle([[1.0, 0.0], [1.0, 1.0]], [[0.0, 2.0], [3.0, 3.0]]).round(3).tolist()
        [90.0, 0.0]
    """
    a, b = floats(first, 1, "first vector"), floats(second, 1, "second vector")
    if a.shape != b.shape:
        raise UserError(f"angle: found shapes {a.shape} and {b.shape}; they must be the same")
    norm = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    cosine = np.divide((a * b).sum(-1), norm, out=np.full(norm.shape, np.nan), where=norm > 0)
    degrees: Floats = np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))
    return degrees


def update_angles(
    before: State,
    after: State,
    reference: State,
    names: Sequence[str],
    *,
    signs: bool = False,
    changed_only: bool = False,
) -> dict[str, Floats]:
    """Angle between the change that a rule made and the one that a reference rule, such as backprop, would make.

    Changes are ``after - before`` and ``reference - before``, each divided by (its norm + 1e-10).

    Args:
        before: weights before the step.
        after: weights after it.
        reference: weights after the step of the reference rule, from the same ``before`` and with the same samples.
        names: parameters to compare.
        signs: compare signs only.
        changed_only: compare only the entries that the rule changed.

    Returns:
        Name -> angles ``(replicas,)``; the key ``all_params`` has the angle between all changes joined, each matrix
        scaled to the same length. NaN where nothing changed. Empty without names.

    Raises:
        UserError: if a name is missing in one of the states.
    """
    changes: dict[str, tuple[Floats, Floats]] = {}
    for name in names:
        start, end, other = (_rows(state, name) for state in (before, after, reference))
        actual, wanted = _unit(end - start), _unit(other - start)
        if changed_only:
            wanted = np.where(actual != 0, wanted, 0.0)
        if signs:
            actual, wanted = np.sign(actual), np.sign(wanted)
        changes[name] = actual, wanted
    return _angles(changes)


def feedback_angles(
    state: State, pairs: Sequence[tuple[str, str]], *, before: State | None = None
) -> dict[str, Floats]:
    """Angle between forward weights and the transpose of the feedback weights that answer them.

    Literature: Lillicrap et al. (2016), "Random synaptic feedback weights support error backpropagation".

    Args:
        state: weights.
        pairs: names of a forward weight ``(replicas, upper, lower)`` and of its feedback weight
            ``(replicas, lower, upper)``, as ``feedback_pairs`` gives them.
        before: if given, the angle is between the changes from there to ``state``.

    Returns:
        Name of the forward weight -> angles ``(replicas,)``, and ``all_params`` over all pairs joined, each matrix
        scaled to the same length. Empty without pairs.
    """
    joined: dict[str, tuple[Floats, Floats]] = {}
    for forward, feedback in pairs:
        up, down = _matrix(state, forward), _matrix(state, feedback)
        if before is not None:
            up, down = up - _matrix(before, forward), down - _matrix(before, feedback)
        down = np.swapaxes(down, -1, -2)
        if up.shape != down.shape:
            raise UserError(
                f"feedback angle: found {forward} {up.shape} and the transpose of {feedback} {down.shape}; "
                "they must have the same shape"
            )
        joined[forward] = _unit(up.reshape(len(up), -1)), _unit(down.reshape(len(down), -1))
    return _angles(joined)


def _angles(vectors: Mapping[str, tuple[Floats, Floats]]) -> dict[str, Floats]:
    if not vectors:
        return {}
    found = {name: angle(first, second) for name, (first, second) in vectors.items()}
    firsts, seconds = zip(*vectors.values(), strict=True)
    return found | {ALL: angle(np.concatenate(firsts, axis=1), np.concatenate(seconds, axis=1))}


def _unit(rows: Floats) -> Floats:
    unit: Floats = rows / (np.linalg.norm(rows, axis=1, keepdims=True) + _EPSILON)
    return unit


def _matrix(state: State, name: str) -> Floats:
    if name not in state:
        raise UserError(f"angles: found no parameter {name!r}; there are: {', '.join(state) or 'none'}")
    return floats(state[name], 2, name)


def _rows(state: State, name: str) -> Floats:
    values = _matrix(state, name)
    return values.reshape(len(values), -1)
