"""From a ``NetworkConfig`` to a file, in the compact or the nested form."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from eiann import files
from eiann.config.compact.composing import compose
from eiann.config.yaml_source import Plain, parse_scalar
from eiann.errors import ConfigError, UserError

if TYPE_CHECKING:
    from eiann.config.schema import FileForm, NetworkConfig

_WIDTH = 120
_OTHER_FORM = "the nested form can: to_yaml(path, form='nested')"


def write_file(config: NetworkConfig, path: Path, form: FileForm) -> None:
    """Write a network file; it appears whole or not at all.

    Raises:
        ConfigError: the compact form has no words for this network.
        UserError: the file cannot be written.
    """
    text = write_text(config, form)
    try:
        files.write_text(path, text)
    except OSError as error:
        raise UserError(f"{path}: the file cannot be written: {error.strerror or error}") from None


def write_text(config: NetworkConfig, form: FileForm) -> str:
    """The text of a network file."""
    if form == "nested":
        return yaml.dump(config.to_dict(), Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=_WIDTH)
    data = compose(config)
    try:
        read_back = type(config).from_dict(data)
    except ConfigError as error:
        raise ConfigError(f"the compact form cannot say this ({error}); {_OTHER_FORM}") from None
    if read_back.resolved() != config.resolved():
        raise ConfigError(f"the compact form has no words for this network; {_OTHER_FORM}")
    return "\n".join(_section(key, value) for key, value in data.items())


class _Dumper(yaml.SafeDumper):
    """Quotes all text that our reader would take for something else."""

    def ignore_aliases(self, _data: object) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None if isinstance(parse_scalar(text), str) else "'"
    style = style if text.isprintable() else '"'  # a line break stays on the line
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _represent_text)


def _section(key: str, value: Plain) -> str:
    """One top-level key: each entry on a line of its own, values in a column."""
    if not isinstance(value, dict):
        return f"{key}: {_inline(value)}\n"
    if key == "training":
        return f"{key}: {_inline(value)}\n"
    lines = [f"{key}:"]
    width = max((len(_inline(name)) for name in value), default=0) + 1
    for name, item in value.items():
        lines.append(_entry(name, item, width, "  "))
    return "\n".join(lines) + "\n"


def _entry(name: str, item: Plain, width: int, indent: str) -> str:
    label = f"{_inline(name)}:"
    deep = isinstance(item, dict) and not all(type(value) is int for value in item.values())
    if item is None:
        return f"{indent}{label}"
    if not deep or not isinstance(item, dict):
        return f"{indent}{label.ljust(width)} {_inline(item)}"
    inner = max(len(_inline(key)) for key in item) + 1
    return "\n".join([f"{indent}{label}", *(_entry(key, value, inner, indent + "  ") for key, value in item.items())])


def _inline(value: Plain) -> str:
    """A value on one line."""
    text = yaml.dump(value, Dumper=_Dumper, sort_keys=False, default_flow_style=True, width=float("inf"))
    return text.removesuffix("\n").removesuffix("\n...").strip()
