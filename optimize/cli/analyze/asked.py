"""What the questions to a study have in common: the study, the target, and the table that answers."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from optimize.cli.options import study_path

if TYPE_CHECKING:
    import pandas as pd

    from optimize.space import Parameter
    from optimize.study import Study

OutOption = Annotated[Path | None, typer.Option("--out", help="Also write the table: .parquet or .csv.")]
TargetOption = Annotated[
    str | None, typer.Option("--target", help="An objective, or features.NAME; left out, the first objective.")
]
RowsOption = Annotated[int, typer.Option("--rows", min=1, help="Rows to show; --out writes them all.")]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Of resamples and forests.")]


@dataclass(frozen=True)
class Asked:
    """A study, and what questions need of it."""

    study: Study

    @classmethod
    def about(cls, study: str, studies: Path) -> Asked:
        """The study of this folder or name."""
        from optimize.study import Study

        return cls(Study.open(study_path(study, studies)))

    @cached_property
    def trials(self) -> pd.DataFrame:
        """All of them."""
        return self.study.trials()

    @cached_property
    def feasible(self) -> pd.DataFrame:
        """The complete ones within all constraints: those that can be among the best.

        Raises:
            UserError: there are none.
        """
        from optimize.results import feasible_trials, none_best

        settings = self.study.spec.evaluation
        found = feasible_trials(self.trials, settings.limits)
        if found.empty:
            raise none_best(self.study.name, self.trials, settings.constraints)
        return found

    @property
    def objectives(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(self.study.spec.evaluation.objectives)

    @property
    def searched(self) -> tuple[Parameter, ...]:
        """The parameters that trials differ in."""
        return self.study.spec.search_space.searched

    def column(self, target: str | None) -> str:
        """The column of a target; the first objective's if there is none."""
        from optimize.analysis.unit import target_column

        return target_column(self.trials, target, self.objectives)

    def upwards(self, column: str) -> bool:
        """Whether more is better in the column of a target."""
        from optimize.analysis.unit import upwards

        return upwards(column, self.study.spec.evaluation.objectives)

    def number(self, trial: int | None) -> int:
        """Of the trial, or of the best one."""
        from optimize.results import best_trials

        if trial is not None:
            return trial
        return int(best_trials(self.feasible, 1, None, self.objectives).iloc[0]["number"])


def answer(
    table: pd.DataFrame,
    out: Path | None,
    rows: int,
    title: str | None,
    *,
    tail: bool = False,
    order: str | None = None,
    falling: bool = False,
    hide: tuple[str, ...] = (),
) -> None:
    """Show a part of a table without columns that begin with ``hide``, and write all of it if asked.

    Shown in the order of a column if there is one, which rises or falls.
    """
    from optimize.cli.show import console, frame
    from optimize.results import write_table

    if out is not None:
        write_table(table, out)
    ordered = table if order is None else table.sort_values(order, ascending=not falling)
    shown = ordered.tail(rows) if tail else ordered.head(rows)
    console().print(frame(shown, [name for name in shown.columns if not name.startswith(hide)], title))
    if len(shown) < len(table):
        sys.stdout.write(f"{len(shown)} of {len(table)} rows\n")
    if out is not None:
        sys.stdout.write(f"written to {out}\n")
