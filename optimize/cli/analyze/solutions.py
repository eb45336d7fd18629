"""Questions about trials: which are best, how sure that is, what failed."""

from __future__ import annotations

from typing import Annotated

import typer

from optimize.cli.analyze.asked import Asked, OutOption, RowsOption, SeedOption, answer
from optimize.cli.options import STUDIES, StudiesOption, StudyArgument


def front(study: StudyArgument, studies: StudiesOption = STUDIES, out: OutOption = None, rows: RowsOption = 15) -> None:
    """Pareto front and hypervolume after every trial; shown: the last trials."""
    from optimize.analysis import front_history

    asked = Asked.about(study, studies)
    table = front_history(asked.feasible, asked.objectives)
    answer(table, out, rows, "front after every trial", tail=True, hide=("finished", "reference."))


def champions(
    study: StudyArgument,
    top: Annotated[int, typer.Option("--top", min=1, help="How many by rank.")] = 5,
    studies: StudiesOption = STUDIES,
    out: OutOption = None,
) -> None:
    """Best by Pareto rank, and the specialist of each objective."""
    from optimize.analysis import champions as find

    asked = Asked.about(study, studies)
    table = find(asked.feasible, asked.objectives, top)
    answer(table, out, 100, "balance: 0 is best in everything", hide=("objectives.",))


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

    asked = Asked.about(study, studies)
    settings = asked.study.spec.evaluation
    name = (feature or next(iter(settings.objectives))).removeprefix("features.")
    if name not in settings.measured:
        from eiann.errors import UserError

        raise UserError(f"--feature: found {name!r}; {suggest(name, settings.measured)}")
    spec = settings.objectives.get(name, ObjectiveSpec())
    up, by = maximized(name, spec), spec.aggregate
    instances = asked.study.instances()
    able = instances[instances["number"].isin(asked.feasible["number"])]
    table = ranking_confidence(able, f"features.{name}", maximize=up, aggregate=by, top=top, seed=seed)
    answer(table, out, top, f"by {by} {name}, {'more' if up else 'less'} is better; low to high: 95 % of the mean")


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

    asked = [Asked.about(name, studies) for name in study]
    common = [name for name in asked[0].objectives if all(name in other.objectives for other in asked)]
    if by is not None and by not in common:
        raise UserError(f"--by: found {by!r}, no objective of all of them; {suggest(by, common)}")
    names = [one.study.name for one in asked]
    labels = [one.study.name if names.count(one.study.name) == 1 else str(one.study.folder.path) for one in asked]
    if len(set(labels)) < len(labels):
        raise UserError("compare: found a study twice; different ones are needed")
    tables = {label: one.trials for label, one in zip(labels, asked, strict=True)}
    limits = {label: one.study.spec.evaluation.limits for label, one in zip(labels, asked, strict=True)}
    table = compare_studies(tables, common, by=by, budget=budget, constraints=limits, seed=seed)
    answer(table, out, 100, f"{by or common[0]} (minimized); common objectives: {', '.join(common)}")


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

    asked = Asked.about(study, studies)
    instances = asked.study.instances()
    reasons = failure_reasons(asked.trials, instances)
    if not reasons.empty:
        console().print(frame(reasons.head(rows), list(reasons.columns), "reasons"))
    table = failure_report(asked.trials, instances, asked.searched, below=below, seed=seed)
    answer(
        table, out, rows, "share of dead instances inside and outside of a part of the range; p: corrected for all cuts"
    )
