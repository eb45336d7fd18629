"""``eiann submit``, ``logs`` and ``cancel``: studies that run as jobs of a cluster profile."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from optimize.cli.options import STUDIES, StudiesOption

if TYPE_CHECKING:
    from cluster import Job

_JOBS = ".jobs"


def add_to(app: typer.Typer) -> None:
    """Register the commands of this file."""
    passing = {"allow_extra_args": True, "ignore_unknown_options": True}
    submitting = app.command(
        context_settings=passing, epilog="Example: eiann submit spiral/dale_backprop --to here.yaml --trials 200"
    )
    submitting(submit)
    app.command(epilog="Example: eiann logs dale_backprop --follow")(logs)
    app.command(epilog="Example: eiann cancel dale_backprop")(cancel)


def submit(
    context: typer.Context,
    what: Annotated[str, typer.Argument(metavar="SPACE_OR_STUDY", help="A search space, or a study to go on with.")],
    to: Annotated[Path, typer.Option("--to", help="Cluster profile; the one line 'kind: here' is one.")],
    name: Annotated[str | None, typer.Option("--name", help="Of the study and of the job.")] = None,
    studies: StudiesOption = STUDIES,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be submitted.")] = False,
) -> None:
    """Run a search on a cluster profile. Further options go to "eiann optimize" or "eiann resume"."""
    import cluster

    profile = cluster.load_profile(to)
    command, job = _command(what, name, studies, context.args)
    spec = cluster.JobSpec(name=job, command=tuple(command))
    if dry_run:
        typer.echo(cluster.runner_for(profile, studies / _JOBS).render(spec))
        return
    cluster.Jobs(studies / _JOBS).submit(profile, spec)
    typer.echo(f"job {job} submitted; see: eiann status, eiann logs {job}")


def logs(
    job: Annotated[str, typer.Argument(metavar="JOB", help="Name of the job.")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job ends.")] = False,
    studies: StudiesOption = STUDIES,
) -> None:
    """Show what a submitted job has printed."""
    for line in _job(job, studies).logs(follow=follow):
        sys.stdout.write(line if line.endswith("\n") else f"{line}\n")
        sys.stdout.flush()


def cancel(
    job: Annotated[str, typer.Argument(metavar="JOB", help="Name of the job.")], studies: StudiesOption = STUDIES
) -> None:
    """Stop a submitted job; its study can be resumed."""
    status = _job(job, studies).cancel()
    typer.echo(f"job {job}: {status.state}")


def job_rows(studies: Path) -> list[tuple[object, ...]]:
    """Submitted jobs, for ``eiann status``."""
    if not (studies / _JOBS).is_dir():
        return []
    import cluster

    return [
        (status.name, status.state, f"{status.submitted:%Y-%m-%d %H:%M}", status.detail)
        for status in cluster.Jobs(studies / _JOBS).all()
    ]


def _job(name: str, studies: Path) -> Job:
    import cluster
    from eiann.errors import UserError

    if not (studies / _JOBS).is_dir():
        raise UserError(f"found no submitted jobs in {studies}; submit one with: eiann submit SPACE --to PROFILE")
    return cluster.Jobs(studies / _JOBS).find(name)


def _command(what: str, name: str | None, studies: Path, further: list[str]) -> tuple[list[str], str]:
    """The command line of a job, and the job's name."""
    from optimize.cli.options import fitting_name
    from optimize.plan import Plan
    from optimize.study import check_free

    program = [sys.executable, "-m", "optimize.cli"]
    for candidate in (Path(what), studies / what):
        if (candidate / "spec.yaml").is_file():
            return [*program, "resume", str(candidate.absolute()), *further], name or candidate.name
    plan = Plan.make(what)
    chosen = name or fitting_name(studies, plan.space.name.rpartition("/")[2])
    check_free(studies, chosen)
    where = ["--name", chosen, "--studies", str(studies.absolute())]
    return [*program, "optimize", what, *where, *further], chosen
