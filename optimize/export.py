"""Network files that know how they were found: a network, the run that measured it, and what was recorded.

``eiann train`` and ``eiann check`` take such a file wherever they take a plain network file. It has three keys::

    network: the network, as in a plain network file
    run: data, seeds and settings of the recorded evaluation
    provenance: study, trial, parameters, and the features and objectives that were recorded
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from eiann.config import NetworkConfig
from eiann.config.compact.document import KEYS as COMPACT_KEYS
from eiann.config.reading import NESTED_KEYS
from eiann.config.validation import found_and_right
from eiann.config.yaml_source import SourceMap, load_yaml
from eiann.errors import ConfigError
from optimize.files import write_text
from optimize.objective import EvaluationSettings, Seeds
from optimize.objective.settings import Dtype
from optimize.space import SearchSpace
from optimize.space.document import NamedWithOptions, ObjectiveSpec, RunSettings, SpaceDocument, Value
from optimize.space.formula import suggest

Section = TypeVar("Section", bound=BaseModel)

_KEYS: Final = ("network", "run", "provenance")
_HEADER: Final = """\
# Found by a search. Repeat the evaluation that was recorded below:
#   eiann train {name}
"""


class RunSection(RunSettings):
    """All settings of an evaluation, side by side; see ``RunSettings`` and ``EvaluationSettings``.

    Attributes:
        seeds: (network seed, data seed) of each instance.
    """

    data: NamedWithOptions
    objectives: dict[str, ObjectiveSpec] = {"accuracy": ObjectiveSpec()}
    reject: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    dtype: Dtype = "float32"
    executor: str = "auto"
    device: str = "cpu"
    seeds: Annotated[tuple[Seeds, ...], Field(min_length=1)]

    @classmethod
    def of(cls, settings: EvaluationSettings, seeds: tuple[Seeds, ...]) -> Self:
        """What an evaluation with these seeds consists of."""
        data = settings.model_dump()
        return cls(**data.pop("run"), **data, seeds=seeds)

    @property
    def evaluation(self) -> EvaluationSettings:
        """The settings without the seeds."""
        data = self.model_dump(exclude={"seeds"})
        run = {name: data.pop(name) for name in RunSettings.model_fields}
        return EvaluationSettings(run=RunSettings(**run), **data)


class Provenance(BaseModel):
    """Where a network comes from, and what was recorded of it.

    Attributes:
        study, study_id, trial: where it was found.
        space: the search space.
        params: its parameters there, searched and fixed.
        objectives: as minimized, by name.
        features: aggregated over the instances, in their own units.
        instances: features instance by instance, in the order of the seeds.
        versions, git: of what computed it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    study: str
    study_id: str
    trial: int
    space: str
    params: dict[str, Value]
    objectives: dict[str, float] = {}
    features: dict[str, float] = {}
    instances: tuple[dict[str, float], ...] = ()
    versions: dict[str, str] = {}
    git: str | None = None


class NetworkFile(BaseModel):
    """A network file of either kind.

    Attributes:
        network: what to build.
        run: how it was evaluated; ``None`` in a plain network file.
        provenance: where it comes from; ``None`` in a plain network file.
    """

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    network: NetworkConfig
    run: RunSection | None = None
    provenance: Provenance | None = None

    @classmethod
    def read(cls, path: Path) -> NetworkFile:
        """Read a network file of either kind.

        Raises:
            ConfigError: with file, line and key path of what is wrong.
        """
        raw, source = load_yaml(path)
        if isinstance(raw, dict) and _is_space(raw):
            raise _not_a_space(raw, source)
        if not is_exported(raw):
            return cls(network=NetworkConfig.from_yaml(path))
        assert isinstance(raw, dict)
        for key in raw:
            if key not in _KEYS:
                raise source.error(f"unknown key {key!r}; {suggest(key, _KEYS)}", (key,))
        return cls(
            network=_network(raw["network"], source),
            run=_section(RunSection, raw, "run", source),
            provenance=_section(Provenance, raw, "provenance", source),
        )

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        data: dict[str, Any] = {"network": self.network.to_dict()}
        for name, section in (("run", self.run), ("provenance", self.provenance)):
            if section is not None:
                data[name] = section.model_dump(mode="json", exclude_none=True)
        text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=120, default_flow_style=None)
        write_text(path, _HEADER.format(name=path.name) + text)


def is_exported(raw: object) -> bool:
    """Whether the content of a YAML file is an exported network rather than a plain one or a search space."""
    return isinstance(raw, dict) and "network" in raw and not ({"parameters", "extends"} & raw.keys())


def _is_space(raw: dict[str, Any]) -> bool:
    """Whether a file is meant as a search space, though a key of it may be missing or misspelt."""
    if {*COMPACT_KEYS, *NESTED_KEYS} & (raw.keys() - {"about", "extends"}):
        return False
    own = SpaceDocument.model_fields.keys() - {*_KEYS}
    return bool(own & raw.keys()) or isinstance(raw.get("network"), str)


def _not_a_space(raw: dict[str, Any], source: SourceMap) -> ConfigError:
    """What is wrong with a space: the key that none has, or the one that it lacks, or that it is a space."""
    known = [*SpaceDocument.model_fields, "extends"]
    for key in raw:
        if key not in known:
            return source.error(f"unknown key {key!r} of a search space; {suggest(key, known)}", (key,))
    if not {"parameters", "extends"} & raw.keys():
        return source.error("found a search space without the key 'parameters'")
    return source.error("found a search space; a network file would be right here")


def exported(
    space: SearchSpace, settings: EvaluationSettings, seeds: tuple[Seeds, ...], provenance: Provenance
) -> NetworkFile:
    """The file for a trial's network."""
    searched = {parameter.name for parameter in space.searched}
    params = {name: value for name, value in provenance.params.items() if name in searched}
    return NetworkFile(network=space.apply(params), run=RunSection.of(settings, seeds), provenance=provenance)


def _network(raw: Any, source: SourceMap) -> NetworkConfig:
    try:
        return NetworkConfig.from_dict(raw)
    except ConfigError as error:
        raise source.error(error.message, ("network", *error.path)) from error


def _section(model: type[Section], raw: dict[str, Any], name: str, source: SourceMap) -> Section | None:
    if name not in raw:
        return None
    try:
        return model.model_validate(raw[name])
    except ValidationError as error:
        first = error.errors()[0]
        path = (name, *first["loc"])
        if first["type"] == "extra_forbidden":
            message = f"unknown key; {suggest(str(path[-1]), model.model_fields)}"
        elif first["type"] == "missing":
            message = "missing"
        else:
            message = found_and_right(first)
        raise source.error(message, path) from error
