"""Data sets by name: a loader registers itself with a decorator, ``load`` checks its options and calls it."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Sequence
from typing import ParamSpec

from pydantic import ConfigDict, ValidationError, validate_call

from eiann.data.dataset import DataSets
from eiann.errors import ConfigError
from eiann.registry import Registry

P = ParamSpec("P")

LOADERS: Registry[Callable[..., DataSets]] = Registry("data set")


def register(name: str) -> Callable[[Callable[P, DataSets]], Callable[P, DataSets]]:
    """Make a loader known under a name.

    The loader has keyword-only arguments with type annotations (pydantic's included); they are its options, checked
    and converted by ``load``, so that ``"300"`` from a command line becomes the number 300.

    Raises:
        ValueError: if the name is taken, or an argument cannot be given by keyword.

    Example:
        >>> from eiann.data import DataSets, load, register, spiral
        >>> @register("quiet_spiral")
        ... def quiet_spiral(*, points_per_arm: int = 100) -> DataSets:
        ...     return spiral(protocol="separate", points_per_arm=points_per_arm, noise=0.0)
        >>> len(load("quiet_spiral", points_per_arm="200").train)
        560
    """

    def add(loader: Callable[P, DataSets]) -> Callable[P, DataSets]:
        kinds = {parameter.kind for parameter in inspect.signature(loader).parameters.values()}
        if kinds - {inspect.Parameter.KEYWORD_ONLY}:
            raise ValueError(f"the loader of data set {name!r} must have keyword-only arguments")
        LOADERS.register(name)(validate_call(config=ConfigDict(arbitrary_types_allowed=True))(loader))
        return loader

    return add


def names() -> tuple[str, ...]:
    """Names of all registered data sets, in alphabetical order."""
    return tuple(sorted(LOADERS))


def option_names(name: str) -> tuple[str, ...]:
    """Names of the options of one data set."""
    return tuple(inspect.signature(_loader(name)).parameters)


def load(name: str, **options: object) -> DataSets:
    """Load a data set with its options.

    Raises:
        ConfigError: for a name that is not known, an option that the data set does not have, or a wrong value.
        UserError: if its files are missing or broken.

    Example:
        >>> data = load("spiral", protocol="separate")
        >>> data.train.inputs.shape, data.train.targets.shape
        (torch.Size([5600, 2]), torch.Size([5600, 4]))
    """
    loader = _loader(name)
    known = option_names(name)
    for key in options:
        if key not in known:
            raise ConfigError(f"found an unknown option; {_offer(key, known)}", path=("data", name, key))
    try:
        return loader(**options)
    except ValidationError as error:
        first = error.errors()[0]
        path = ("data", name, *first["loc"])
        if first["type"] in ("missing_keyword_only_argument", "missing_argument"):
            raise ConfigError("found no value; this option is required", path=path) from None
        raise ConfigError(f"found {first['input']!r}; {_lower(first['msg'])}", path=path) from None


def _loader(name: str) -> Callable[..., DataSets]:
    try:
        return LOADERS.find(name)
    except ConfigError as error:
        raise ConfigError(error.message, path=("data",)) from None


def _offer(found: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(found, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known) or 'none'}"


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
