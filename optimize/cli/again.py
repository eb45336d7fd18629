"""``eiann replay`` and ``eiann reevaluate``: computing trials again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from optimize.cli.options import STUDIES, StudiesOption, StudyArgument, study_path


def add_to(app: typer.Typer) -> None:
    """Register the commands of this file."""
    app.command(epilog="Example: eiann replay studies/demo 12")(replay)
    app.command(epilog="Example: eiann reevaluate studies/demo --top 3 --fresh-seeds 30")(reevaluate)


def replay(
    study: StudyArgument,
    trial: Annotated[int, typer.Argument(metavar="TRIAL", min=0, help="Number of the trial.")],
    studies: StudiesOption = STUDIES,
) -> None:
    """Compute a trial again and compare with the record; exit code 1 if they differ."""
    from optimize.cli.show import console, frame
    from optimize.replay import replay as compute_again
    from optimize.study import Study

    opened = Study.open(study_path(study, studies))
    done = compute_again(opened, trial)
    screen = console()
    compared = done.comparison()
    screen.print(frame(compared, list(compared.columns)))
    if done.identical:
        screen.print(f"trial {trial} is identical to the record, by executor {done.computed.executor}")
        return
    screen.print(f"trial {trial} differs from the record (versions then: {opened.spec.versions})", markup=False)
    raise typer.Exit(1)


def reevaluate(
    study: StudyArgument,
    top: Annotated[int, typer.Option("--top", min=1, help="How many of the best trials.")] = 5,
    fresh_seeds: Annotated[int, typer.Option("--fresh-seeds", min=1, help="Instances for each, with new seeds.")] = 10,
    by: Annotated[str | None, typer.Option("--by", help="Objective; left out, by Pareto rank.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Also write the instances: .parquet or .csv.")] = None,
    studies: StudiesOption = STUDIES,
) -> None:
    """Measure the best trials on fresh seeds and held-out data."""
    from optimize.cli.show import console, frame
    from optimize.cli.train import progress_bar
    from optimize.reevaluation import reevaluate as measure
    from optimize.results import write_table
    from optimize.study import Study

    opened = Study.open(study_path(study, studies))
    screen = console()
    with progress_bar(f"{top} trials x {fresh_seeds} seeds", screen) as progress:
        done = measure(opened, top=top, fresh_seeds=fresh_seeds, by=by, progress=progress)
    shown = [
        "number",
        "selected_accuracy",
        "held_out_accuracy",
        "low",
        "high",
        "median",
        "worst",
        "instances",
        "failed",
    ]
    screen.print(frame(done.trials, shown, "accuracy in percent; low to high: 95 % interval of the mean"))
    screen.print(f"kept in {done.write(opened)}", markup=False)
    if out is not None:
        write_table(done.instances, out)
        screen.print(f"instances written to {out}", markup=False)
