"""``eiann analyze``: one question to a study each."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from optimize.cli.options import STUDIES, StudiesOption, StudyArgument, study_path

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

_WORDS = """Ask a study: eiann analyze KIND STUDY.

Each kind prints one table and with --out writes it; its own --help has an example and the paper it comes from.
"""


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


def front(study: StudyArgument, studies: StudiesOption = STUDIES, out: OutOption = None, rows: RowsOption = 15) -> None:
    """Pareto front and hypervolume after every trial; shown: the last trials."""
    from optimize.analysis import front_history

    opened = _open(study, studies)
    table = front_history(opened.feasible(), _objectives(opened))
    _give(table, out, rows, "front after every trial", tail=True, hide=("finished", "reference."))


def champions(
    study: StudyArgument,
    top: Annotated[int, typer.Option("--top", min=1, help="How many by rank.")] = 5,
    studies: StudiesOption = STUDIES,
    out: OutOption = None,
) -> None:
    """Best by Pareto rank, and the specialist of each objective."""
    from optimize.analysis import champions as find

    opened = _open(study, studies)
    table = find(opened.feasible(), _objectives(opened), top)
    _give(table, out, 100, "balance: 0 is best in everything", hide=("objectives.",))


def confidence(
    study: StudyArgument,
    feature: Annotated[str | None, typer.Option("--feature", help="Left out, the first objective's.")] = None,
    top: Annotated[int, typer.Option("--top", min=1, help="How many trials.")] = 10,
    studies: StudiesOption = STUDIES,
    out: OutOption = None,
    seed: SeedOption = 0,
) -> None:
    """How sure the order of the best is: bootstrap over instances, chance of being best."""
    from optimize.analysis import ranking_confidence
    from optimize.objective.aggregate import maximized
    from optimize.space.document import ObjectiveSpec
    from optimize.space.formula import suggest

    opened = _open(study, studies)
    settings = opened.spec.evaluation
    name = (feature or next(iter(settings.objectives))).removeprefix("features.")
    if name not in settings.measured:
        from eiann.errors import UserError

        raise UserError(f"--feature: found {name!r}; {suggest(name, settings.measured)}")
    spec = settings.objectives.get(name, ObjectiveSpec())
    up, by = maximized(name, spec), spec.aggregate
    instances = opened.instances()
    able = instances[instances["number"].isin(opened.feasible()["number"])]
    table = ranking_confidence(able, f"features.{name}", maximize=up, aggregate=by, top=top, seed=seed)
    _give(table, out, top, f"by {by} {name}, {'more' if up else 'less'} is better; low to high: 95 % of the mean")


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
    from optimize.analysis.unit import target_column

    opened = _open(study, studies)
    trials = opened.trials()
    column = target_column(trials, target, _objectives(opened))
    table = parameter_importance(trials, _searched(opened), column, method=method.value, resamples=resamples, seed=seed)
    _give(table, out, rows, f"importance for {column}, {method.value}; noise: after shuffling the target")


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
    from optimize.analysis.unit import target_column

    opened = _open(study, studies)
    trials = opened.trials()
    column = target_column(trials, target, _objectives(opened))
    if method is Sensitivity.SOBOL:
        table = sobol_indices(trials, _searched(opened), column, seed=seed)
    else:
        estimator = next(name for name in METHODS if name == method.value)
        table = global_sensitivity(trials, _searched(opened), column, method=estimator, seed=seed)
    _give(table, out, rows, f"sensitivity of {column}, {method.value}")


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

    opened = _open(study, studies)
    table = sobol_design(_searched(opened), samples, seed=seed)
    write_table(table, out)
    space = opened.spec.search_space.name
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
    from optimize.analysis.unit import target_column
    from optimize.cli.show import console
    from optimize.cli.train import progress_bar
    from optimize.neighbourhood import measured_slopes

    if not 0 < step <= 0.5:
        raise UserError(f"--step: found {step:g}; it is above 0 and at most 0.5")
    opened = _open(study, studies)
    trials = opened.trials()
    number = _number(opened, trial)
    if measure:
        with progress_bar(f"steps around trial {number}", console()) as progress:
            table = measured_slopes(opened, number, step=step, progress=progress)
        if target is not None:
            table = table[table["target"] == target_column(trials, f"features.{target}", [])]
    else:
        features = [f"features.{name}" for name in opened.spec.evaluation.measured]
        targets = [target_column(trials, target, _objectives(opened))] if target else features
        table = local_slopes(trials, _searched(opened), number, targets, seed=seed)
    how = f"steps of {step:g} of each range" if measure else "the trials around it"
    _give(table, out, rows, f"trial {number}: change over the whole range of a parameter, from {how}")


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
    from optimize.analysis.unit import target_column

    opened = _open(study, studies)
    trials = opened.trials()
    column = target_column(trials, target, _objectives(opened))
    table = degenerate_group(trials, _searched(opened), column, tolerance=tolerance)
    _give(table, out, rows, summary(table))


def slices(
    study: StudyArgument,
    target: TargetOption = None,
    studies: StudiesOption = STUDIES,
    out: OutOption = None,
    rows: RowsOption = 15,
) -> None:
    """Every trial along every parameter."""
    from optimize.analysis import slices as cut
    from optimize.analysis.unit import target_column

    opened = _open(study, studies)
    trials = opened.trials()
    _give(cut(trials, _searched(opened), target_column(trials, target, _objectives(opened))), out, rows, None)


def contours(
    study: StudyArgument,
    first: Annotated[str, typer.Argument(help="A parameter.")],
    second: Annotated[str, typer.Argument(help="Another one.")],
    target: TargetOption = None,
    studies: StudiesOption = STUDIES,
    out: OutOption = None,
    rows: RowsOption = 15,
) -> None:
    """What a model of all trials expects over two parameters; shown: the lowest."""
    from optimize.analysis import contours as expect
    from optimize.analysis.unit import chosen_parameters, target_column

    opened = _open(study, studies)
    trials, parameters = opened.trials(), _searched(opened)
    one, other = chosen_parameters(parameters, [first, second])
    column = target_column(trials, target, _objectives(opened))
    table = expect(trials, (one, other), parameters, column)
    _give(table, out, rows, f"expected {column}", order="expected")


def parallel(
    study: StudyArgument,
    target: TargetOption = None,
    studies: StudiesOption = STUDIES,
    out: OutOption = None,
    rows: RowsOption = 10,
) -> None:
    """Parallel coordinates: every trial with all parameters from 0 (lower bound) to 1 (upper bound), best first."""
    from optimize.analysis import parallel_coordinates
    from optimize.analysis.unit import target_column

    opened = _open(study, studies)
    trials = opened.trials()
    column = target_column(trials, target, _objectives(opened))
    _give(parallel_coordinates(trials, _searched(opened), column), out, rows, None)


def compare(
    study: Annotated[list[str], typer.Argument(metavar="STUDY...", help="Folders, or names below --studies.")],
    by: Annotated[str | None, typer.Option("--by", help="Objective; left out, the first.")] = None,
    budget: Annotated[int | None, typer.Option("--budget", min=1, help="Left out, trials of the smallest.")] = None,
    studies: StudiesOption = STUDIES,
    out: OutOption = None,
    seed: SeedOption = 0,
) -> None:
    """Several studies at the same budget of trials."""
    from eiann.errors import UserError
    from optimize.analysis import compare_studies
    from optimize.space.formula import suggest

    opened = [_open(name, studies) for name in study]
    common = [name for name in _objectives(opened[0]) if all(name in _objectives(other) for other in opened)]
    if by is not None and by not in common:
        raise UserError(f"--by: found {by!r}, no objective of all of them; {suggest(by, common)}")
    labels = [one.name if [o.name for o in opened].count(one.name) == 1 else str(one.folder.path) for one in opened]
    if len(set(labels)) < len(labels):
        raise UserError("compare: found a study twice; different ones are needed")
    tables = {label: one.trials() for label, one in zip(labels, opened, strict=True)}
    table = compare_studies(tables, common, by=by, budget=budget, seed=seed)
    _give(table, out, 100, f"{by or common[0]} (minimized); common objectives: {', '.join(common)}")


def failures(
    study: StudyArgument,
    below: Annotated[
        float | None, typer.Option("--below", help="Also count instances of at most this accuracy as dead.")
    ] = None,
    studies: StudiesOption = STUDIES,
    out: OutOption = None,
    rows: RowsOption = 10,
    seed: SeedOption = 0,
) -> None:
    """Which parameters make instances die, and the reasons that were given."""
    from optimize.analysis import failure_reasons, failure_report
    from optimize.cli.show import console, frame

    opened = _open(study, studies)
    trials, instances = opened.trials(), opened.instances()
    reasons = failure_reasons(trials, instances)
    if not reasons.empty:
        console().print(frame(reasons.head(rows), list(reasons.columns), "reasons"))
    table = failure_report(trials, instances, _searched(opened), below=below, seed=seed)
    _give(
        table, out, rows, "share of dead instances inside and outside of a part of the range; p: corrected for all cuts"
    )


def _open(study: str, studies: Path) -> Study:
    from optimize.study import Study

    return Study.open(study_path(study, studies))


def _objectives(study: Study) -> tuple[str, ...]:
    return tuple(study.spec.evaluation.objectives)


def _searched(study: Study) -> tuple[Parameter, ...]:
    return study.spec.search_space.searched


def _number(study: Study, trial: int | None) -> int:
    from eiann.errors import UserError

    if trial is not None:
        return trial
    best = study.best(1)
    if best.empty:
        raise UserError(f"study {study.name!r} has no complete trial yet")
    return int(best.iloc[0]["number"])


def _give(
    table: pd.DataFrame,
    out: Path | None,
    rows: int,
    title: str | None,
    *,
    tail: bool = False,
    order: str | None = None,
    hide: tuple[str, ...] = (),
) -> None:
    """Show a part of a table without columns that begin with ``hide``, and write all of it if asked."""
    from optimize.cli.show import console, frame
    from optimize.results import write_table

    if out is not None:
        write_table(table, out)
    ordered = table if order is None else table.sort_values(order)
    shown = ordered.tail(rows) if tail else ordered.head(rows)
    console().print(frame(shown, [name for name in shown.columns if not name.startswith(hide)], title))
    if len(shown) < len(table):
        sys.stdout.write(f"{len(shown)} of {len(table)} rows\n")
    if out is not None:
        sys.stdout.write(f"written to {out}\n")
