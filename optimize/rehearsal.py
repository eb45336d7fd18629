"""What is tried before a study exists, so that what does not fit together costs no trial.

A point that satisfies the conditions, the network at the ends of every range and with every choice, one training step.
"""

from __future__ import annotations

from collections.abc import Iterator

from eiann.errors import ConfigError
from eiann.network.resolve import resolve
from optimize.objective import EvaluationSettings
from optimize.objective.evaluate import check_steps, evaluate_replicas
from optimize.space import Parameter, SearchSpace
from optimize.space.document import NamedWithOptions, Value
from optimize.study import Point, Suggester

_PROPOSALS = 5
"""A sampler tries many times for each."""


def any_point(space: SearchSpace, *, given: bool = False) -> Point:
    """A starting point of the space, or a random one that satisfies its conditions.

    Args:
        space: what is searched.
        given: whether trials are given and none is proposed: then a starting point is enough.

    Raises:
        UserError: random points satisfy the conditions of ``require`` as good as never.

    Example:
        >>> len(any_point(SearchSpace.load("spiral/perceptron")))
        3
    """
    start = next(iter(space.starting_points.values()), None)
    if start is not None and (given or not space.require):
        return dict(start.params)
    suggester = Suggester(space, NamedWithOptions(name="random"), seed=0)
    for _ in range(_PROPOSALS):
        proposal = suggester.propose()
        if proposal.unsatisfied is None:
            return dict(proposal.trial.params if start is None else start.params)
    if given:
        return dict(proposal.trial.params)
    raise ConfigError(
        f"found {proposal.unsatisfied!r}; of a thousand random points none satisfies it, so every trial would fail",
        ("require",),
    )


def check_ends(space: SearchSpace, point: Point) -> None:
    """Whether there is a network at both ends of every range and with every choice; nothing is built.

    Args:
        space: what is searched.
        point: one that satisfies its conditions; the parameters that are not looked at keep its values.

    Raises:
        UserError: the network refuses a value that trials may have.
    """
    # Choices first: the point may have a wrong one, which would then be laid at the door of a range.
    for parameter in sorted(space.searched, key=lambda parameter: parameter.kind != "categorical"):
        for value in _ends(parameter):
            changed = _completed(space, {**point, parameter.name: value})
            if parameter.name not in changed or space.violated(changed):
                continue
            try:
                resolve(space.apply(changed))
            except ConfigError as error:
                place = ("parameters", parameter.name)
                raise ConfigError(f"at {value!r} the network is refused: {error}", place) from error


def try_one_step(space: SearchSpace, point: Point, executor: str) -> None:
    """Train one network for one step on the space's data.

    Raises:
        UserError: network, data, objectives or executor do not fit together.
    """
    run = space.run
    check_steps(run, space.data)
    short = run.model_copy(update={"steps": 1, "epochs": 1, "val_interval": (0, -1, 1)})
    settings = EvaluationSettings.of(space, executor=executor).model_copy(update={"run": short})
    evaluate_replicas([space.apply(point)], [space.instances[0]], settings)


def _ends(parameter: Parameter) -> Iterator[Value]:
    if parameter.kind == "categorical":
        yield from parameter.choices
        return
    assert parameter.low is not None
    assert parameter.high is not None
    whole = parameter.kind == "int"
    yield from (int(end) if whole else end for end in (parameter.low, parameter.high))


def _completed(space: SearchSpace, params: Point) -> dict[str, Value]:
    """With a value for every parameter that exists then, and without the others."""
    known = {**params}
    for parameter in space.searched:
        known.setdefault(parameter.name, next(_ends(parameter)))
    active = set(space.active(known))
    return {name: value for name, value in known.items() if name in active}
