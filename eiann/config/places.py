"""Where things of a configuration were written: the way back from the canonical form to the user's file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from eiann.config.yaml_source import SourceMap
from eiann.errors import ConfigError, KeyPath


@dataclass(frozen=True)
class Place:
    """A key path as the user wrote it, and the file that it stands in (None: it came from Python)."""

    source: SourceMap | None = None
    path: KeyPath = ()

    def child(self, *keys: str | int) -> Place:
        """The place of what is below these keys."""
        return Place(self.source, (*self.path, *keys))

    @property
    def location(self) -> str | None:
        """``file.yaml:12`` where known."""
        return self.source.location(self.path) if self.source else None

    def error(self, message: str) -> ConfigError:
        """An error at this place."""
        return ConfigError(message, self.path, self.location)


@dataclass(frozen=True)
class Origins:
    """Places of the keys of the nested form.

    Args:
        entries: key path of the nested form -> place of that key in the file. Keys below it are found below the place.
        root: place of what has no entry; in the nested form itself everything.
    """

    entries: Mapping[KeyPath, Place] = field(default_factory=dict)
    root: Place = field(default_factory=Place)

    def place(self, path: KeyPath) -> Place:
        """The user's key path and file for a key path of the nested form."""
        for end in range(len(path), 0, -1):
            found = self.entries.get(path[:end])
            if found is not None:
                return found.child(*path[end:])
        return self.root.child(*path)

    def locate(self, path: KeyPath) -> str | None:
        """``file.yaml:12`` for a key path of the nested form."""
        return self.place(path).location
