"""``eiann train``."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from optimize.cli.options import DeviceOption, ExecutorOption, fitting_name, key_values

if TYPE_CHECKING:
    from rich.console import Console

    from optimize.export import RunSection
    from optimize.objective.evaluate import ReplicaRun


class Dtype(StrEnum):
    """Arithmetic."""

    FLOAT32 = "float32"
    FLOAT64 = "float64"


def add_to(app: typer.Typer) -> None:
    """Register the commands of this file."""
    app.command(epilog="Example: eiann train network.yaml --data spiral --seeds 5 --out runs/first")(train)


def train(
    network: Annotated[Path, typer.Argument(help="A network file, plain or written by: eiann best --export.")],
    data: Annotated[str | None, typer.Option("--data", help="Data set; needed for a plain network file.")] = None,
    data_option: Annotated[list[str] | None, typer.Option("--data-option", help="KEY=VALUE, for the data set.")] = None,
    seeds: Annotated[
        int | None, typer.Option("--seeds", min=1, help="Number of replicas; of a plain network file 255 at most.")
    ] = None,
    steps: Annotated[int | None, typer.Option("--steps", min=1, help="Training steps, one sample each.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder to write; left out, runs/NAME.")] = None,
    device: DeviceOption = None,
    executor: ExecutorOption = None,
    dtype: Annotated[Dtype | None, typer.Option("--dtype", help="float32 or float64.")] = None,
    plots: Annotated[bool, typer.Option("--plots", help="Also write pictures of the network, PNG and PDF.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say which executor runs, and why.")] = False,
) -> None:
    """Train replicas of a network and write weights, history, learning curves and, with --plots, all pictures.

    A file written by "eiann best --export" needs no options: it repeats the evaluation that was recorded.
    """
    with _nothing_written():
        from eiann.errors import UserError
        from optimize.cli.show import console
        from optimize.export import NetworkFile
        from optimize.space.document import MOST_COUNTED
        from optimize.training_run import (
            RunOptions,
            check_free_folder,
            planned_run,
            reproduction,
            train_network,
            write_run,
        )

        options = RunOptions(
            data=data,
            data_options=key_values(data_option, "--data-option") if data_option else None,
            replicas=seeds,
            steps=steps,
            dtype=dtype.value if dtype else None,
            executor=executor,
            device=device,
        )
        file = NetworkFile.read(network)
        if file.run is None and seeds is not None and seeds > MOST_COUNTED:
            raise UserError(
                f"--seeds: found {seeds}; a plain network file has seeds for {MOST_COUNTED} replicas at most"
            )
        run = planned_run(file, options)
        folder = out or Path("runs") / fitting_name(Path("runs"), network.stem)
        check_free_folder(folder)
        screen = console()
        with _messages(screen if verbose else None), progress_bar(f"{len(run.seeds)} replicas", screen) as progress:
            done = train_network(file.network, run, progress)
        if done.history.fell_back and not verbose:
            screen.print(f"executor {done.history.executor_reason}", markup=False, soft_wrap=True)
    _show(done, run, screen)
    compared = reproduction(file, run, done)
    if compared.recorded and not options.changes_result:
        if compared.exact:
            screen.print("the recorded objectives are reproduced exactly")
        else:
            screen.print(f"recorded objectives {compared.recorded}, now {compared.objectives}", markup=False)
    write_run(folder, file, run, done, pictures=plots)
    screen.print(f"written to {folder}", markup=False)


@contextmanager
def _nothing_written() -> Iterator[None]:
    """What Ctrl-C in here leaves."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt("nothing was written") from None


@contextmanager
def _messages(screen: Console | None) -> Iterator[None]:
    """What the model's code has to say on its way, as lines in a terminal; nothing without one."""
    if screen is None:
        yield
        return
    handler = _Lines(screen)
    logger = logging.getLogger("eiann")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


class _Lines(logging.Handler):
    def __init__(self, screen: Console) -> None:
        super().__init__()
        self._screen = screen

    def emit(self, record: logging.LogRecord) -> None:
        self._screen.print(record.getMessage(), markup=False, soft_wrap=True)


@contextmanager
def progress_bar(label: str, screen: Console) -> Iterator[Callable[[int, int], None] | None]:
    """A bar in a terminal, nothing elsewhere."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    if not screen.is_terminal:
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("steps"))
    with Progress(*columns, TimeRemainingColumn(), console=screen) as bar:
        task = bar.add_task(label, total=None)
        yield lambda finished, total: bar.update(task, completed=finished, total=total)


def _show(done: ReplicaRun, run: RunSection, screen: Console) -> None:
    from optimize.cli.show import grid
    from optimize.objective import aggregated

    names = run.evaluation.measured
    rows: list[tuple[object, ...]] = []
    for i, outcome in enumerate(done.outcomes):
        values = [outcome.features.get(name) for name in names]
        rows.append((i, outcome.network_seed, outcome.data_seed, *values, outcome.failure))
    whole = aggregated(done.outcomes, run.evaluation)
    rows.append(("all", "", "", *(whole.get(name) for name in names), None))
    title = f"{run.data.name}, {run.steps} steps, {run.dtype}, executor {done.history.executor}"
    screen.print(grid(("replica", "network seed", "data seed", *names, "failure"), rows, title))
