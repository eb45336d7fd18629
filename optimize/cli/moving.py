"""``eiann import``: what was made with Nested, as a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def add_to(app: typer.Typer) -> None:
    """Register the command of this file."""
    epilog = "Example: eiann import spiral_history.hdf5 --out trials.parquet"
    app.command("import", epilog=epilog)(import_history)


def import_history(
    history: Annotated[Path, typer.Argument(metavar="HISTORY", help="HDF5 history of a Nested search.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="A .parquet or .csv file; left out, the best are shown.")
    ] = None,
) -> None:
    """Read a search history of Nested as a table of trials; it serves as eiann optimize --points too."""
    from optimize.cli.show import console, frame
    from optimize.moving import read_history
    from optimize.results import write_table

    trials = read_history(history)
    failed = int((trials["state"] == "FAIL").sum())
    if out is not None:
        write_table(trials, out)
    objectives = [name for name in trials.columns if name.startswith("objectives.")]
    ordered = trials[trials["state"] == "COMPLETE"].sort_values(objectives, ignore_index=True)
    screen = console()
    screen.print(frame(ordered.head(10), ["number", "generation", *objectives]))
    written = f"; written to {out}" if out is not None else ""
    generations = trials["generation"].nunique()
    screen.print(f"{len(trials)} trials of {generations} generations, {failed} failed{written}", markup=False)
