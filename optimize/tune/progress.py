"""Where a run stands, shown to people: a live display in a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from optimize.tune.driver import DriverStatus

Watch = Callable[[DriverStatus], None]
_LINE_EVERY_S: Final = 10.0


@contextmanager
def progress_display(name: str, objectives: Sequence[str], console: Console | None = None) -> Iterator[Watch]:
    """A function that shows a status whenever it is called.

    Args:
        name: of the study.
        objectives: how they are called, in order.
        console: where to; standard output if left out.
    """
    console = console or Console()
    if not console.is_terminal:
        yield PlainLines(name, objectives, console)
        return
    display = LiveDisplay(name, objectives)
    with Live(get_renderable=display, console=console, refresh_per_second=4, transient=False):
        yield display.update


class PlainLines:
    """A line at the start, every ten seconds at most, when the run is asked to stop, and at the end."""

    def __init__(self, name: str, objectives: Sequence[str], console: Console) -> None:
        self._name = name
        self._objectives = objectives
        self._console = console
        self._shown_at = float("-inf")
        self._ended = False
        self._stopping = False

    def __call__(self, status: DriverStatus) -> None:
        """Show a status, unless the last line is still fresh."""
        now = time.monotonic()
        ended = status.ended >= status.budget and not status.running
        news = ended or (status.stopping is not None and not self._stopping)
        if self._ended or (now - self._shown_at < _LINE_EVERY_S and not news):
            return
        self._shown_at, self._ended, self._stopping = now, ended, status.stopping is not None
        line = f"{self._name}: " + " | ".join(describe(status, self._objectives))
        self._console.print(line, highlight=False, soft_wrap=True, markup=False)


class LiveDisplay:
    """A bar and a few lines that keep themselves up to date."""

    def __init__(self, name: str, objectives: Sequence[str]) -> None:
        self._objectives = objectives
        self._status: DriverStatus | None = None
        self._updated = time.monotonic()
        self._bar = Progress(
            TextColumn("[bold]{task.description}"), BarColumn(bar_width=40), MofNCompleteColumn(), TextColumn("trials")
        )
        self._task = self._bar.add_task(name, total=None)

    def update(self, status: DriverStatus) -> None:
        """Take the newest status."""
        self._status = status
        self._updated = time.monotonic()
        self._bar.update(self._task, total=status.budget, completed=status.ended)

    def __call__(self) -> Group:
        """What is shown now."""
        status = self._status
        if status is None:
            return Group(self._bar, Text("starting workers", style="dim"))
        table = Table.grid(padding=(0, 2))
        for label, (value, number) in zip(self._objectives, status.best, strict=False):
            table.add_row("best", label, f"{value:.4g}", Text(f"trial {number}", style="dim"))
        note = f"stopping: {status.stopping}" if status.stopping else _left(status, self._updated)
        table.add_row("packs", "running", str(status.running), Text(note, style="dim"))
        if status.failed:
            table.add_row("failed", "trials", str(status.failed), Text(status.last_failure or "", style="yellow"))
        return Group(self._bar, table)


def describe(status: DriverStatus, objectives: Sequence[str]) -> list[str]:
    """A status in words.

    Example:
        >>> describe(DriverStatus(budget=60, ended=10, best=((3.5, 7),)), ["100 - accuracy"])
        ['10 of 60 trials', 'best 100 - accuracy 3.5 (trial 7)']
    """
    parts = [f"{status.ended} of {status.budget} trials"]
    for label, (value, number) in zip(objectives, status.best, strict=False):
        parts.append(f"best {label} {value:.4g} (trial {number})")
    if status.failed:
        last = f", last {status.last_failure}" if status.last_failure else ""
        parts.append(f"{status.failed} failed{last}")
    if status.stopping:
        parts.append(f"stopping ({status.stopping}), {status.running} packs running")
    elif status.seconds_left is not None and status.ended < status.budget:
        parts.append(f"{duration(status.seconds_left)} left")
    return parts


def duration(seconds: float) -> str:
    """A time for people.

    Example:
        >>> duration(7), duration(150), duration(9000)
        ('7 s', '2 min 30 s', '2 h 30 min')
    """
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _left(status: DriverStatus, updated: float) -> str:
    left = status.seconds_left
    if left is None:
        return "first results to come"
    return f"{duration(left - (time.monotonic() - updated))} left"
