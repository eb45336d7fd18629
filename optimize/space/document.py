"""What a space file may say: typed, frozen, and with every unknown key refused.

These are the words of the file, before selectors and name patterns meet the network. ``optimize.space.space`` turns a
document into the parameters and targets of one concrete search space.
"""

from __future__ import annotations

import math
import sys
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_serializer, model_validator

from eiann.config.clauses import shorten
from optimize.space.early import Race, Stopping
from optimize.space.formula import Value, suggest
from optimize.space.wording import RANGE

__all__ = [
    "FEATURES",
    "Aggregate",
    "Direction",
    "Instances",
    "NamedWithOptions",
    "ObjectiveSpec",
    "ParameterSpec",
    "Part",
    "PointSpec",
    "Range",
    "RunSettings",
    "Scale",
    "SpaceDocument",
    "Value",
]

Scale = Literal["linear", "log"]
Aggregate = Literal["mean", "median", "worst"]
Direction = Literal["minimize", "maximize"]

FEATURES: Final = ("accuracy", "loss", "dynamics_residuals", "mean_forward_dend_loss")
MOST_COUNTED: Final = 255
"""Instances that can be counted rather than listed: their seeds differ in one byte."""
_RANGE_WORDS: Final = ("linear", "log", "int")


def _is_finite(value: object) -> bool:
    # A whole number of hundreds of digits is no float either.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


