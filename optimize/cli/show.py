"""Tables in a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    import pandas as pd

_WIDE = 10_000


def console() -> Console:
    """Standard output; as wide as it likes where it is not a terminal, so that no line is broken."""
    terminal = Console(highlight=False)
    return terminal if terminal.is_terminal else Console(highlight=False, width=_WIDE)


def grid(columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str | None = None) -> Table:
    """A table of plain values; numbers to the right, four digits of a fraction."""
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    cells = [[text(value) for value in row] for row in rows]
    numeric = [all(_is_number(row[i]) for row in cells) for i in range(len(columns))]
    for name, number in zip(columns, numeric, strict=True):
        table.add_column(name, justify="right" if number and cells else "left", overflow="fold")
    for row in cells:
        table.add_row(*row)
    return table


def frame(data: pd.DataFrame, columns: Sequence[str], title: str | None = None) -> Table:
    """Some columns of a data frame, the prefixes of their names left out where that is unambiguous."""
    short = [name.removeprefix("features.").removeprefix("params.") for name in columns]
    heads = [s if short.count(s) == 1 else name for s, name in zip(short, columns, strict=True)]
    return grid(heads, data[list(columns)].itertuples(index=False), title)


def text(value: Any) -> str:
    """A value as it stands in a table."""
    if value is None or value != value:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)


def _is_number(cell: str) -> bool:
    try:
        float(cell or "0")
    except ValueError:
        return False
    return True
