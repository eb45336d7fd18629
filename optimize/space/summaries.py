"""The shipped spaces with what one line of a list says of each."""

from __future__ import annotations

from dataclasses import dataclass

import search_spaces
from optimize.space.space import SearchSpace


@dataclass(frozen=True)
class SpaceSummary:
    """One row of ``eiann spaces``.

    Attributes:
        name: e.g. ``mnist/btsp``.
        data: data set.
        rule: what learns, in a few words.
        searched: number of parameters that a study searches.
        fixed: number of parameters that are held at a value.
        accuracy: reported for the published optimum, in percent; ``None`` where none was published.
        title: which model it is, in one line.
        figure: where Galloni et al. 2025 show it, where that is known.
        alias: the name in the reference implementation, accepted everywhere instead of ``name``.
    """

    name: str
    data: str
    rule: str
    searched: int
    fixed: int
    accuracy: float | None
    title: str
    figure: str | None
    alias: str | None


def summaries() -> tuple[SpaceSummary, ...]:
    """All shipped spaces, sorted by data set and name; takes about a second, as each is built once.

    Example:
        >>> [(row.name, row.searched) for row in summaries() if row.data == "spiral"][:2]
        [('spiral/backprop', 7), ('spiral/backprop_zero_bias', 5)]
    """
    return tuple(_summary(entry) for entry in search_spaces.catalogue())


def _summary(entry: search_spaces.CatalogueEntry) -> SpaceSummary:
    space = SearchSpace.load(entry.path)
    return SpaceSummary(
        name=entry.name,
        data=entry.data,
        rule=entry.rule,
        searched=len(space.searched),
        fixed=len(space.fixed),
        accuracy=entry.reported.get("accuracy"),
        title=entry.title,
        figure=entry.figure,
        alias=entry.alias,
    )