class Part(BaseModel):
    """Base of all parts of a space file: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Range(Part):
    """Bounds of a number, written ``[low, high]`` with the words ``log`` and ``int`` behind them where they apply.

    Example:
        >>> Range.model_validate([1.0e-4, 1.0, "log"])
        Range(low=0.0001, high=1.0, scale='log', whole=False)
    """

    low: float
    high: float
    scale: Scale = "linear"
    whole: bool = False

    @model_validator(mode="before")
    @classmethod
    def _read_list(cls, data: object) -> object:
        if isinstance(data, dict | Range):
            return data
        if not isinstance(data, list | tuple) or len(data) < 2 or not all(map(_is_finite, data[:2])):
            raise ValueError(f"found {shorten(data)}; {RANGE}")
        for word in data[2:]:
            if word not in _RANGE_WORDS:
                raise ValueError(f"found {word!r} in a range; {suggest(str(word), _RANGE_WORDS)}")
        scale = "log" if "log" in data[2:] else "linear"
        return {"low": data[0], "high": data[1], "scale": scale, "whole": "int" in data[2:]}

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"found low {self.low:g} above high {self.high:g}; a range is [low, high]")
        if self.scale == "log" and self.low <= 0:
            raise ValueError(f"found low {self.low:g} on a log scale; it must be above 0")
        if self.whole and not (self.low.is_integer() and self.high.is_integer()):
            raise ValueError(f"found [{self.low:g}, {self.high:g}]; the bounds of an int range are whole numbers")
        return self

    @model_serializer
    def _write_list(self) -> list[float | int | str]:
        cast = int if self.whole else float
        words = (["log"] if self.scale == "log" else []) + (["int"] if self.whole else [])
        return [cast(self.low), cast(self.high), *words]


class ParameterSpec(Part):
    """One entry under ``parameters``: the range of a parameter and what it sets, in one place.

    Attributes:
        about: one line for people.
        range: bounds, or the name of an entry under ``ranges``. Left out, the range of the kind of value that it sets.
        choices: instead of a range, the values of a categorical parameter.
        fixed: hold it at this value; it is not searched.
        start: its value in the starting point ``x0``, and in points that do not name it.
        sets: ``WHERE: KEY`` or ``WHERE: KEY = FORMULA``, one or several (see ``optimize.space.targets``).
        unused: it reaches nothing on purpose; without this word such a parameter is refused as a mistake.
        when: other categorical parameters and their values for which this one exists at all.
    """

    about: str | None = None
    range: str | Range | None = None
    choices: Annotated[tuple[Value, ...], Field(min_length=1)] | None = None
    fixed: Value | None = None
    start: Value | None = None
    sets: tuple[str, ...] = ()
    unused: bool = False
    when: dict[str, tuple[Value, ...]] = {}

    @field_validator("range", mode="before")
    @classmethod
    def _check_range(cls, data: object) -> object:
        """Here, as of two alternatives neither says what it is about a number."""
        if data is None or isinstance(data, str | list | tuple | dict | Range):
            return data
        raise ValueError(f"found {shorten(data)}; {RANGE}; or write the name of an entry of ranges")

    @field_validator("sets", mode="before")
    @classmethod
    def _join_targets(cls, data: object) -> object:
        """YAML reads an unquoted ``H1.E: size`` as a mapping; both mean the same."""
        items = data if isinstance(data, list | tuple) else [data]
        texts: list[object] = []
        for item in items:
            if isinstance(item, dict):
                for where, keys in item.items():
                    texts += [f"{where}: {key}" for key in (keys if isinstance(keys, list | tuple) else [keys])]
            else:
                texts.append(item)
        return tuple(texts)

    @field_validator("when", mode="before")
    @classmethod
    def _listed(cls, data: object) -> object:
        if not isinstance(data, dict):
            return data
        return {name: value if isinstance(value, list | tuple) else [value] for name, value in data.items()}

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.range is not None and self.choices is not None:
            raise ValueError("found both range and choices; a parameter has one of them")
        if self.choices is not None and len(set(self.choices)) != len(self.choices):
            raise ValueError(f"found a value twice among the choices {list(self.choices)!r}")
        return self


class ObjectiveSpec(Part):
    """How one feature becomes an objective.

    Attributes:
        direction: left out, accuracy is maximized and everything else minimized.
        aggregate: how the values of the instances become one number.
    """

    direction: Direction | None = None
    aggregate: Aggregate = "mean"


class RunSettings(Part):
    """One evaluation of one instance.

    Attributes:
        steps: training samples in one epoch, one sample a step.
        epochs: passes over these samples.
        val_interval: ``[start, stop, step]`` of validation in training steps; negative ones count from the end.
        window: training steps before the end over which accuracy and loss are averaged.
        score: ``final`` averages the last window, ``best`` the one that starts at the lowest validation loss.
        equilibration_tolerance: relative change of mean activity in the last time step from which on it counts.
    """

    steps: Annotated[int, Field(gt=0)] = 20000
    epochs: Annotated[int, Field(gt=0)] = 1
    val_interval: tuple[int, int, Annotated[int, Field(gt=0)]] = (-1000, -1, 100)
    window: Annotated[int, Field(gt=0)] = 1000
    score: Literal["final", "best"] = "final"
    equilibration_tolerance: Annotated[float, Field(ge=0)] = 0.2

    @property
    def window_points(self) -> int:
        """Validation points in the window; 0 means all of them."""
        return self.window // self.val_interval[2]


_Byte = Annotated[int, Field(ge=0, le=255)]


class Instances(Part):
    """The seeds that a trial is evaluated on.

    Either listed as ``pairs`` of (network seed, data seed), or counted: instance i has the network seed
    65536 network_id + 256 task_id + seed_start + i and the data seed 256 network_id + data_seed_start + i.

    Example:
        >>> Instances(count=2).seeds()
        ((66049, 257), (66050, 258))
    """

    count: Annotated[int, Field(gt=0)] = 5
    network_id: _Byte = 1
    task_id: _Byte = 2
    seed_start: _Byte = 1
    data_seed_start: _Byte = 1
    pairs: tuple[tuple[int, int], ...] | None = None

    @model_validator(mode="before")
    @classmethod
    def _read_short(cls, data: object) -> object:
        if isinstance(data, int) and not isinstance(data, bool):
            return {"count": data}
        if isinstance(data, list | tuple):
            return {"pairs": data, "count": len(data)}
        return data

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.pairs is not None and self.count > len(self.pairs):
            raise ValueError(f"found count {self.count} and {len(self.pairs)} pairs; there is no seed for the others")
        if self.pairs is None and max(self.seed_start, self.data_seed_start) + self.count > 256:
            raise ValueError(
                f"found count {self.count}; seeds are one byte, list the pairs for more than {MOST_COUNTED} instances"
            )
        return self

    def seeds(self) -> tuple[tuple[int, int], ...]:
        """(network seed, data seed) of every instance, in order."""
        if self.pairs is not None:
            return self.pairs[: self.count]
        network = 65536 * self.network_id + 256 * self.task_id + self.seed_start
        data = 256 * self.network_id + self.data_seed_start
        return tuple((network + i, data + i) for i in range(self.count))

    def after(self, count: int) -> Instances:
        """``count`` further instances behind these, for measuring on fresh seeds.

        Raises:
            pydantic.ValidationError: there are not that many, neither further pairs nor further bytes.
        """
        if self.pairs is not None:
            return Instances(pairs=self.pairs[self.count :], count=count)
        start, data_start = self.seed_start + self.count, self.data_seed_start + self.count
        return Instances(
            count=count,
            network_id=self.network_id,
            task_id=self.task_id,
            seed_start=start,
            data_seed_start=data_start,
        )


class NamedWithOptions(Part):
    """Something chosen by name with options of its own: a data set or a sampler. Written as a name or a mapping.

    Example:
        >>> NamedWithOptions.model_validate({"name": "cifar10", "flatten": False}).options
        {'flatten': False}
    """

    name: str
    options: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _read_short(cls, data: object) -> object:
        if isinstance(data, str):
            return {"name": data}
        if isinstance(data, dict) and "options" not in data:
            return {"name": data.get("name"), "options": {key: value for key, value in data.items() if key != "name"}}
        return data

    @model_serializer
    def _write_short(self) -> str | dict[str, Any]:
        return {"name": self.name, **self.options} if self.options else self.name


class PointSpec(Part):
    """A named point of the space, with what was reported for it.

    Attributes:
        params: values by parameter; what is left out has its fixed value or its ``start``.
        reported: figures from the literature by feature: accuracy in percent.
        note: where it comes from, or under which other protocol it was measured.
    """

    params: dict[str, Value]
    reported: dict[str, float] = {}
    note: str | None = None

    @model_validator(mode="after")
    def _finite(self) -> Self:
        for name, value in self.params.items():
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"found {value} for {name!r}; a point has finite numbers")
        return self


class SpaceDocument(Part):
    """A whole space file, after ``extends`` was followed.

    Attributes:
        name: how the space is called; left out, the file's name.
        title: which model this is, in one line.
        figure: where Galloni et al. 2025 show it, where that is known.
        reference: the name that the reference implementation gives it; accepted as an alias.
        rule: what learns it, in a few words, for the catalogue.
        network: the network that the parameters are applied to: a file, or its nested form.
        data: data set with its options.
        names: how places are called in parameter names that are patterns, e.g. ``Output.SomaI: Output_I``.
        ranges: ranges by name; a name that is a key of a network is the default range of what sets that key.
        parameters: see ``ParameterSpec``. A name with ``<post>``, ``<pre>`` or ``<layer>`` is one for each match.
        require: conditions between parameters that every trial satisfies.
        run: see ``RunSettings``.
        instances: see ``Instances``.
        objectives: features to optimize.
        reject: conditions on features; an instance for which one holds fails its trial.
        constraints: conditions on aggregated features; a trial that violates one is kept, but is never among the best.
        start_with: points to try first: names of ``points``, or files as ``eiann optimize --points`` takes them.
        sampler: what proposes trials, with its options.
        stopping: when a trial is given up early; left out, never.
        race: give further instances to contenders only; left out, every trial has all of them.
        points: named points; ``x0`` and ``optimized`` by convention.
    """

    name: str | None = None
    title: str = ""
    figure: str | None = None
    reference: str | None = None
    rule: str | None = None
    network: str | dict[str, Any]
    data: NamedWithOptions
    names: dict[str, str] = {}
    ranges: dict[str, Range] = {}
    parameters: Annotated[dict[str, ParameterSpec], Field(min_length=1)]
    require: tuple[str, ...] = ()
    run: RunSettings = RunSettings()
    instances: Instances = Instances()
    objectives: Annotated[dict[str, ObjectiveSpec], Field(min_length=1)] = {"accuracy": ObjectiveSpec()}
    reject: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    start_with: tuple[str, ...] = ()
    sampler: NamedWithOptions | None = None
    stopping: Stopping | None = None
    race: Race | None = None
    points: dict[str, PointSpec] = {}

    @field_validator("objectives", mode="before")
    @classmethod
    def _read_names(cls, data: object) -> object:
        if isinstance(data, list | tuple):
            twice = [name for position, name in enumerate(data) if name in data[:position]]
            if twice or not data:
                raise ValueError(f"found objective {twice[0]!r} twice" if twice else "found none; [accuracy] would do")
        named = {str(name): {} for name in data} if isinstance(data, list | tuple) else data
        if isinstance(named, dict):
            for name in named:
                if name not in FEATURES:
                    raise ValueError(f"found objective {name!r}; {suggest(str(name), FEATURES)}")
            return {name: spec or {} for name, spec in named.items()}
        return data
