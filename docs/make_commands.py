"""Write docs/reference/commands.md from the command line itself: ``python docs/make_commands.py``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from typer.main import get_command

from optimize.cli.app import app

PAGE = Path(__file__).parent / "reference" / "commands.md"
HEAD = """\
# Commands

Made from the command line by `python docs/make_commands.py`; do not edit. Wrong input is one line that says what was
found and what would be right, with exit code 2.
"""


def page() -> str:
    """The text of the page."""
    return "\n".join([HEAD, *_commands()])


def _commands() -> Iterator[str]:
    group = get_command(app)
    yield from _of(group, typer.Context(group, info_name="eiann"), "eiann", "##")


def _of(group: Any, context: typer.Context, name: str, level: str) -> Iterator[str]:
    for part in group.list_commands(context):
        command = group.get_command(context, part)
        if command is None or command.hidden:
            continue
        inner = typer.Context(command, info_name=part, parent=context)
        yield f"{level} {name} {part}\n"
        yield f"{(command.help or '').strip()}\n"
        if hasattr(command, "list_commands"):
            yield from _of(command, inner, f"{name} {part}", f"{level}#")
            continue
        yield f"```text\n{name} {part} {' '.join(command.collect_usage_pieces(inner))}\n```\n"
        rows = [record for parameter in command.params if (record := _record(parameter, inner))]
        if rows:
            yield "| option | meaning |\n|---|---|"
            yield from rows
            yield ""
        if command.epilog:
            yield f"{command.epilog.replace('Example: ', 'Example: `', 1)}`\n"


def _record(parameter: object, context: typer.Context) -> str | None:
    found = parameter.get_help_record(context)  # type: ignore[attr-defined]
    if found is None or "--help" in found[0]:
        return None
    option, meaning = (" ".join(text.split()) for text in found)
    # A bar would end the cell, and inside of code no escape hides it.
    return f"| `{option.replace('|', ' or ')}` | {meaning.replace('|', chr(92) + '|')} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE}\n")
