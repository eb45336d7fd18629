"""Selectors: which populations and projections words like ``E <- below.E`` mean.

The network is seen here as names only. A population is a pair (layer, population), a projection a pair (post, pre).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from eiann.config.clauses import shorten
from eiann.config.places import Place
from eiann.config.validation import did_you_mean

Population = tuple[str, str]
Projection = tuple[Population, Population]

NAME = re.compile(r"[A-Za-z0-9]+")
RESERVED = ("any", "below", "above", "hidden")
_SIDE = re.compile(r"(?:([A-Za-z0-9*?\[\]!-]+)\.)?([A-Za-z0-9*?\[\]!-]+)")
_WILD = re.compile(r"[*?\[]")
_SAME = "same"


@dataclass(frozen=True)
class Topology:
    """Layers and their populations, in order; ``closed`` are the populations that take no projections."""

    layers: Mapping[str, Sequence[str]]
    closed: Collection[Population] = field(default=frozenset())

    @property
    def populations(self) -> list[Population]:
        """All populations in order."""
        return [(layer, population) for layer, names in self.layers.items() for population in names]

    def neighbour(self, layer: str, offset: int) -> str | None:
        """The layer that many places up; None at the ends."""
        names = list(self.layers)
        index = names.index(layer) + offset
        return names[index] if 0 <= index < len(names) else None

    def matches(self, pattern: str, layer: str) -> bool:
        """Whether a layer pattern means this layer."""
        names = list(self.layers)
        if pattern == "hidden":
            return layer in names[1:-1]
        return pattern == "any" or fnmatchcase(layer, pattern)


@dataclass(frozen=True)
class Side:
    """One side of an arrow, or a population selector: a layer pattern and a population pattern."""

    layer: str
    population: str

    @classmethod
    def parse(cls, text: str, place: Place, *, relative: bool) -> Side:
        """Read ``H1.E``, ``E``, ``below.E``, ``"*.*I"``; ``relative``: words that need a postsynaptic layer."""
        match = _SIDE.fullmatch(text.strip())
        if match is None:
            raise place.error(f"found {shorten(text.strip())}; a population like 'H1.E' or 'E' would be right")
        layer, population = match.groups()
        if layer in {"below", "above"} and not relative:
            raise place.error(f"{layer!r} has a meaning only behind the arrow: 'E <- {layer}.E'")
        return cls(layer or (_SAME if relative else "any"), population)

    @property
    def is_name(self) -> bool:
        """Whether this is the full name of one population."""
        return self.layer not in {*RESERVED, _SAME} and not _WILD.search(self.layer + self.population)

    def check_name(self, topology: Topology, place: Place) -> None:
        """A name that is written out must exist.

        Raises:
            ConfigError: it does not; the nearest one is named.
        """
        if _WILD.search(self.population):
            return
        if not any(self.population in names for names in topology.layers.values()):
            known = dict.fromkeys(name for names in topology.layers.values() for name in names)
            raise place.error(f"there is no population {self.population!r}; {did_you_mean(self.population, known)}")
        if self.layer in {*RESERVED, _SAME} or _WILD.search(self.layer):
            return
        if self.layer not in topology.layers:
            raise place.error(f"there is no layer {self.layer!r}; {did_you_mean(self.layer, topology.layers)}")
        if self.population not in topology.layers[self.layer]:
            names = topology.layers[self.layer]
            hint = did_you_mean(self.population, names)
            raise place.error(f"layer {self.layer!r} has no population {self.population!r}; {hint}")

    def populations(self, topology: Topology) -> list[Population]:
        """The populations that this side means where no other side is given."""
        return [
            (layer, population)
            for layer, population in topology.populations
            if topology.matches(self.layer, layer) and fnmatchcase(population, self.population)
        ]


@dataclass(frozen=True)
class Arrow:
    """``POST <- PRE``."""

    post: Side
    pre: Side

    @classmethod
    def parse(cls, text: str, place: Place) -> Arrow:
        """Read the text of a projection key."""
        parts = text.split("<-")
        if len(parts) != 2:
            raise place.error(f"found {shorten(text)}; 'POST <- PRE' would be right, such as 'H1.E <- Input.E'")
        return cls(Side.parse(parts[0], place, relative=False), Side.parse(parts[1], place, relative=True))

    @property
    def connects(self) -> bool:
        """Whether the presynaptic layer is definite, so that a line can make projections."""
        layer = self.pre.layer
        return layer not in {"any", "hidden"} and not _WILD.search(layer)

    def check_names(self, topology: Topology, place: Place) -> None:
        """Names that are written out must exist."""
        self.post.check_name(topology, place)
        self.pre.check_name(topology, place)

    def posts(self, topology: Topology) -> list[Population]:
        """Postsynaptic populations; a pattern never means the first layer or a population without projections."""
        found = self.post.populations(topology)
        if self.post.is_name:
            return found
        first = next(iter(topology.layers), None)
        return [item for item in found if item[0] != first and item not in topology.closed]

    def pres(self, topology: Topology, post: Population) -> Iterator[Population]:
        """Presynaptic populations, given the postsynaptic one."""
        offset = {"below": -1, "above": 1, _SAME: 0}.get(self.pre.layer)
        layer = topology.neighbour(post[0], offset) if offset is not None else None
        for candidate, population in topology.populations:
            right = candidate == layer if offset is not None else topology.matches(self.pre.layer, candidate)
            if right and fnmatchcase(population, self.pre.population):
                yield candidate, population

    def pairs(self, topology: Topology) -> list[Projection]:
        """All projections that could be meant, in the order of the layers, whether or not they exist."""
        return [(post, pre) for post in self.posts(topology) for pre in self.pres(topology, post)]
