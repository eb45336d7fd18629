"""All commands together, and the one place where errors become lines and exit codes."""

from __future__ import annotations

import errno
import sys
from collections.abc import Sequence
from importlib import metadata
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException
from typing_extensions import override

from optimize.cli import again, analyze, check, jobs, look, moving, report, search, spaces, train

OK: Final = 0
WRONG_INPUT: Final = 2
STOPPED: Final = 130
FAILED: Final = 1

_DISK_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


class _StoppedError(Exception):
    """Ctrl-C; what it says is what became of the command."""


class _Commands(TyperGroup):
    """All commands. Typer makes of Ctrl-C an exit code without a word, which a search has for its own orderly end."""

    @override
    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            raise _StoppedError(*stop.args) from None


app = typer.Typer(
    name="eiann",
    cls=_Commands,
    help="Build and train networks of excitatory and inhibitory populations, and search their hyperparameters.",
    epilog="Start with: eiann spaces, then: eiann optimize spiral/dale_backprop --trials 60",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"eiann {metadata.version('eiann')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Say which version this is.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    """Options before the command."""


for family in (train, check, spaces, search, look, analyze, report, again, jobs, moving):
    family.add_to(app)


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; what is wrong with the input is one line on standard error."""
    try:
        code = app(list(arguments), standalone_mode=False)
    except TyperException as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            sys.stdout.write(f"{error}\n")
            return WRONG_INPUT
        return _complain(_text_of(error), WRONG_INPUT)
    except _wrong_input() as error:
        return _complain(str(error), WRONG_INPUT)
    except (KeyboardInterrupt, typer.Abort, _StoppedError) as stop:
        sys.stderr.write("; ".join(filter(None, ("stopped", str(stop)))) + "\n")
        return STOPPED
    except BrokenPipeError:
        # The reader, such as head, has seen enough.
        sys.stderr.close()
        return OK
    except OSError as error:
        if error.errno in _DISK_FULL:
            where, advice = error.filename or "the disk", "make room, then run it again or go on with eiann resume"
            return _complain(f"{where}: {error.strerror}; {advice}", FAILED)
        if error.filename is None:
            raise
        return _complain(f"{error.filename}: {error.strerror or error}", WRONG_INPUT)
    return code if isinstance(code, int) else OK


def _wrong_input() -> tuple[type[Exception], ...]:
    """Errors that are the user's, asked for when there is one: their packages take a while to import."""
    from cluster.errors import ClusterError
    from eiann.errors import UserError

    return UserError, ClusterError


def _text_of(error: TyperException) -> str:
    format_message = getattr(error, "format_message", None)
    return str(format_message() if format_message else error)


def _complain(message: str, code: int) -> int:
    sys.stderr.write(f"error: {' '.join(message.split())}\n")
    return code
