"""A small typed registry: declarations are found by name, and an unknown name is answered with the nearest one."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from eiann.errors import ConfigError

T = TypeVar("T")


class Registry(Mapping[str, T]):
    """Name -> declaration. User extensions are added with ``register``, as a decorator.

    Args:
        kind: what is registered, in the singular, for messages: ``"learning rule"``.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, T] = {}

    def register(self, *names: str) -> Callable[[T], T]:
        """Decorator that registers under one or several names; a name that is taken is an error."""

        def add(entry: T) -> T:
            for name in names:
                if name in self._entries:
                    raise ValueError(f"the {self.kind} {name!r} is registered already")
                self._entries[name] = entry
            return entry

        return add

    def find(self, name: str) -> T:
        """The entry of that name; a ConfigError names the nearest one otherwise."""
        if name in self._entries:
            return self._entries[name]
        near = [known for known in self._entries if known.lower() == name.lower()]
        near = near or difflib.get_close_matches(name, self._entries, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(sorted(self._entries))}"
        raise ConfigError(f"found {name!r}; no {self.kind} has that name; {hint}")

    def __getitem__(self, name: str) -> T:
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)
