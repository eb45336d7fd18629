"""``eiann status``, ``best`` and ``table``: looking at studies."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from optimize.cli.options import STUDIES, StudiesOption, StudyArgument, study_path

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table as Grid

    from eiann.errors import UserError
    from optimize.study import Study


_COLUMNS: Final = ("study", "trials", "of", "failed", "running", "interrupted", "driver", "space")
_JOB_COLUMNS: Final = ("job", "state", "submitted", "detail")


class Table(StrEnum):
    """Tables of a study."""

    TRIALS = "trials"
    INSTANCES = "instances"


def add_to(app: typer.Typer) -> None:
    """Register the commands of this file."""
    app.command(epilog="Example: eiann status demo")(status)
    app.command(epilog="Example: eiann best studies/demo --top 5 --export best.yaml")(best)
    app.command(epilog="Example: eiann table demo trials --out trials.parquet")(table)


def status(
    study: Annotated[str | None, typer.Argument(metavar="[STUDY]", help="A study; left out, all of them.")] = None,
    count: Annotated[bool, typer.Option("--count", help="Only the number of trials of STUDY that ended.")] = False,
    studies: StudiesOption = STUDIES,
) -> None:
    """Show how far studies and submitted jobs are."""
    from eiann.errors import UserError
    from optimize.cli.jobs import job_rows
    from optimize.cli.show import console, grid
    from optimize.study import Study

    out = console()
    if study is not None:
        try:
            path = study_path(study, studies)
        except UserError:  # a job that waits in a queue has made no study yet; that of a remote one lies there
            where = Path(study) if Path(study).parent != Path() else studies / study
            jobs = [] if count else job_rows(where.parent, where.name)
            if not jobs:
                raise
            out.print(grid(_JOB_COLUMNS, jobs))
            return
        opened = Study.open(path)
        if count:
            typer.echo(_summary(opened)[1])
            return
        try:
            _show_study(opened)
        finally:  # a job runs on while its study's database is out of reach from here
            if jobs := job_rows(opened.folder.path.parent, opened.name):
                out.print(grid(_JOB_COLUMNS, jobs))
        return
    rows, unread = _summaries(studies)
    if rows or not unread:
        out.print(grid(_COLUMNS, rows) if rows else "no studies")
    for line in unread:
        out.print(line, markup=False)
    if jobs := job_rows(studies):
        out.print(grid(_JOB_COLUMNS, jobs))


def best(
    study: StudyArgument,
    top: Annotated[int, typer.Option("--top", min=1, help="How many trials.")] = 10,
    by: Annotated[str | None, typer.Option("--by", help="Objective; left out, by Pareto rank.")] = None,
    export: Annotated[
        Path | None, typer.Option("--export", help="Write the first of them as a network file for: eiann train.")
    ] = None,
    params: Annotated[bool, typer.Option("--params", help="Show parameters too.")] = False,
    studies: StudiesOption = STUDIES,
) -> None:
    """Show the best trials, or the Pareto front, and export the first."""
    from eiann.errors import UserError
    from optimize.cli.show import console
    from optimize.files import check_can_be_made
    from optimize.results.best import export_trial
    from optimize.results.ranking import none_best
    from optimize.study import Study

    if export is not None:
        if export.is_dir():
            raise UserError(f"{export}: is a folder; the name of a file would be right, such as {export / 'best.yaml'}")
        if not export.parent.is_dir():
            raise UserError(f"{export}: there is no folder {export.parent}")
        check_can_be_made(export)
    opened = Study.open(study_path(study, studies))
    chosen = opened.best(top, by)
    if chosen.empty:
        raise none_best(opened.name, opened.trials(), opened.spec.evaluation.constraints)
    out = console()
    out.print(best_table(chosen, opened))
    if params:
        out.print(_parameter_table(chosen))
    if export is not None:
        number = int(chosen.iloc[0]["number"])
        export_trial(opened, number, export)
        out.print(f"trial {number} written to {export}; repeat it with: eiann train {export}", markup=False)


def table(
    study: StudyArgument,
    which: Annotated[Table, typer.Argument(help="trials or instances.")],
    out: Annotated[Path | None, typer.Option("--out", help="A .parquet or .csv file; left out, CSV is shown.")] = None,
    studies: StudiesOption = STUDIES,
) -> None:
    """Write one of the tables of a study."""
    import sys

    from optimize.results import write_table
    from optimize.study import Study

    opened = Study.open(study_path(study, studies))
    data = opened.trials() if which is Table.TRIALS else opened.instances()
    if out is None:
        data.to_csv(sys.stdout, index=False)
        return
    write_table(data, out)
    typer.echo(f"{len(data)} {which} written to {out}")


def best_table(trials: pd.DataFrame, study: Study) -> Grid:
    """The columns of good trials that people look at: features in their own units, from which objectives follow."""
    from optimize.cli.show import grid
    from optimize.objective.aggregate import feature_labels

    labels = feature_labels(study.spec.evaluation)
    heads = {"number": "trial", **{f"features.{name}": label for name, label in labels.items()}}
    heads["instances_ok"] = "instances ok"
    return grid(tuple(heads.values()), trials[list(heads)].itertuples(index=False))


def _parameter_table(trials: pd.DataFrame) -> Grid:
    """A row for each parameter: there are more of them than of trials."""
    from optimize.cli.show import grid

    names = [name for name in trials.columns if name.startswith("params.")]
    heads = ["parameter", *(f"trial {number}" for number in trials["number"])]
    return grid(heads, [(name.removeprefix("params."), *trials[name]) for name in names])


def _show_study(study: Study) -> None:
    from optimize.cli.show import console, grid

    out = console()
    spec = study.spec
    trials = study.trials()
    row = _summary(study)
    out.print(grid(_COLUMNS, [row]))
    if interrupted := row[_COLUMNS.index("interrupted")]:
        out.print(f"{interrupted} trials were interrupted; the next run of the study takes them up as they are")
    out.print(
        f"{study.folder.path}: {spec.sampler.name} over {len(spec.search_space.searched)} parameters, "
        f"{len(spec.search_space.instances)} instances, created {spec.created:%Y-%m-%d %H:%M} UTC",
        markup=False,
    )
    front = study.front()
    if not front.empty:
        out.print(best_table(front.head(5), study))
    failures = trials.loc[trials["state"] == "FAIL", "failure"].dropna()
    for reason in failures.tail(3):
        out.print(f"failed: {reason}", markup=False)


def _summaries(studies: Path) -> tuple[list[tuple[object, ...]], list[str]]:
    """A row for each study, and a line for each that cannot be read: it must not hide the others."""
    from eiann.errors import UserError

    rows, unread = [], []
    silent: dict[str, UserError] = {}
    for path in sorted(studies.glob("*/spec.yaml")):
        try:
            rows.append(_row(path.parent, silent))
        except UserError as error:
            unread.append(f"study {path.parent.name}: {error}")
    return rows, unread


def _row(folder: Path, silent: dict[str, UserError]) -> tuple[object, ...]:
    """``silent``: storages that did not answer, by URL. They are not asked again: behind a firewall that takes long."""
    from optimize.study import Study
    from optimize.study.opening import StorageUnreachableError

    study = Study.open(folder)
    url = study.spec.storage
    if url in silent:
        raise silent[url]
    try:
        return _summary(study)
    except StorageUnreachableError as error:
        if url is not None:
            silent[url] = error
        raise


def _summary(study: Study) -> tuple[object, ...]:
    from optimize.study.lease import holder

    counts = study.trials()["state"].value_counts()
    failed, begun = int(counts.get("FAIL", 0)), int(counts.get("RUNNING", 0))
    ended = int(counts.sum()) - begun - int(counts.get("WAITING", 0))
    space = study.spec.space.get("name", "")
    driver = holder(study.storage)
    # A trial that nobody drives stays as it was begun, until a driver takes it up again.
    running, interrupted = (0, begun) if driver is None else (begun, 0)
    return study.name, ended, study.budget, failed, running, interrupted, driver or "none", space
