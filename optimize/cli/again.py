"""``eiann replay`` and ``eiann reevaluate``: computing trials again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from optimize.cli.options import STUDIES, StudiesOption, StudyArgument, study_path

ReplayExecutorOption = Annotated[
    str | None, typer.Option("--executor", help="Another executor; left out, that of the record.")
]
ToleranceOption = Annotated[
    float | None, typer.Option("--tolerance", help="Largest difference, in parts of the recorded value.")
]


def add_to(app: typer.Typer) -> None:
    """Register the commands of this file."""
    app.command(epilog="Example: eiann replay studies/demo 12 --executor torch --tolerance 0.01")(replay)
    app.command(epilog="Example: eiann reevaluate studies/demo --top 3 --fresh-seeds 30")(reevaluate)


def replay(
    study: StudyArgument,
    trial: Annotated[int, typer.Argument(metavar="TRIAL", min=0, help="Number of the trial.")],
    executor: ReplayExecutorOption = None,
    tolerance: ToleranceOption = None,
    studies: StudiesOption = STUDIES,
) -> None:
    """Compute a trial again and compare with the record; exit code 1 if they differ.

    On the executor of the record every bit is the same. Another one rounds differently; say with --tolerance how much
    of a difference is none.
    """
    from eiann.errors import UserError
    from optimize.cli.show import console, frame
    from optimize.replay import replay as compute_again
    from optimize.study import Study

    opened = Study.open(study_path(study, studies))
    if tolerance is not None and not 0 <= tolerance < 1:
        raise UserError(f"--tolerance: found {tolerance:g}; it is a part of the recorded value, from 0 to below 1")
    done = compute_again(opened, trial, executor=executor)
    screen = console()
    compared = done.comparison()
    screen.print(frame(compared, list(compared.columns)))
    if done.identical:
        screen.print(f"trial {trial} is identical to the record, by executor {done.computed.executor}")
        return
    if tolerance is not None and done.agrees(tolerance):
        screen.print(
            f"trial {trial} agrees with the record to {done.largest:.2g} of its values (allowed: {tolerance:g}), "
            f"by executor {done.computed.executor}",
            markup=False,
        )
        return
    how = f"by {done.largest:.2g} of its values at most; executor now {done.computed.executor}"
    screen.print(f"trial {trial} differs from the record {how}, versions then {opened.spec.versions}", markup=False)
    raise typer.Exit(1)


def reevaluate(
    study: StudyArgument,
    top: Annotated[int, typer.Option("--top", min=1, help="How many of the best trials.")] = 5,
    fresh_seeds: Annotated[int, typer.Option("--fresh-seeds", min=1, help="Instances for each, with new seeds.")] = 10,
    by: Annotated[str | None, typer.Option("--by", help="Objective; left out, by Pareto rank.")] = None,
    trial: Annotated[
        list[int] | None, typer.Option("--trial", help="This trial instead of the best; repeatable.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option("--steps", min=1, help="Training steps of an epoch; left out, the study's.")
    ] = None,
    epochs: Annotated[int | None, typer.Option("--epochs", min=1, help="Epochs; left out, the study's.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Also write the instances: .parquet or .csv.")] = None,
    studies: StudiesOption = STUDIES,
) -> None:
    """Measure the best trials on fresh seeds and held-out data."""
    from optimize.cli.show import console, frame
    from optimize.cli.train import progress_bar
    from optimize.reevaluation import reevaluate as measure
    from optimize.results import check_table_path, write_table
    from optimize.study import Study

    if out is not None:
        check_table_path(out)
    opened = Study.open(study_path(study, studies))
    screen = console()
    chosen = tuple(trial or ())
    with progress_bar(f"{len(chosen) or top} trials x {fresh_seeds} seeds", screen) as progress:
        done = measure(
            opened,
            top=top,
            fresh_seeds=fresh_seeds,
            by=by,
            trials=chosen,
            steps=steps,
            epochs=epochs,
            progress=progress,
        )
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
