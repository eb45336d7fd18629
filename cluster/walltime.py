"""Times as schedulers write them."""

from __future__ import annotations

import re

_TIME = re.compile(r"(?:(?P<days>\d+)-)?(?P<fields>\d+(?::\d{1,2}){0,2})")


def seconds_of(text: str) -> int:
    """Seconds of a time such as ``30`` (minutes), ``1:30:00`` or ``2-12:00:00``, read as Slurm reads it.

    Raises:
        ValueError: it is none.

    Example:
        >>> [seconds_of(text) for text in ("30", "10:30", "1:30:00", "2-12", "1-00:30")]
        [1800, 630, 5400, 216000, 88200]
    """
    match = _TIME.fullmatch(text)
    fields = [int(part) for part in match["fields"].split(":")] if match else []
    if match is None or any(field > 59 for field in fields[1:]):
        raise ValueError(f"{text!r} is no time; write minutes, H:MM:SS or D-HH:MM:SS")
    if match["days"] is not None:  # days-hours:minutes:seconds
        hours, minutes, seconds = [*fields, 0, 0][:3]
        total = ((int(match["days"]) * 24 + hours) * 60 + minutes) * 60 + seconds
    else:  # minutes, minutes:seconds, hours:minutes:seconds
        hours, minutes, seconds = {1: [0, *fields, 0], 2: [0, *fields], 3: fields}[len(fields)]
        total = (hours * 60 + minutes) * 60 + seconds
    if total == 0:
        raise ValueError(f"{text!r} is no time at all")
    return total


def slurm_time(seconds: float) -> str:
    """Seconds as Slurm prints them.

    Example:
        >>> slurm_time(216_000), slurm_time(90)
        ('2-12:00:00', '00:01:30')
    """
    days, rest = divmod(int(seconds), 86_400)
    clock = f"{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"
    return f"{days}-{clock}" if days else clock
