"""``eiann spaces``."""

from __future__ import annotations

from typing import Annotated

import typer


def add_to(app: typer.Typer) -> None:
    """Register the commands of this file."""
    app.command(epilog="Example: eiann spaces spiral")(spaces)


def spaces(
    data: Annotated[str | None, typer.Argument(metavar="[DATA]", help="Only those of this data set.")] = None,
) -> None:
    """List the search spaces that come with the package."""
    import search_spaces
    from eiann.errors import UserError
    from optimize.cli.show import console, grid

    entries = search_spaces.catalogue()
    if data is not None:
        entries = tuple(entry for entry in entries if entry.data == data)
        if not entries:
            known = sorted({entry.data for entry in search_spaces.catalogue()})
            raise UserError(f"found no space for data {data!r}; there are some for: {', '.join(known)}")
    rows = [
        (entry.name, entry.rule, entry.title, entry.reported.get("accuracy"), entry.figure, entry.alias)
        for entry in entries
    ]
    console().print(grid(("space", "rule", "model", "reported accuracy", "figure", "alias"), rows))
