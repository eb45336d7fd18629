"""``eiann submit``, ``logs`` and ``cancel``: studies that run as jobs of a cluster profile."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated

import typer

from optimize.cli.luggage import in_two_words
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
    submission = _Submission.of(what, name, studies, profile, in_two_words(context.args))
    checked = submission.check(forecast=dry_run)
    folder = submission.studies / _JOBS
    if dry_run:
        typer.echo(cluster.runner_for(profile, folder).render(submission.job()))
        typer.echo(checked, nl=False, err=True)  # beside what would be sent, which can be kept and sent by hand
        return
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
    if name is not None and not jobs.has(name):
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
        goes_on: whether the study exists here.
        profile: where to.
        files: that travel with it.
        local: its arguments where it would run here; left out, the same.
    """

    studies: Path
    name: str
    arguments: tuple[str, ...]
    goes_on: bool
    profile: Profile
    files: dict[str, str] = field(default_factory=dict)
    local: tuple[str, ...] = ()

    @classmethod
    def of(cls, what: str, name: str | None, studies: Path, profile: Profile, further: Sequence[str]) -> _Submission:
        """What the user asked for, in the words of ``eiann optimize`` or ``eiann resume``."""
        from eiann.errors import UserError
        from optimize.cli.luggage import Luggage
        from optimize.cli.options import fitting_name
        from optimize.plan import Plan

        there = profile.remote_studies
        for candidate in (Path(what), studies / what):
            if (candidate / "spec.yaml").is_file():
                if there is not None:
                    raise UserError(f"{candidate} lies here, and jobs of {profile.site} see {there}; submit its space")
                found = candidate.absolute()
                return cls(found.parent, name or found.name, ("resume", str(found), *further), True, profile)
        known = studies if there is None else studies / _JOBS
        chosen = name or fitting_name(known, Plan.make(what).space.name.rpartition("/")[2])
        luggage = Luggage(profile.files_folder)
        where = ("--name", chosen, "--studies", str(there or studies.absolute()))
        storage = () if profile.storage is None or "--storage" in further else ("--storage", profile.storage)
        arguments = ("optimize", luggage.space(what), *where, *storage, *luggage.options(further))
        # As it would run here: its files where they are, and nothing of what only the cluster sees.
        where = where if there is None else ("--name", chosen, "--studies", str(studies))
        local = ("optimize", what, *where, *(storage if there is None else ()), *further)
        return cls(studies.absolute(), chosen, arguments, False, profile, luggage.files, local)

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
        lie = self.profile.remote_studies or self.studies
        study = str(lie / (Path(self.arguments[1]).name if self.goes_on else self.name))
        return cluster.JobSpec(
            name=self.name,
            command=(*program, *self.arguments, *options),
            progress=(*program, "status", study, "--count"),
            files=self.files,
        )

    def check(self, *, forecast: bool = False) -> str:
        """Find out here, not after hours in a queue, whether the job's command line can work.

        Args:
            forecast: whether to foretell what it will take, too.

        Returns:
            What "--dry-run" shows.

        Raises:
            UserError: it cannot, or it is wrong; the command line itself may complain too.
        """
        from typer.main import get_command

        from optimize.cli.app import app

        command, *rest = self.local or self.arguments
        addressed = [] if self.profile.ray_address is None else ["--address", self.profile.ray_address]
        root = get_command(app)
        with typer.Context(root) as context:
            found = root.get_command(context, command)  # type: ignore[attr-defined]
        with (
            found.make_context(command, [*rest, *addressed], parent=None) as context,
            redirect_stdout(io.StringIO()) as shown,
        ):
            if not self.goes_on:
                # The profile's is part of the job's command line, but not of this one where studies lie elsewhere.
                given = context.params["storage"]
                self._check_storage(self.profile.storage if given is None else given)
            if self.goes_on and forecast:
                self._show_what_is_left(context.params["trials"])
            elif not self.goes_on and (forecast or self.profile.remote_studies is None):
                context.params.update(dry_run=True, forecast=forecast)
                self._try(lambda: found.invoke(context))
        return shown.getvalue()

    def _try(self, call: Callable[[], object]) -> None:
        """What lies elsewhere, data included, may be missing here; then there is no forecast."""
        from eiann.errors import UserError

        try:
            call()
        except UserError as error:
            if self.profile.remote_studies is None:
                raise
            sys.stdout.write(f"no forecast: {error}\n")

    def _show_what_is_left(self, trials: int | None) -> None:
        from optimize.cli.forecast import show_forecast_of_study
        from optimize.cli.show import console
        from optimize.study import Study

        show_forecast_of_study(Study.open(self.arguments[1]), console(), trials=trials)

    def _check_storage(self, url: str | None) -> None:
        """Refuse a storage with a password, and one that the driver would lose or not reach there."""
        from eiann.errors import UserError
        from optimize.study.opening import check_url

        if url is not None:
            check_url(url)
        if refusal := self.profile.place.refusal(url, PurePosixPath(self.profile.remote_studies or self.studies)):
            raise UserError(f"storage: {refusal}")


def _make_room(submission: _Submission, jobs: Jobs) -> None:
    """The name of an ended job is free again; its log is kept, with the study where that is here.

    A job may have ended before it made a study: a line of the set-up failed, or it was cancelled in the queue.
    """
    if not jobs.has(submission.name):
        return
    job = jobs.find(submission.name)
    status = job.status()
    if not status.state.ended:
        return  # the name is taken, and whoever submits is told so
    here = submission.studies / Path(submission.arguments[1]).name / "logs"
    there = jobs.folder / ".ended" / submission.name  # of a study that lies elsewhere, or was never made
    log = (here if submission.goes_on else there) / f"job-{status.submitted:%Y%m%d-%H%M%S}.txt"
    log.parent.mkdir(parents=True, exist_ok=True)
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
