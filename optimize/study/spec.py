"""The frozen specification of a study: everything that its trials are a function of."""

from __future__ import annotations

import platform
import subprocess
from datetime import UTC, datetime
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from uuid import uuid4

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from eiann.errors import ConfigError, UserError
from optimize.objective import EvaluationSettings
from optimize.objective.settings import Dtype
from optimize.space import SearchSpace
from optimize.space.document import NamedWithOptions, Value

NETWORK_TRAINER: Final = "optimize.tune.network_trainer:NetworkTrainer"
_PACKAGES: Final = ("eiann", "torch", "ray", "optuna", "numpy")

Point = dict[str, Value]


class Resources(BaseModel):
    """How trials are grouped and what each group takes of the machine.

    Attributes:
        pack: trials trained together.
        cpus, gpus: of one pack; a share such as 0.25 of a GPU is allowed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pack: Annotated[int, Field(ge=1)] = 8
    cpus: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1
    gpus: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0

    @property
    def device(self) -> str:
        """Where the packs compute."""
        return "cuda" if self.gpus else "cpu"


class StudySpec(BaseModel):
    """What ``spec.yaml`` holds; written once, never changed.

    Attributes:
        schema_version: of this file.
        study_id: unique; results of another study are never taken for this one's.
        name: of the folder, and of the study in its storage.
        created: when, UTC.
        space: the search space, complete, as plain data.
        sampler: what proposes trials, with its options.
        points: trials given beforehand; trial i is point i.
        seed: of the sampler. The seeds of the instances belong to the space.
        resources: packs and what they take; a resumed study may be given others, results do not depend on them.
        dtype, executor: arithmetic of the training.
        trainer: ``module:class`` of what trains a pack, see ``optimize.tune.trainer.PackTrainer``.
        storage: URL of the storage, or ``None`` for ``study.db`` in the folder.
        versions: of Python and of the packages that results rest on.
        git: commit that the program was run from, with ``+`` behind it if there were changes; ``None`` if unknown.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_version: Annotated[Literal[1], Field(alias="schema")] = 1
    study_id: str
    name: str
    created: datetime
    space: dict[str, Any]
    sampler: NamedWithOptions
    points: tuple[Point, ...] = ()
    seed: Annotated[int, Field(ge=0)] = 0
    resources: Resources = Resources()
    dtype: Dtype = "float32"
    executor: str = "auto"
    trainer: str = NETWORK_TRAINER
    storage: str | None = None
    versions: dict[str, str] = {}
    git: str | None = None

    @classmethod
    def new(cls, space: SearchSpace, *, name: str, sampler: NamedWithOptions, **settings: Any) -> Self:
        """A specification with a fresh identity, and with the versions of what runs now."""
        return cls(
            study_id=uuid4().hex,
            name=name,
            created=datetime.now(UTC).replace(microsecond=0),
            space=space.to_dict(),
            sampler=sampler,
            versions=installed_versions(),
            git=git_commit(),
            **settings,
        )

    @cached_property
    def search_space(self) -> SearchSpace:
        """The space as an object."""
        return SearchSpace.from_dict(self.space)

    @cached_property
    def evaluation(self) -> EvaluationSettings:
        """What one evaluation consists of."""
        return EvaluationSettings.of(
            self.search_space, dtype=self.dtype, executor=self.executor, device=self.resources.device
        )

    def to_yaml(self) -> str:
        """The text of ``spec.yaml``."""
        data = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        return str(yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=120))

    @classmethod
    def from_yaml(cls, path: Path) -> Self:
        """Read ``spec.yaml``.

        Raises:
            UserError: it cannot be read, or it is not a specification that this version understands.
        """
        try:
            data = yaml.safe_load(path.read_text())
            return cls.model_validate(data)
        except (OSError, yaml.YAMLError) as error:
            raise UserError(f"{path}: cannot be read as a study's specification: {_one_line(error)}") from error
        except ValidationError as error:
            first = error.errors()[0]
            raise ConfigError(f"found {first['input']!r:.60}; {first['msg']}", first["loc"], str(path)) from error


def installed_versions() -> dict[str, str]:
    """Versions of Python and of the packages that results rest on."""
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return versions


def git_commit() -> str | None:
    """The commit that this package is run from, with ``+`` behind it if files were changed."""
    here = Path(__file__).resolve().parent
    command = ["git", "-C", str(here), "describe", "--always", "--dirty=+", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
