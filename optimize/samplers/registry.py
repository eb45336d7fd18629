"""Samplers by name, each with the options that a space file or ``--sampler`` may give it."""

from __future__ import annotations

import difflib
import inspect
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Final

from optuna.exceptions import ExperimentalWarning
from optuna.samplers import (
    BaseSampler,
    CmaEsSampler,
    GPSampler,
    NSGAIIISampler,
    NSGAIISampler,
    RandomSampler,
    TPESampler,
)

from eiann.errors import ConfigError
from optimize.samplers.annealing import PopulationAnnealingSampler
from optimize.samplers.design import DesignSampler
from optimize.samplers.qmc import SobolSampler
from optimize.space.document import NamedWithOptions, Value

DEFAULT: Final = "nsga2"
POINTS: Final = "points"
"""The sampler that proposes given points and nothing else."""
DESIGN: Final = "design"
"""The sampler that proposes the points of a design, see ``DesignSampler``."""

# What every sampler is given beyond Optuna's defaults. A pack is asked for at once, before any of it is told: TPE then
# needs to know which places are being tried.
_DEFAULTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "tpe": {"multivariate": True, "constant_liar": True},
    "cmaes": {"warn_independent_sampling": False},
    "gp": {"warn_independent_sampling": False},
}
_SAMPLERS: Final[Mapping[str, Callable[..., BaseSampler]]] = {
    "random": RandomSampler,
    "qmc": SobolSampler,
    "tpe": TPESampler,
    "nsga2": NSGAIISampler,
    "nsga3": NSGAIIISampler,
    "gp": GPSampler,
    "cmaes": CmaEsSampler,
    "annealing": PopulationAnnealingSampler,
    DESIGN: DesignSampler,
    POINTS: RandomSampler,
}
_ALIASES: Final = {
    "sobol": "qmc",
    "nsgaii": "nsga2",
    "nsga-ii": "nsga2",
    "nsgaiii": "nsga3",
    "nsga-iii": "nsga3",
    "cma-es": "cmaes",
    "population_annealing": "annealing",
    "population-annealing": "annealing",
}
# Plain values only: what a user may write. Callables, other samplers and trials stay out; so do seeds, which are ours.
# Optuna has given up the last four, or never let them be plain.
_NOT_OPTIONS: Final = frozenset({"seed", "x0", "sigma0", "restart_strategy", "inc_popsize", "reference_points"})
_NOT_PLAIN: Final = ("Callable", "Sampler", "Crossover", "Mutation", "list[")
_SINGLE_OBJECTIVE: Final = frozenset({"cmaes"})
_AROUND_A_PLACE: Final = frozenset({"cmaes"})
_GENETIC: Final = frozenset({"nsga2", "nsga3"})
# Points of one sequence: all trials are proposed with one seed.
_SEQUENCES: Final = frozenset({"qmc", DESIGN})
_CONSTRAINED: Final = frozenset({"tpe", "nsga2", "nsga3", "gp", "annealing"})


def names() -> tuple[str, ...]:
    """All samplers."""
    return tuple(_SAMPLERS)


def canonical(sampler: NamedWithOptions, objectives: int) -> NamedWithOptions:
    """The sampler under its proper name, checked with its options.

    Raises:
        ConfigError: there is no such sampler or option, a value is wrong, or it cannot do that many objectives.

    Example:
        >>> canonical(NamedWithOptions(name="sobol"), objectives=2).name
        'qmc'
    """
    name = _ALIASES.get(sampler.name.lower(), sampler.name.lower())
    if name not in _SAMPLERS:
        raise ConfigError(f"found {sampler.name!r}; {_offer(name, names())}", ("sampler",))
    if objectives > 1 and name in _SINGLE_OBJECTIVE:
        others = [other for other in names() if other not in _SINGLE_OBJECTIVE]
        raise ConfigError(
            f"found {name!r} with {objectives} objectives; it knows one only, {', '.join(others)} know several",
            ("sampler",),
        )
    known = options(name)
    for option in sampler.options:
        if option not in known:
            raise ConfigError(f"found an unknown option; {_offer(option, known)}", ("sampler", option))
        _check_kind(name, option, sampler.options[option])
    checked = NamedWithOptions(name=name, options=sampler.options)
    try:
        build(checked, seed=0)
    except (TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"found {sampler.options}; {reason}", ("sampler", "options")) from error
    return checked


def options(name: str) -> tuple[str, ...]:
    """Options of one sampler: those arguments of it that are plain numbers, switches or words."""
    if name == POINTS:
        return ()
    plain = (bool, int, float, str, type(None))
    return tuple(
        parameter.name
        for parameter in inspect.signature(_SAMPLERS[name]).parameters.values()
        if parameter.name not in _NOT_OPTIONS
        and isinstance(parameter.default, plain)
        and not any(word in str(parameter.annotation) for word in _NOT_PLAIN)
    )


def _check_kind(name: str, option: str, value: object) -> None:
    """Whether a value is a switch, a count or a number where the sampler has one; some of Optuna's look only later."""
    parameter = inspect.signature(_SAMPLERS[name]).parameters[option]
    default, annotation = parameter.default, str(parameter.annotation)
    if value is None and (default is None or "None" in annotation):
        return
    switch = isinstance(value, bool)
    if isinstance(default, bool) or "bool" in annotation:
        fits, wanted = switch, "true or false"
    elif (isinstance(default, int) or "int" in annotation) and "float" not in annotation:
        fits, wanted = isinstance(value, int) and not switch and value >= 0, "a whole number, 0 or more"
    elif isinstance(default, float) or "float" in annotation:
        fits, wanted = isinstance(value, int | float) and not switch, "a number"
    else:
        return
    if not fits:
        raise ConfigError(f"found {value!r}; it is {wanted}", ("sampler", option))


def build(sampler: NamedWithOptions, seed: int, start: Mapping[str, Value] | None = None) -> BaseSampler:
    """A fresh sampler; two with the same seed propose the same from the same trials.

    Args:
        sampler: by its proper name.
        seed: of its random numbers.
        start: the first given point, for what searches around one place.
    """
    given = {**_DEFAULTS.get(sampler.name, {}), **sampler.options}
    if start and sampler.name in _AROUND_A_PLACE:
        given["x0"] = dict(start)
    with warnings.catch_warnings():
        # Optuna marks as experimental what has been so for years, and means to give up x0 with its version 6; our pins
        # and tests hold what we use of it.
        warnings.simplefilter("ignore", ExperimentalWarning)
        warnings.filterwarnings("ignore", "`x0` has been deprecated", FutureWarning)
        return _SAMPLERS[sampler.name](**given, seed=seed)


def is_sequence(name: str) -> bool:
    """Whether the trials of a sampler are the points of one sequence, so that it keeps one seed for all of them."""
    return name in _SEQUENCES


def tries(name: str, most: int) -> int:
    """How often a sampler is asked for a point within the conditions of a space: once if its points are a design."""
    return 1 if name == DESIGN else most


def is_genetic(name: str) -> bool:
    """Whether a sampler breeds from the trials of the generation before, which it must have numbered itself."""
    return name in _GENETIC


def draws_choices(sampler: NamedWithOptions) -> bool:
    """Whether a sampler can place a choice together with the numbers; one that cannot draws it by itself."""
    return not sampler.options.get("with_margin", False)


def knows_constraints(name: str) -> bool:
    """Whether a sampler heeds constraints on features; others propose as if there were none."""
    return name in _CONSTRAINED


def _offer(found: str, known: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(found, known, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}known: {', '.join(known) or 'none'}"
