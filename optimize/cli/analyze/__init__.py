"""``eiann analyze``: one question to a study each."""

from __future__ import annotations

import typer

from optimize.cli.analyze.parameters import (
    contours,
    degeneracy,
    design,
    importance,
    local,
    parallel,
    sensitivity,
    slices,
)
from optimize.cli.analyze.solutions import champions, compare, confidence, failures, front

_WORDS = """Ask a study: eiann analyze KIND STUDY.

Each kind prints one table and with --out writes it; its own --help has an example and the paper it comes from.
"""


def add_to(app: typer.Typer) -> None:
    """Register the commands of this file."""
    kinds = typer.Typer(help=_WORDS, no_args_is_help=True, epilog="Example: eiann analyze importance studies/demo")
    for function, example in (
        (front, "eiann analyze front demo --out front.csv"),
        (champions, "eiann analyze champions demo --top 5"),
        (confidence, "eiann analyze confidence demo --feature accuracy"),
        (importance, "eiann analyze importance demo --target loss --method pedanova"),
        (sensitivity, "eiann analyze sensitivity demo --method pawn"),
        (design, "eiann analyze design demo --samples 64 --out design.csv"),
        (local, "eiann analyze local demo --trial 12 --measure"),
        (degeneracy, "eiann analyze degeneracy demo --tolerance 2"),
        (slices, "eiann analyze slices demo --out slices.parquet"),
        (contours, "eiann analyze contours demo H_E_E_learning_rate Output_E_E_learning_rate --out contours.csv"),
        (parallel, "eiann analyze parallel demo --out lines.csv"),
        (compare, "eiann analyze compare first second third"),
        (failures, "eiann analyze failures demo --below 30"),
    ):
        kinds.command(epilog=f"Example: {example}")(function)
    app.add_typer(kinds, name="analyze")
