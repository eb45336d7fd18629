"""``eiann submit``, ``logs`` and ``cancel``: studies that run as jobs of a cluster profile."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from optimize.cli.options import STUDIES, StudiesOption

if TYPE_CHECKING:
    from cluster import Job, Jobs, JobSpec, Profile

_JOBS = ".jobs"

JobArgument = Annotated[str, typer.Argument(metavar="STUDY", help="The study that the job runs, or the job's name.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands of this file."""
    passing = {"allow_extra_args": True, "ignore_unknown_options": True}
    submitting = app.command(
        context_settings=passing, epilog="Example: eiann submit spiral/dale_backprop --to slurm.yaml --trials 200"
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
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show exactly what would be sent, send nothing.")] = False,
) -> None:
    """Run a search on a cluster profile. Further options go to "eiann optimize" or "eiann resume"."""
    import cluster

    profile = cluster.load_profile(to)
    submission = _Submission.of(what, name, studies, profile, context.args)
    submission.check()
    folder = submission.studies / _JOBS
    if dry_run:
        typer.echo(cluster.runner_for(profile, folder).render(submission.job()))
        return
    if submission.goes_on:
        _make_room(submission, cluster.Jobs(folder))
    cluster.Jobs(folder).submit(profile, submission.job())
    typer.echo(f"job {submission.name} submitted; see: eiann status, eiann logs {submission.name} --follow")


def logs(
    job: JobArgument,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job ends.")] = False,
    studies: StudiesOption = STUDIES,
) -> None:
    """Show what a submitted job has printed."""
    for line in _job(job, studies).logs(follow=follow):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


def cancel(job: JobArgument, studies: StudiesOption = STUDIES) -> None:
    """Stop a submitted job; its study can be resumed."""
    status = _job(job, studies).cancel()
    typer.echo(f"job {status.name}: {status.state}")


def job_rows(studies: Path, name: str | None = None) -> list[tuple[object, ...]]:
    """Submitted jobs, or the one of that name, for ``eiann status``."""
    if not (studies / _JOBS).is_dir():
        return []
    import cluster

    jobs = cluster.Jobs(studies / _JOBS)
    if name is not None and not (jobs.folder / name).is_dir():
        return []
    found = jobs.all() if name is None else [jobs.find(name).status()]
    return [(status.name, status.state, f"{status.submitted:%Y-%m-%d %H:%M}", status.detail) for status in found]


@dataclass(frozen=True)
class _Submission:
    """A study as a job of a cluster.

    Attributes:
        studies: folder with the study.
        name: of the study and of the job.
        arguments: of ``eiann``, without what only the job needs.
        goes_on: whether the study exists.
        profile: where to.
    """

    studies: Path
    name: str
    arguments: tuple[str, ...]
    goes_on: bool
    profile: Profile

    @classmethod
    def of(cls, what: str, name: str | None, studies: Path, profile: Profile, further: Sequence[str]) -> _Submission:
        """What the user asked for, in the words of ``eiann optimize`` or ``eiann resume``."""
        from optimize.cli.options import fitting_name
        from optimize.plan import Plan

        for candidate in (Path(what), studies / what):
            if (candidate / "spec.yaml").is_file():
                found = candidate.absolute()
                return cls(found.parent, name or found.name, ("resume", str(found), *further), True, profile)
        chosen = name or fitting_name(studies, Plan.make(what).space.name.rpartition("/")[2])
        space = str(Path(what).absolute()) if Path(what).is_file() else what
        where = ("--name", chosen, "--studies", str(studies.absolute()))
        storage = () if profile.storage is None or "--storage" in further else ("--storage", profile.storage)
        return cls(studies.absolute(), chosen, ("optimize", space, *where, *storage, *further), False, profile)

    def job(self) -> JobSpec:
        """The job, which may run several times: what it finds done it does not do again."""
        import cluster

        program = (self.profile.python or sys.executable, "-m", "optimize.cli")
        options: tuple[str, ...] = () if self.goes_on else ("--resume",)
        for option, value in (
            ("--address", self.profile.ray_address),
            ("--grace-seconds", self.profile.seconds_to_finish),
        ):
            if value is not None and option not in self.arguments:
                options += (option, f"{value:g}" if isinstance(value, float) else value)
        study = str(self.studies / (Path(self.arguments[1]).name if self.goes_on else self.name))
        return cluster.JobSpec(
            name=self.name,
            command=(*program, *self.arguments, *options),
            progress=(*program, "status", study, "--count"),
        )

    def check(self) -> None:
        """Find out here, not after hours in a queue, whether the job's command line can work.

        Raises:
            UserError: it cannot, or it is wrong; the command line itself may complain too.
        """
        from typer.main import get_command

        from optimize.cli.app import app

        command, *rest = self.arguments
        addressed = [] if self.profile.ray_address is None else ["--address", self.profile.ray_address]
        root = get_command(app)
        with typer.Context(root) as context:
            found = root.get_command(context, command)  # type: ignore[attr-defined]
        with found.make_context(command, [*rest, *addressed], parent=None) as context:
            if not self.goes_on:
                context.params["dry_run"] = True
                with redirect_stdout(io.StringIO()):
                    found.invoke(context)


def _make_room(submission: _Submission, jobs: Jobs) -> None:
    """A study that has run as a job may do so again: the ended job's log goes to the study, its name is free."""
    if not (jobs.folder / submission.name).is_dir():
        return
    job = jobs.find(submission.name)
    status = job.status()
    if not status.state.ended:
        return  # the name is taken, and whoever submits is told so
    log = submission.studies / Path(submission.arguments[1]).name / "logs" / f"job-{status.submitted:%Y%m%d-%H%M%S}.txt"
    log.write_text("".join(f"{line}\n" for line in job.logs()), encoding="utf-8")
    jobs.forget(submission.name)


def _job(name: str, studies: Path) -> Job:
    import cluster
    from eiann.errors import UserError

    if Path(name).parent != Path():  # a study's folder
        studies, name = Path(name).parent, Path(name).name
    if not (studies / _JOBS).is_dir():
        raise UserError(f"found no submitted jobs in {studies}; submit one with: eiann submit SPACE --to PROFILE")
    return cluster.Jobs(studies / _JOBS).find(name)
