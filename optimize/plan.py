"""From what a user asks to a study that can be created: everything is checked before anything is made."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from pydantic import BaseModel, ValidationError

from eiann.config.places import Origins
from eiann.config.validation import config_error
from eiann.config.yaml_source import load_yaml
from eiann.errors import ConfigError, UserError
from optimize import samplers
from optimize.rehearsal import any_point, check_ends, try_one_step
from optimize.results.ranking import none_best
from optimize.space import Race, SearchSpace, Stopping
from optimize.space.document import NamedWithOptions
from optimize.space.formula import suggest
from optimize.study import NETWORK_TRAINER, Point, Resources, Study, given_points
from optimize.tune.cluster import available_cpus, check_here

Rule = TypeVar("Rule", bound=BaseModel)

log = logging.getLogger(__name__)

DEFAULT_TRIALS: Final = 100
_ROUNDS: Final = 4
_LARGEST_PACK: Final = 20


@dataclass(frozen=True)
class Plan:
    """A study to be.

    Attributes:
        space: with the user's number of instances and steps.
        trials: the budget.
        sampler: checked.
        points: to try first.
        pack: trials in a pack; ``None`` to choose by the number of slots.
        cpus, gpus: of a pack.
        settings: further fields of the specification.
    """

    space: SearchSpace
    trials: int
    sampler: NamedWithOptions
    points: tuple[Point, ...]
    pack: int | None = None
    cpus: float = 1
    gpus: float = 0
    settings: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def make(
        cls,
        space: str | Path | SearchSpace,
        *,
        trials: int | None = None,
        instances: int | None = None,
        steps: int | None = None,
        sampler: NamedWithOptions | None = None,
        sampler_options: dict[str, Any] | None = None,
        points: Sequence[str] = (),
        pack: int | None = None,
        cpus: float | None = None,
        gpus: float | None = None,
        executor: str | None = None,
        trainer: str | None = None,
        stopping: dict[str, Any] | None = None,
        race: dict[str, Any] | None = None,
    ) -> Self:
        """Read and check what can be checked without computing.

        Raises:
            UserError: something of it is wrong.
        """
        loaded = space if isinstance(space, SearchSpace) else SearchSpace.load(space)
        if instances is not None:
            loaded = loaded.with_instances(instances)
        if steps is not None:
            loaded = loaded.with_run(steps=steps)
        if stopping or race:
            given = loaded.document
            loaded = loaded.with_early(
                _rule(Stopping, given.stopping, stopping, "--stopping"), _rule(Race, given.race, race, "--race")
            )
        early = loaded.document.race
        if early is not None and early.first > len(loaded.instances):
            raise ConfigError(f"found {early.first}; there are {len(loaded.instances)} instances", ("race", "first"))
        wanted = sampler or loaded.sampler or NamedWithOptions(name=samplers.DEFAULT)
        if sampler is None and sampler_options:
            wanted = NamedWithOptions(name=wanted.name, options={**wanted.options, **sampler_options})
        read = [point for source in points or loaded.document.start_with for point in read_points(source, loaded)]
        chosen = samplers.canonical(wanted, len(loaded.objectives))
        if loaded.constraints and not samplers.knows_constraints(chosen.name):
            log.warning("sampler %s knows no constraints; they only decide what is among the best", chosen.name)
        budget = _budget(trials, chosen, loaded, len(read))
        settings = {"executor": executor, "trainer": trainer}
        return cls(
            space=loaded,
            trials=budget,
            sampler=chosen,
            points=given_points(loaded, read),
            pack=pack,
            cpus=_positive(cpus, "--cpus-per-pack", 1),
            gpus=0 if gpus is None or gpus == 0 else _positive(gpus, "--gpus-per-pack", 0),
            settings={key: value for key, value in settings.items() if value is not None},
        )

    def resources(self, slots: int | None = None) -> Resources:
        """Packs and what they take; ``slots`` is how many run at once, left out: on this machine."""
        if slots is None:
            slots = max(1, int(available_cpus() / self.cpus))
        pack = self.pack or pack_size(self.trials, slots)
        return Resources(pack=min(pack, self.trials), cpus=self.cpus, gpus=self.gpus)

    def check(self, *, local: bool) -> None:
        """Try a point, the ends of all ranges and one training step: what does not fit is found before a study exists.

        Args:
            local: whether it will run on this machine; then its resources are checked too.

        Raises:
            UserError: in the words of what does not fit.
        """
        if local:
            check_here(self.resources())
        given = self.sampler.name in (samplers.POINTS, samplers.DESIGN)
        point = any_point(self.space, given=given)
        if self.settings.get("trainer", NETWORK_TRAINER) == NETWORK_TRAINER:
            if not given:
                check_ends(self.space, point)
            try_one_step(self.space, point, self.settings.get("executor", "auto"))

    def create(self, name: str, studies: Path, *, storage: str | None, seed: int, slots: int) -> Study:
        """Create the study."""
        return Study.create(
            self.space,
            name=name,
            studies=studies,
            trials=self.trials,
            sampler=self.sampler,
            points=self.points,
            resources=self.resources(slots),
            storage=storage,
            seed=seed,
            **self.settings,
        )


def _budget(trials: int | None, sampler: NamedWithOptions, space: SearchSpace, points: int) -> int:
    """Trials of a study: what is asked for, as many as there are points, or the usual number."""
    if sampler.name not in (samplers.POINTS, samplers.DESIGN):
        return trials or DEFAULT_TRIALS
    if sampler.name == samplers.DESIGN:
        if points:
            raise ConfigError("found given points and a design; a design has points of its own", ("sampler",))
        made = samplers.build(sampler, seed=0)
        assert isinstance(made, samplers.DesignSampler)
        points = made.size(sum(parameter.in_design for parameter in space.searched))
    elif not points:
        raise ConfigError("found 'points' and none are given; give --points", ("sampler",))
    if trials is not None and trials > points:
        raise ConfigError(f"found {trials} trials and {points} points; leave --trials out", ("sampler",))
    return trials or points


def pack_size(trials: int, slots: int) -> int:
    """Trials in a pack: large, for the batch's sake, but several rounds of packs in all slots.

    Samplers learn from round to round, and a last round that fills few slots then costs little.

    Example:
        >>> pack_size(60, slots=2), pack_size(10_000, slots=2), pack_size(3, slots=2)
        (8, 20, 1)
    """
    return max(1, min(_LARGEST_PACK, math.ceil(trials / (slots * _ROUNDS))))


def read_points(source: str, space: SearchSpace) -> list[Point]:
    """Given points: a named one of the space, all of a file, or the best of another study.

    A YAML or JSON file holds a point (a mapping by parameter) or a list of them; a CSV or parquet file is a table of
    trials, with columns ``params.*``. The folder of a study stands for its Pareto front, ``FOLDER:5`` for its five
    best trials; ``SPACE:POINT`` for a named point of another space, such as ``spiral/dale_backprop:optimized``.
    Parameters that this space does not search are left out then.

    Raises:
        UserError: there is no such point, file or study, or it holds something else.
    """
    if source in space.starting_points:
        return [dict(space.starting_points[source].params)]
    folder, _, count = source.rpartition(":")
    if (Path(source) / "spec.yaml").is_file():
        return _points_of_study(Path(source), None, space)
    if count.isdigit() and (Path(folder) / "spec.yaml").is_file():
        return _points_of_study(Path(folder), int(count), space)
    path = Path(source)
    if not path.is_file() and folder and not count.isdigit():
        return [_searched(_point_of_space(folder, count), space)]
    if not path.is_file():
        hint = suggest(source, space.starting_points)
        raise UserError(
            f"--points: found {source!r}; it is a file, a study, SPACE:POINT or a point of {space.name}; {hint}"
        )
    if path.suffix in (".csv", ".parquet"):
        return _points_of_table(path)
    raw, _ = load_yaml(path)
    # Files of Nested hold models by name or number, each with its parameters.
    if isinstance(raw, dict) and raw and all(isinstance(point, dict) for point in raw.values()):
        raw = list(raw.values())
    points = raw if isinstance(raw, list) else [raw]
    if not all(isinstance(point, dict) for point in points):
        raise UserError(f"{path}: a point is a mapping from parameters to values; a file holds one or a list of them")
    return points  # type: ignore[return-value]


def _points_of_study(path: Path, count: int | None, space: SearchSpace) -> list[Point]:
    study = Study.open(path)
    try:
        best = study.front() if count is None else study.best(count)
        numbers = [int(number) for number in best["number"]]
        if not numbers:
            raise UserError(f"--points: {none_best(study.name, study.trials(), study.spec.evaluation.constraints)}")
        params = {row.number: row.params for row in study.rows()}
    finally:
        study.close()
    return [_searched(params[number], space) for number in numbers]


def _point_of_space(name: str, point: str) -> Point:
    other = SearchSpace.load(name)
    if point not in other.starting_points:
        raise UserError(f"--points: found no point {point!r} in {other.name}; {suggest(point, other.starting_points)}")
    return dict(other.starting_points[point].params)


def _searched(point: Point, space: SearchSpace) -> Point:
    names = {parameter.name for parameter in space.searched}
    return {name: value for name, value in point.items() if name in names}


def _points_of_table(path: Path) -> list[Point]:
    import pandas as pd

    table = pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
    columns = {name: name.removeprefix("params.") for name in table.columns if name.startswith("params.")}
    if not columns:
        raise UserError(f"{path}: found no column params.*; a table of trials has one for each parameter")
    rows = table[list(columns)].rename(columns=columns).to_dict("records")
    return [{str(name): value for name, value in row.items() if pd.notna(value)} for row in rows]


def _rule(kind: type[Rule], known: Rule | None, changes: dict[str, Any] | None, option: str) -> Rule | None:
    """A rule of the space with what the user changes of it."""
    if not changes:
        return known
    data = {**(known.model_dump() if known else {}), **changes}
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        problem = config_error(error, kind, Origins())
        raise UserError(f"{option}: {problem}") from error


def _positive(value: float | None, option: str, default: float) -> float:
    if value is None:
        return default
    if not 0 < value < math.inf:
        raise UserError(f"{option}: found {value:g}; it is above 0")
    return value
