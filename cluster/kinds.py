"""The kinds of cluster: which profile and which runner belong together; profiles are read here."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from typing import Any, Final

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from cluster.errors import ClusterError
from cluster.here import HereProfile, HereRunner
from cluster.job import Record
from cluster.kubernetes import KubernetesProfile, KubernetesRunner
from cluster.profile import Profile
from cluster.ray_jobs import RayProfile, RayRunner
from cluster.runner import Runner
from cluster.secrets import without_password
from cluster.slurm.profile import SlurmProfile
from cluster.slurm.runner import SlurmRunner

_NUMBERS: Final = {
    "tag:yaml.org,2002:int": re.compile(r"[-+]?[0-9]+$"),
    "tag:yaml.org,2002:float": re.compile(
        r"[-+]?(?:(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)$"
    ),
}


class _Loader(yaml.SafeLoader):
    """Safe, and without the numbers to base 60 of YAML 1.1: there ``walltime: 24:00:00`` is the number 86400."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, _NUMBERS.get(tag, pattern)) for tag, pattern in resolvers]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True)
class Kind:
    """A kind of cluster.

    Attributes:
        profile: the model of its profiles.
        runner: makes its runner from a profile and the folder with the records.
    """

    profile: type[Profile]
    runner: Callable[[Any, Path], Runner]


KINDS: dict[str, Kind] = {
    "here": Kind(HereProfile, HereRunner),
    "slurm": Kind(SlurmProfile, SlurmRunner),
    "ray": Kind(RayProfile, RayRunner),
    "kubernetes": Kind(KubernetesProfile, KubernetesRunner),
}


def runner_for(profile: Profile, folder: Path) -> Runner:
    """The runner of the profile's kind, with its records in ``folder``."""
    return KINDS[profile.kind].runner(profile, folder)


def load_profile(path: Path | str) -> Profile:
    """Read and check a profile.

    Raises:
        ClusterError: with file, line and key, what was found and what would be right.

    Example:
        A file with the one line ``kind: here`` is a whole profile.
    """
    return read_profile(_text(Path(path)), path)


def read_profile(text: str, path: Path | str) -> Profile:
    """The profile that stands in ``text``; ``path`` is named in errors."""
    try:
        node = yaml.compose(text, Loader=_Loader)
        data = _Loader(text).get_single_data()
    except yaml.YAMLError as error:
        raise _not_yaml(error, path) from None
    if not isinstance(data, dict) or node is None:
        raise ClusterError("a profile is a mapping such as 'kind: here'", location=f"{path}:1")
    kind = data.get("kind")
    model = KINDS[kind].profile if isinstance(kind, str) and kind in KINDS else None
    if model is None:
        found = f"found {kind!r}" if "kind" in data else "missing"
        raise ClusterError(f"kind: {found}; available: {', '.join(KINDS)}", location=f"{path}:{_line(node, ('kind',))}")
    try:
        profile = model.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        raise ClusterError(_say(first, model), location=f"{path}:{_line(node, first['loc'])}") from None
    if profile.storage is not None and (refusal := profile.place.refusal(profile.storage, PurePosixPath("/"))):
        raise ClusterError(f"storage: {refusal}", location=f"{path}:{_line(node, ('storage',))}")
    return profile


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ClusterError(f"{path}: cannot read the profile: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ClusterError(f"{path}: is not a text file; a profile is YAML in UTF-8") from None


def _not_yaml(error: yaml.YAMLError, path: Path | str) -> ClusterError:
    mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
    problem = error.problem if isinstance(error, yaml.MarkedYAMLError) else str(error)
    return ClusterError(f"not YAML: {problem}", location=f"{path}:{mark.line + 1}" if mark else str(path))


def _say(error: ErrorDetails, model: type[Record]) -> str:
    key = ".".join(str(part) for part in error["loc"])
    if error["type"] != "extra_forbidden":
        message = error["msg"].removeprefix("Value error, ")
        # Without a key it is about several together; what the environment holds may be a password.
        quiet = not key or error["type"] == "missing" or error["loc"] == ("environment",)
        given = error["input"]
        shown = repr(without_password(given)) if isinstance(given, str) else without_password(repr(given))
        said = "" if quiet else f"found {shown}; "
        return f"{key}{': ' if key else ''}{said}{message[0].lower()}{message[1:]}"
    known = _fields(model, error["loc"][:-1])
    close = get_close_matches(str(error["loc"][-1]), known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(known)}"
    return f"{key}: unknown key; {hint}"


def _fields(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """The keys of the part of a profile that a path leads to."""
    for part in path:
        field = model.model_fields.get(str(part))
        if field is None or not isinstance(field.annotation, type) or not issubclass(field.annotation, BaseModel):
            break
        model = field.annotation
    return list(model.model_fields)


def _line(node: yaml.Node, path: tuple[int | str, ...]) -> int:
    """The line, from 1, of the deepest key of the path that stands in the file."""
    line = node.start_mark.line + 1
    for part in path:
        if not isinstance(node, yaml.MappingNode):
            break
        found = next(((key, value) for key, value in node.value if key.value == part), None)
        if found is None:
            break
        line, node = found[0].start_mark.line + 1, found[1]
    return line
