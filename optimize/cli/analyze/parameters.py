"""Questions about parameters: which matter, and what they do."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from optimize.cli.analyze.asked import Asked, OutOption, RowsOption, SeedOption, TargetOption, answer
from optimize.cli.options import STUDIES, StudiesOption, StudyArgument


class Importance(StrEnum):
    """Estimators of importance."""

    FANOVA = "fanova"
    PEDANOVA = "pedanova"


class Sensitivity(StrEnum):
    """Estimators of sensitivity."""

    DELTA = "delta"
    PAWN = "pawn"
    RBD_FAST = "rbd-fast"
    SOBOL = "sobol"


def importance(
    study: StudyArgument,
    target: TargetOption = None,
    method: Annotated[Importance, typer.Option("--method", help="fanova or pedanova.")] = Importance.FANOVA,
    resamples: Annotated[int, typer.Option("--resamples", min=2, help="For the intervals.")] = 20,
    studies: StudiesOption = STUDIES,
    out: OutOption = None,
    rows: RowsOption = 15,
    seed: SeedOption = 0,
) -> None:
    """Which parameters matter: fANOVA or PED-ANOVA, with intervals and the level of noise."""
    from optimize.analysis import parameter_importance

    asked = Asked.about(study, studies)
    column = asked.column(target)
    up = asked.upwards(column)
    table = parameter_importance(
        asked.trials, asked.searched, column, method=method.value, maximize=up, resamples=resamples, seed=seed
    )
    answer(table, out, rows, f"importance for {column}, {method.value}; noise: after shuffling the target")


def sensitivity(
    study: StudyArgument,
    target: TargetOption = None,
    method: Annotated[
        Sensitivity, typer.Option("--method", help="delta, pawn or rbd-fast; sobol for a study of a design.")
    ] = Sensitivity.DELTA,
    studies: StudiesOption = STUDIES,
    out: OutOption = None,
    rows: RowsOption = 15,
    seed: SeedOption = 0,
) -> None:
    """Global sensitivity: from the trials as they are, or Sobol indices from designed ones."""
    from optimize.analysis import global_sensitivity, sobol_indices
    from optimize.analysis.sensitivity import METHODS

    asked = Asked.about(study, studies)
    column = asked.column(target)
    if method is Sensitivity.SOBOL:
        table = sobol_indices(asked.trials, asked.searched, column, seed=seed)
    else:
        estimator = next(name for name in METHODS if name == method.value)
        table = global_sensitivity(asked.trials, asked.searched, column, method=estimator, seed=seed)
    answer(table, out, rows, f"sensitivity of {column}, {method.value}")


def design(
    study: StudyArgument,
    out: Annotated[Path, typer.Option("--out", help="The points, .csv or .parquet.")],
    samples: Annotated[int, typer.Option("--samples", min=2, help="A power of two.")] = 64,
    studies: StudiesOption = STUDIES,
    seed: SeedOption = 0,
) -> None:
    """Points for Sobol indices over a study's space, to be tried by a second study."""
    from optimize.analysis import sobol_design
    from optimize.results import write_table

    asked = Asked.about(study, studies)
    table = sobol_design(asked.searched, samples, seed=seed)
    write_table(table, out)
    space = asked.study.spec.search_space.name
    typer.echo(
        f"{len(table)} points written to {out}; try them with: eiann optimize {space} --sampler points --points {out} "
        "--name sobol, then: eiann analyze sensitivity sobol --method sobol"
    )


