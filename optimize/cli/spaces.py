"""``eiann spaces``."""

from __future__ import annotations

from typing import Annotated

import typer


def add_to(app: typer.Typer) -> None:
    """Register the commands of this file."""
    app.command(epilog="Example: eiann spaces spiral")(spaces)


def spaces(
    data: Annotated[str | None, typer.Argument(metavar="[DATA]", help="Only those of this data set.")] = None,
    long: Annotated[bool, typer.Option("--long", help="Also model, figure and other name.")] = False,
) -> None:
    """List the search spaces that come with the package."""
    from eiann.errors import UserError
    from optimize.cli.show import console, grid
    from optimize.space.summaries import summaries

    found = summaries()
    if data is not None:
        known = sorted({summary.data for summary in found})
        found = tuple(summary for summary in found if summary.data == data)
        if not found:
            raise UserError(f"found no space for data {data!r}; there are some for: {', '.join(known)}")
    columns = ["space", "data", "parameters", "accuracy", "rule"]
    rows = [[s.name, s.data, s.searched, s.accuracy, s.rule] for s in found]
    if long:
        columns += ["model", "figure", "alias"]
        rows = [[*row, s.title, s.figure, s.alias] for row, s in zip(rows, found, strict=True)]
    console().print(grid(columns, rows))
