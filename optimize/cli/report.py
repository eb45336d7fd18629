"""``eiann report`` and ``eiann dashboard``: a study for people."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from optimize.cli.options import STUDIES, StudiesOption, StudyArgument, study_path

# As in optimize.dashboard.server, which would load a database library for --help.
LOOPBACK: Final = "127.0.0.1"
PORT: Final = 8080


def add_to(app: typer.Typer) -> None:
    """Register the commands of this file."""
    app.command(epilog="Example: eiann report studies/demo")(report)
    app.command(epilog="Example: eiann dashboard studies/demo --port 8080")(dashboard)


def report(
    study: StudyArgument,
    network: Annotated[
        bool, typer.Option("--network/--no-network", help="Train the best network for its curves and pictures, once.")
    ] = True,
    studies: StudiesOption = STUDIES,
) -> None:
    """Write a page about a study, and its figures as PNG and PDF."""
    from optimize.cli.show import console
    from optimize.cli.train import progress_bar
    from optimize.report import write_report
    from optimize.study import Study

    opened = Study.open(study_path(study, studies))
    screen = console()
    with progress_bar("best network", screen) as progress:
        written = write_report(opened, network=network, progress=progress if network else None)
    count = f"{written.warnings} warning{'' if written.warnings == 1 else 's'}"
    screen.print(f"written to {written.page}, with {count} to read first", markup=False)
    screen.print(f"figures: {len(written.figures)} in {written.figures[0].parent}, each as .png and .pdf", markup=False)


def dashboard(
    study: StudyArgument,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on; this machine only if left out.")
    ] = LOOPBACK,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 for any free one.")] = PORT,
    ray: Annotated[
        str | None, typer.Option("--ray", help="Ray's dashboard, to be linked; left out, looked for on this machine.")
    ] = None,
    studies: StudiesOption = STUDIES,
) -> None:
    """Show a study live in a browser, with instances as notes and pictures; ends with Ctrl-C. It changes nothing."""
    import signal

    from optimize.dashboard import DashboardServer
    from optimize.dashboard.server import is_loopback
    from optimize.study import Study

    opened = Study.open(study_path(study, studies))
    server = DashboardServer(opened, host=host, port=port, ray=ray)
    typer.echo(f"study {opened.name} on {server.url}")
    typer.echo(
        f"Ray's dashboard: {server.ray}" if server.ray else "Ray's dashboard: none found; give its URL with --ray"
    )
    if not is_loopback(host):
        typer.echo(f"warning: everybody who reaches {host} can read the study; there is no password", err=True)
    # A request to end is an end as with Ctrl-C: the port is let go.
    signal.signal(signal.SIGTERM, lambda *_: _stop())
    try:
        server.serve()
    except KeyboardInterrupt:
        typer.echo("stopped")
    finally:
        server.close()
        opened.close()


def _stop() -> None:
    raise KeyboardInterrupt