def local(
    study: StudyArgument,
    trial: Annotated[int | None, typer.Option("--trial", min=0, help="Left out, the best.")] = None,
    target: Annotated[str | None, typer.Option("--target", help="features.NAME; left out, all features.")] = None,
    measure: Annotated[bool, typer.Option("--measure", help="Train steps around it now, on its own seeds.")] = False,
    step: Annotated[float, typer.Option("--step", help="Size of a step, in parts of the range.")] = 0.05,
    studies: StudiesOption = STUDIES,
    out: OutOption = None,
    rows: RowsOption = 20,
    seed: SeedOption = 0,
) -> None:
    """Which parameter moves which feature around one solution: from near trials, or measured."""
    from eiann.errors import UserError
    from optimize.analysis import local_slopes
    from optimize.cli.show import console
    from optimize.cli.train import progress_bar
    from optimize.neighbourhood import measured_slopes

    if not 0 < step <= 0.5:
        raise UserError(f"--step: found {step:g}; it is above 0 and at most 0.5")
    asked = Asked.about(study, studies)
    number = asked.number(trial)
    if measure:
        # Steps measure features; objectives are made from them.
        targets = [asked.column(f"features.{target.removeprefix('features.')}")] if target else None
        with progress_bar(f"steps around trial {number}", console()) as progress:
            table = measured_slopes(asked.study, number, step=step, progress=progress)
        if targets:
            table = table[table["target"].isin(targets)]
    else:
        features = [f"features.{name}" for name in asked.study.spec.evaluation.measured]
        targets = [asked.column(target)] if target else features
        table = local_slopes(asked.trials, asked.searched, number, targets, seed=seed)
    how = f"steps of {step:g} of each range" if measure else "the trials around it"
    answer(table, out, rows, f"trial {number}: change over the whole range of a parameter, from {how}")


def degeneracy(
    study: StudyArgument,
    target: TargetOption = None,
    tolerance: Annotated[float | None, typer.Option("--tolerance", min=0, help="Largest excess over the best.")] = None,
    studies: StudiesOption = STUDIES,
    out: OutOption = None,
    rows: RowsOption = 15,
) -> None:
    """Different parameters, same performance: the group that is as good as the best, its distances and clusters."""
    from optimize.analysis import degenerate_group
    from optimize.analysis.degeneracy import summary

    asked = Asked.about(study, studies)
    column = asked.column(target)
    up = asked.upwards(column)
    table = degenerate_group(asked.feasible, asked.searched, column, tolerance=tolerance, maximize=up)
    answer(table, out, rows, summary(table))


def slices(
    study: StudyArgument,
    target: TargetOption = None,
    studies: StudiesOption = STUDIES,
    out: OutOption = None,
    rows: RowsOption = 15,
) -> None:
    """Every complete trial along every parameter."""
    from optimize.analysis import slices as cut

    asked = Asked.about(study, studies)
    answer(cut(asked.trials, asked.searched, asked.column(target)), out, rows, None)


def contours(
    study: StudyArgument,
    first: Annotated[str, typer.Argument(help="A parameter.")],
    second: Annotated[str, typer.Argument(help="Another one.")],
    target: TargetOption = None,
    studies: StudiesOption = STUDIES,
    out: OutOption = None,
    rows: RowsOption = 15,
) -> None:
    """What a model of all trials expects over two parameters; shown: the best."""
    from optimize.analysis import contours as expect
    from optimize.analysis.unit import chosen_parameters

    asked = Asked.about(study, studies)
    one, other = chosen_parameters(asked.searched, [first, second])
    column = asked.column(target)
    table = expect(asked.trials, (one, other), asked.searched, column)
    answer(table, out, rows, f"expected {column}", order="expected", falling=asked.upwards(column))


def parallel(
    study: StudyArgument,
    target: TargetOption = None,
    studies: StudiesOption = STUDIES,
    out: OutOption = None,
    rows: RowsOption = 10,
) -> None:
    """Parallel coordinates: trials with all parameters from 0 (lower bound) to 1 (upper bound), best first.

    Trials that violate a constraint of the space are none of them.
    """
    from optimize.analysis import parallel_coordinates

    asked = Asked.about(study, studies)
    column = asked.column(target)
    table = parallel_coordinates(asked.feasible, asked.searched, column, maximize=asked.upwards(column))
    answer(table, out, rows, None)
