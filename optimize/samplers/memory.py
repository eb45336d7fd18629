"""Which ended trials a sampler will look at again: a long study need not keep the others in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from optuna.samplers import CmaEsSampler, NSGAIIISampler, NSGAIISampler
from optuna.trial import FrozenTrial, TrialState

from optimize.samplers.annealing import PopulationAnnealingSampler
from optimize.samplers.registry import DESIGN, POINTS, build
from optimize.space.document import NamedWithOptions

_FORGETFUL: Final = frozenset({"random", "qmc", DESIGN, POINTS})
_GENETIC: Final[Mapping[str, type[NSGAIISampler | NSGAIIISampler]]] = {"nsga2": NSGAIISampler, "nsga3": NSGAIIISampler}


def done_with(
    sampler: NamedWithOptions, ended: Sequence[FrozenTrial], attributes: Mapping[str, Any], next_number: int
) -> list[int]:
    """Numbers of the ended trials without which the sampler proposes the same from now on.

    What learns from all trials (TPE, Gaussian processes) is never done with any.

    Args:
        sampler: by its proper name.
        ended: trials that ended and are still known.
        attributes: what the sampler wrote about the study; ids are numbers.
        next_number: of the trial that is proposed next.

    Example:
        >>> done_with(NamedWithOptions(name="random"), [], {}, next_number=0)
        []
    """
    if sampler.name in _FORGETFUL:
        return [trial.number for trial in ended]
    if sampler.name in _GENETIC:
        return _of_earlier_generations(_GENETIC[sampler.name], ended, attributes)
    made = build(sampler, seed=0)
    if isinstance(made, PopulationAnnealingSampler):
        needed = made.looks_back_to(next_number)
        kept = _listed(attributes, needed.survivors)
        return [trial.number for trial in ended if trial.number < needed.first and trial.number not in kept]
    if isinstance(made, CmaEsSampler):
        return _before_the_distribution(made, ended)
    return []


def _of_earlier_generations(
    kind: type[NSGAIISampler | NSGAIIISampler], ended: Sequence[FrozenTrial], attributes: Mapping[str, Any]
) -> list[int]:
    """All but those of the last two generations and their parents.

    A trial belongs to the last generation of which one is complete, or to the next one; its parents are chosen from
    the generation before it and the parents of that.
    """
    key, parents = kind._get_generation_key(), kind._get_parent_cache_key_prefix()  # noqa: SLF001
    generations = {
        trial.number: int(trial.system_attrs.get(key, -1)) for trial in ended if trial.state is TrialState.COMPLETE
    }
    last = max(generations.values(), default=0)
    kept = _listed(attributes, [f"{parents}{generation}" for generation in (last - 1, last, last + 1)])
    return [
        trial.number for trial in ended if generations.get(trial.number, -1) < last - 1 and trial.number not in kept
    ]


def _before_the_distribution(sampler: CmaEsSampler, ended: Sequence[FrozenTrial]) -> list[int]:
    """All but the trial that carries the distribution, those drawn from it, and as many as it waits for at the start.

    The distribution is what the last complete trial that carries one says; it was updated from the generation before
    and is updated next from the trials that were drawn from it. A later trial never carries an earlier one.
    """
    drawn_from, carried = sampler._attr_key_generation, sampler._attr_key_optimizer  # noqa: SLF001
    complete = sorted(
        (trial for trial in ended if trial.state is TrialState.COMPLETE), key=lambda trial: trial.number, reverse=True
    )
    carrier = next((trial for trial in complete if any(key.startswith(carried) for key in trial.system_attrs)), None)
    if carrier is None:
        return []
    generation = carrier.system_attrs[drawn_from]
    kept = {trial.number for trial in complete[: sampler._n_startup_trials]}  # noqa: SLF001
    kept |= {trial.number for trial in complete if trial.system_attrs.get(drawn_from, -1) >= generation}
    return [trial.number for trial in ended if trial.number not in kept]


def _listed(attributes: Mapping[str, Any], keys: Iterable[str]) -> set[int]:
    return {number for key in keys for number in attributes.get(key, ())}
