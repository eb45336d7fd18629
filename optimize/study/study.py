"""A study: created, opened and looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from eiann.errors import UserError
from optimize import samplers
from optimize.files import write_text
from optimize.space import SearchSpace
from optimize.space.document import NamedWithOptions
from optimize.study.claim import IDENTITY, claimed, settle
from optimize.study.folder import StudyFolder, check_free, new_folder
from optimize.study.lease import Lease
from optimize.study.ledger import Ledger
from optimize.study.opening import file_of, lasting_url, open_storage
from optimize.study.spec import Point, Resources, StudySpec
from optimize.study.spool import Spool
from optimize.study.storage import TrialStorage

if TYPE_CHECKING:
    import pandas as pd

    from optimize.results.rows import TrialRow

_BUDGET: Final = "budget"


class Study:
    """A search: its frozen specification, its trials, its tables.

    Attributes:
        folder: where it lives.
        spec: what it is.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> space = SearchSpace.load("spiral/perceptron")
        >>> with TemporaryDirectory() as studies:
        ...     study = Study.create(space, name="demo", studies=Path(studies), trials=40)
        ...     len(Study.open(Path(studies) / "demo").trials()), study.budget
        (0, 40)
    """

    def __init__(self, folder: StudyFolder, spec: StudySpec) -> None:
        self.folder = folder
        self.spec = spec

    # ---------------------------------------------------------------------------------------------------- making

    @classmethod
    def create(
        cls,
        space: SearchSpace,
        *,
        name: str,
        studies: Path = Path("studies"),
        trials: int = 100,
        sampler: NamedWithOptions | None = None,
        points: Sequence[Point] = (),
        resources: Resources | None = None,
        storage: str | None = None,
        seed: int = 0,
        **settings: Any,
    ) -> Self:
        """Create a study; its folder is there, whole, when this returns, and absent after an error.

        Args:
            space: what to search.
            name: of the folder below ``studies``.
            studies: where studies are.
            trials: the budget, see ``budget``.
            sampler: what proposes trials; left out, what the space asks for, or NSGA-II.
            points: points to try first, see ``given_points``.
            resources: packs and what they take.
            storage: URL of an Optuna storage; left out, SQLite in the folder.
            seed: of the sampler.
            settings: further fields of ``StudySpec``.

        Raises:
            UserError: the name is taken or impossible, the storage cannot be reached, the sampler does not exist.
        """
        if trials < 1:
            raise UserError(f"found {trials} trials; a study has at least 1")
        if storage is not None:
            storage = lasting_url(storage)
        wanted = sampler or space.sampler or NamedWithOptions(name=samplers.DEFAULT)
        spec = StudySpec.new(
            space,
            name=name,
            sampler=samplers.canonical(wanted, len(space.objectives)),
            points=tuple(points),
            resources=resources or Resources(),
            storage=storage,
            seed=seed,
            **settings,
        )
        attributes = {
            IDENTITY: spec.study_id,
            _BUDGET: trials,
            "objectives": list(spec.evaluation.objectives),
        }
        path = check_free(studies, name)
        with ExitStack() as stack:
            if storage is not None:
                opened = stack.enter_context(closing(open_storage(storage, name)))
                stack.enter_context(claimed(opened, path, len(space.objectives), attributes))
            folder = stack.enter_context(new_folder(studies, name))
            write_text(folder.spec, spec.to_yaml())
            if storage is None:
                # It comes with the folder, whole.
                with closing(open_storage(folder.url(None), name)) as opened:
                    opened.create_study(len(space.objectives), attributes)
        return cls(StudyFolder(path), spec)

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open a study by its folder.

        Raises:
            UserError: there is no study there.
        """
        folder = StudyFolder(Path(path))
        if not folder.spec.is_file():
            raise UserError(f"{path}: there is no study there; a study is a folder with a {folder.spec.name}")
        return cls(folder, StudySpec.from_yaml(folder.spec))

    # ---------------------------------------------------------------------------------------------------- storage

    @property
    def name(self) -> str:
        """Name of the study."""
        return self.spec.name

    @cached_property
    def storage(self) -> TrialStorage:
        """The study's storage.

        Raises:
            UserError: it cannot be reached, or holds another study under this name.
        """
        url = self.folder.url(self.spec.storage)
        file = file_of(url)
        if file is not None and not file.is_file():
            raise UserError(f"{self.folder.path}: the storage {file} is missing")
        storage = open_storage(url, self.spec.name)
        if storage.attributes().get(IDENTITY) != self.spec.study_id:
            raise UserError(f"{self.folder.path}: the storage has another study under the name {self.spec.name!r}")
        return storage

    @property
    def spool(self) -> Spool:
        """The study's durable results."""
        return Spool(self.folder.results)

    @property
    def budget(self) -> int:
        """Trials that the study shall have in the end: those of any state that ended count, over all restarts."""
        return int(self.storage.attributes()[_BUDGET])

    @budget.setter
    def budget(self, trials: int) -> None:
        self.storage.set_attribute(_BUDGET, trials)

    @contextmanager
    def driven(self, collect: Callable[[Spool], object] = lambda _spool: None) -> Iterator[tuple[Ledger, Lease]]:
        """The right to run the study, and its ledger, settled.

        Args:
            collect: brings results to the spool that lie elsewhere, before it is decided what is computed again.

        Raises:
            StudyBusyError: another driver has it.
        """
        with Lease(self.storage, self.folder.path) as lease:
            settle(self.storage)
            collect(self.spool)
            yield Ledger(self.spec, self.storage, self.spool), lease

    def close(self) -> None:
        """Let go of the storage; it is opened again when needed."""
        if "storage" in self.__dict__:
            self.storage.close()
            del self.__dict__["storage"]

    # ---------------------------------------------------------------------------------------------------- tables

    def rows(self) -> list[TrialRow]:
        """What the storage holds of each trial, ordered by number."""
        from optimize.results.rows import trial_rows

        return trial_rows(self.storage, self.spec)

    def trials(self) -> pd.DataFrame:
        """One row for each trial, ordered by number; columns as in ``optimize.results``."""
        from optimize.results import trials_table

        return trials_table(self.storage, self.spec)

    def instances(self) -> pd.DataFrame:
        """One row for each instance of each trial."""
        from optimize.results import instances_table

        return instances_table(self.storage, self.spec)

    def best(self, k: int = 10, by: str | None = None) -> pd.DataFrame:
        """The ``k`` best complete trials: by one objective, or by Pareto rank and then by the objectives in order.

        Trials that violate constraints of the space are not among them.

        Raises:
            UserError: there is no such objective.
        """
        from optimize.results import best_trials

        return best_trials(self.feasible(), k, by, tuple(self.spec.evaluation.objectives))

    def front(self) -> pd.DataFrame:
        """The complete trials within all constraints that no other one beats in all objectives."""
        from optimize.results import pareto_front

        return pareto_front(self.feasible(), tuple(self.spec.evaluation.objectives))

    def feasible(self) -> pd.DataFrame:
        """The complete trials within all constraints: those that can be among the best."""
        from optimize.results import feasible_trials

        return feasible_trials(self.trials(), self.spec.evaluation.limits)


def given_points(space: SearchSpace, points: Sequence[Point]) -> tuple[Point, ...]:
    """Points as trials have them: the searched parameters that exist there, all within their bounds.

    Raises:
        UserError: a parameter is unknown or missing, or a value is out of bounds.
    """
    checked = []
    searched = {parameter.name for parameter in space.searched}
    for position, point in enumerate(points):
        try:
            space.apply({name: value for name, value in point.items() if name not in space.fixed}, check=True)
        except UserError as error:
            raise UserError(f"point {position}: {error}") from error
        active = set(space.active(point)) & searched
        checked.append({name: value for name, value in point.items() if name in active})
    return tuple(checked)
