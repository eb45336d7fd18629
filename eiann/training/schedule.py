"""At which training steps something happens: validation, storing, recording."""

from __future__ import annotations

from eiann.errors import UserError

Interval = tuple[int, int, int]


def interval_steps(interval: Interval, steps: int) -> tuple[int, ...]:
    """Training steps of an interval (start, stop, every), counted back from ``stop``.

    Negative values count from the end; a start before the beginning means the beginning. If the start is 0, step 0 is
    always there.

    Raises:
        UserError: a start or stop outside of the training steps, or ``every`` below 1.

    Example:
        >>> interval_steps((0, -1, 4), 10)
        (0, 1, 5, 9)
        >>> interval_steps((-1000, -1, 100), 20000)[:2]
        (19099, 19199)
    """
    start, stop, every = interval
    if every < 1:
        raise UserError(f"interval {list(interval)}: found {every} as distance between steps; it is at least 1")
    if start < -steps:
        start = 0
    resolved = []
    for name, value in (("start", start), ("stop", stop)):
        if not -steps <= value < steps:
            raise UserError(
                f"interval {list(interval)}: found {value} as {name}; training has the steps 0 to {steps - 1}"
            )
        resolved.append(value % steps)
    first, last = resolved
    chosen = set(range(last, first - 1, -every))
    if first == 0:
        chosen.add(0)
    return tuple(sorted(chosen))
