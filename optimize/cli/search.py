"""``eiann optimize`` and ``eiann resume``: running a search."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from optimize.cli.options import (
    STUDIES,
    ExecutorOption,
    StudiesOption,
    StudyArgument,
    fitting_name,
    key_values,
    study_path,
)

if TYPE_CHECKING:
    from pydantic import BaseModel

    from optimize.plan import Plan
    from optimize.space.document import NamedWithOptions
    from optimize.study import Resources, Study
    from optimize.tune.cluster import Slots
    from optimize.tune.stopping import Stop

PackOption = Annotated[int | None, typer.Option("--pack", min=1, help="Trials trained together; left out, by size.")]
CpusOption = Annotated[float | None, typer.Option("--cpus-per-pack", help="CPUs of a pack.")]
GpusOption = Annotated[float | None, typer.Option("--gpus-per-pack", help="GPUs of a pack; 0.25 is a quarter of one.")]
AddressOption = Annotated[str | None, typer.Option("--address", help="Ray cluster; left out, one is started here.")]
GraceOption = Annotated[
    float | None,
    typer.Option("--grace-seconds", min=0, help="For running packs, after SIGUSR1 or --stop-after; 60 if left out."),
]
StopOption = Annotated[
    float | None, typer.Option("--stop-after", min=0, help="Seconds, then stop and exit with 85: more to do.")
]


def add_to(app: typer.Typer) -> None:
    """Register the commands of this file."""
    app.command(epilog="Example: eiann optimize spiral/dale_backprop --trials 60 --instances 5 --name demo")(optimize)
    app.command(epilog="Example: eiann resume studies/demo --trials 200")(resume)


def optimize(
    space: Annotated[str, typer.Argument(metavar="SPACE", help="A search space's file, or its name: eiann spaces.")],
    trials: Annotated[int | None, typer.Option("--trials", min=1, help="Trials in all; 100 if left out.")] = None,
    instances: Annotated[int | None, typer.Option("--instances", min=1, help="Seeds per trial.")] = None,
    steps: Annotated[int | None, typer.Option("--steps", min=1, help="Training steps.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="Of the study; left out, the space's.")] = None,
    studies: StudiesOption = STUDIES,
    storage: Annotated[str | None, typer.Option("--storage", help="Optuna storage URL; left out, SQLite.")] = None,
    sampler: Annotated[
        str | None,
        typer.Option("--sampler", help="annealing, nsga2, nsga3, tpe, gp, cmaes, qmc, random, design or points."),
    ] = None,
    sampler_option: Annotated[
        list[str] | None, typer.Option("--sampler-option", help="KEY=VALUE, for the sampler; may be repeated.")
    ] = None,
    points: Annotated[
        list[str] | None,
        typer.Option("--points", help="Try these first: x0, optimized, a file, or a study; may be repeated."),
    ] = None,
    pack: PackOption = None,
    cpus_per_pack: CpusOption = None,
    gpus_per_pack: GpusOption = None,
    address: AddressOption = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the sampler.")] = 0,
    executor: ExecutorOption = None,
    go_on: Annotated[bool, typer.Option("--resume", help="If the study of that --name exists, go on with it.")] = False,
    stopping: Annotated[
        list[str] | None,
        typer.Option("--stopping", help="Give trials up early: samples=0.25,0.5 or instances=1, keep=0.5, margin=1."),
    ] = None,
    race: Annotated[
        list[str] | None, typer.Option("--race", help="More instances for contenders only: first=2, confidence=0.9.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, show plan and forecast, run nothing.")
    ] = False,
    grace_seconds: GraceOption = None,
    stop_after: StopOption = None,
    trainer: Annotated[str | None, typer.Option("--trainer", hidden=True)] = None,
    forecast: Annotated[bool, typer.Option("--forecast/--no-forecast", hidden=True)] = True,
) -> None:
    """Search the parameters of a space: create a study and run it on Ray Tune.

    Exit codes: 0 the budget is reached; 85 more to do, after SIGUSR1 or --stop-after; 130, 143 after SIGINT, SIGTERM.
    """
    from optimize.cli.forecast import show_forecast_of_plan
    from optimize.cli.show import console
    from optimize.plan import Plan
    from optimize.space.document import NamedWithOptions
    from optimize.study import Study, check_free
    from optimize.study.opening import check_storage

    options = key_values(sampler_option or (), "--sampler-option")
    plan = Plan.make(
        space,
        trials=trials,
        instances=instances,
        steps=steps,
        sampler=NamedWithOptions(name=sampler, options=options) if sampler else None,
        sampler_options=options,
        points=points or (),
        pack=pack,
        cpus=cpus_per_pack,
        gpus=gpus_per_pack,
        executor=executor,
        trainer=trainer,
        stopping=key_values(stopping or (), "--stopping"),
        race=key_values(race or (), "--race"),
    )
    if go_on and name is not None and (studies / name / "spec.yaml").is_file():
        found = Study.open(studies / name)
        given = {
            "--sampler": sampler or options, "--instances": instances, "--steps": steps, "--stopping": stopping,
            "--race": race, "--executor": executor, "--seed": seed,
        }  # fmt: skip
        _check_same(found, plan, seed, [option for option, value in given.items() if value])
        resume(
            str(found.folder.path),
            trials=max(trials or 0, found.budget),  # one that was raised meanwhile stays
            pack=pack,
            cpus_per_pack=cpus_per_pack,
            gpus_per_pack=gpus_per_pack,
            address=address,
            grace_seconds=grace_seconds,
            stop_after=stop_after,
        )
        return
    chosen = name or fitting_name(studies, plan.space.name.rpartition("/")[2])
    check_free(studies, chosen)
    if storage is not None:
        check_storage(storage, chosen)
    plan.check(local=address is None)
    if dry_run:
        _show_plan(plan, studies / chosen)
        if forecast:
            show_forecast_of_plan(plan, console(), storage=storage)
        return

    from optimize.tune.stopping import Stop

    with (
        Stop(grace=grace_seconds, after=stop_after).listening() as stop,
        _ray(plan.resources(), address) as slots,
    ):
        study = plan.create(chosen, studies, storage=storage, seed=seed, slots=slots.packs)
        _run(study, slots, stop)


def _check_same(study: Study, plan: Plan, seed: int, given: Iterable[str]) -> None:
    """Whether a study that is to go on is what the user asks for, as far as the user does.

    Raises:
        UserError: it is not.
    """
    from eiann.errors import UserError

    spec, space = study.spec, study.spec.search_space
    if space.searched != plan.space.searched:
        raise UserError(f"{study.folder.path}: is a study of other parameters; choose another --name")
    asked = {
        "--sampler": (_sampler_words(plan.sampler), _sampler_words(spec.sampler)),
        "--instances": (len(plan.space.instances), len(space.instances)),
        "--steps": (plan.space.run.steps, space.run.steps),
        "--stopping": (_words(plan.space.document.stopping), _words(space.document.stopping)),
        "--race": (_words(plan.space.document.race), _words(space.document.race)),
        "--executor": (plan.settings.get("executor"), spec.executor),
        "--seed": (seed, spec.seed),
    }
    for option in given:
        mine, its = asked[option]
        if mine != its:
            raise UserError(
                f"{option}: found {mine}, and the study {study.folder.path} has {its}; "
                "leave it out to go on, or choose another --name"
            )


def resume(
    study: StudyArgument,
    trials: Annotated[int | None, typer.Option("--trials", min=1, help="New total budget.")] = None,
    pack: PackOption = None,
    cpus_per_pack: CpusOption = None,
    gpus_per_pack: GpusOption = None,
    address: AddressOption = None,
    grace_seconds: GraceOption = None,
    stop_after: StopOption = None,
    studies: StudiesOption = STUDIES,
) -> None:
    """Go on with a study after any stop, to its total budget of trials. Exit codes are those of "optimize"."""
    from eiann.errors import UserError
    from optimize.study import Resources, Study
    from optimize.tune.stopping import Stop

    opened = Study.open(study_path(study, studies))
    ended = sum(trial.state.is_finished() for trial in opened.storage.trials())
    if trials is not None and trials < ended:
        raise UserError(f"--trials: found {trials}, and {ended} trials have ended already; give {ended} or more")
    given = {"pack": pack, "cpus": cpus_per_pack, "gpus": gpus_per_pack}
    changes = {key: value for key, value in given.items() if value is not None}
    resources = Resources.model_validate({**opened.spec.resources.model_dump(), **changes})
    stop = Stop(grace=grace_seconds, after=stop_after)
    with stop.listening(), _ray(resources, address) as slots:
        _run(opened, slots, stop, resources=resources, trials=trials)


@contextmanager
def _ray(resources: Resources, address: str | None) -> Iterator[Slots]:
    """A Ray cluster for the time of the block; in a terminal one sees what takes so long at the start."""
    from optimize.cli.show import console
    from optimize.tune.cluster import ray_cluster

    with ExitStack() as stack:
        with console().status("starting Ray" if address is None else "joining Ray"):
            slots = stack.enter_context(ray_cluster(resources, address))
        yield slots


def _run(
    study: Study, slots: Slots, stop: Stop, *, resources: Resources | None = None, trials: int | None = None
) -> None:
    from optimize.cli.look import best_table
    from optimize.cli.show import console
    from optimize.objective import objective_labels
    from optimize.results.best import refresh
    from optimize.tune.progress import progress_display
    from optimize.tune.run import run_study
    from optimize.tune.stopping import StudyStopped

    screen = console()
    labels = objective_labels(study.spec.evaluation.objectives)
    try:
        with progress_display(study.name, labels, screen) as watch:
            run_study(study, slots, resources=resources, trials=trials, watch=watch, stop=stop)
    except StudyStopped as stopped:
        screen.print(f"{stopped}; go on with: eiann resume {study.folder.path}", markup=False)
        raise typer.Exit(stopped.exit_code) from stopped
    refresh(study)
    best = study.best(10)
    if best.empty:
        screen.print("no trial was complete; see: eiann status " + str(study.folder.path), markup=False)
        return
    screen.print(best_table(best, study))
    screen.print(f"study: {study.folder.path}   next: eiann best {study.folder.path} --export best.yaml", markup=False)


def _sampler_words(sampler: NamedWithOptions) -> str:
    return " ".join([sampler.name, *(f"{name}={value}" for name, value in sorted(sampler.options.items()))])


def _words(rule: BaseModel | None) -> str:
    if rule is None:
        return "off"
    return ", ".join(f"{name} {value}" for name, value in rule.model_dump(exclude_none=True).items() if value != ())


def _show_plan(plan: Plan, path: Path) -> None:
    from optimize.cli.show import console, grid

    resources = plan.resources()
    space = plan.space
    rows = [
        ("study", path),
        ("space", f"{space.name}: {len(space.searched)} parameters"),
        ("trials", f"{plan.trials} x {len(space.instances)} instances x {space.run.steps * space.run.epochs} steps"),
        ("objectives", ", ".join(objective.name for objective in space.objectives)),
        ("sampler", f"{plan.sampler.name} {plan.sampler.options or ''}"),
        ("given points", len(plan.points)),
        ("stopping early", _words(space.document.stopping)),
        ("race", _words(space.document.race)),
        ("pack", f"{resources.pack} trials = {resources.pack * len(space.instances)} replicas on {resources.device}"),
        ("resources of a pack", f"{resources.cpus:g} CPUs, {resources.gpus:g} GPUs"),
    ]
    console().print(grid(("dry run", ""), rows))
