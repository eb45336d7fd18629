"""Arguments and options that several commands share."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Final

import typer

STUDIES: Final = Path("studies")

StudyArgument = Annotated[str, typer.Argument(metavar="STUDY", help="A study's folder, or its name below --studies.")]
StudiesOption = Annotated[Path, typer.Option("--studies", help="Folder with studies.")]
DeviceOption = Annotated[str | None, typer.Option("--device", help="cpu, cuda or cuda:N.")]
ExecutorOption = Annotated[str | None, typer.Option("--executor", help="auto, or the name of an executor.")]


def study_path(study: str, studies: Path) -> Path:
    """Where a study is: the path itself, or that name in the folder of studies.

    Raises:
        UserError: there is no study in either place.
    """
    from eiann.errors import UserError

    for candidate in (Path(study), studies / study):
        if (candidate / "spec.yaml").is_file():
            return candidate
    if Path(study).parent != Path():
        raise UserError(f"{study}: there is no study there")
    names = sorted(path.parent.name for path in studies.glob("*/spec.yaml"))
    known = f"there are: {', '.join(names[:10])}" if names else "there are none yet"
    raise UserError(f"found no study {study!r} in {studies}; {known}")


def key_values(items: Iterable[str], option: str) -> dict[str, Any]:
    """``["noise=0.1"]`` as ``{"noise": 0.1}``; values mean what they mean in YAML.

    Raises:
        UserError: an item has no ``=``.
    """
    from eiann.config.yaml_source import parse_scalar
    from eiann.errors import UserError

    values = {}
    for item in items:
        key, equals, value = item.partition("=")
        if not equals or not key:
            raise UserError(f"{option}: found {item!r}; write KEY=VALUE")
        values[key.strip()] = parse_scalar(value.strip())
    return values


def fitting_name(folder: Path, wanted: str) -> str:
    """The wanted name, with a number behind it if it is taken.

    Example:
        >>> fitting_name(Path("no/such/folder"), "demo")
        'demo'
    """
    name, count = wanted, 1
    while (folder / name).exists():
        count += 1
        name = f"{wanted}-{count}"
    return name
