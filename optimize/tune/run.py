"""Running a study on Ray Tune, from its present state to its budget."""

from __future__ import annotations

import logging
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

from eiann.errors import UserError
from optimize.study import Lease, Resources, Study
from optimize.tune.driver import Driver, DriverStatus

if TYPE_CHECKING:
    from optimize.tune.cluster import Slots

Watch = Callable[[DriverStatus], None]
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class StudyStopped(Exception):  # noqa: N818
    """The run was asked to stop, and did; the study can be resumed."""


def run_study(
    study: Study,
    slots: Slots,
    *,
    resources: Resources | None = None,
    trials: int | None = None,
    watch: Watch = lambda _status: None,
) -> None:
    """Run packs on the Ray cluster that this process is connected to, until the study has its budget.

    Args:
        study: what to run.
        slots: packs at once.
        resources: of a pack, if others than the study was made with.
        trials: the new budget, if another one.
        watch: told where the run stands.

    Raises:
        StudyBusyError: another driver runs it.
        StudyStopped: SIGINT or SIGTERM came; everything that was recorded is durable.
    """
    used = resources or study.spec.resources
    with _logging_to(study.folder.logs / "driver.log"), _stop_requests() as stop, study.driven() as (ledger, lease):
        if trials is not None:
            study.budget = trials
        driver = Driver(ledger, study.budget, used.pack, watch)
        watch(driver.status)
        try:
            if not driver.is_finished():
                _fit(study, driver, slots, used, lambda: _check(stop, lease))
        finally:
            logging.getLogger(__name__).info("stopped at %d of %d trials", driver.status.ended, study.budget)
        watch(driver.status)


def _fit(study: Study, driver: Driver, slots: Slots, resources: Resources, check: Callable[[], None]) -> None:
    import os

    import ray.tune

    from optimize.tune.searcher import PackCallback, PackScheduler, PackSearcher, StopRequestedError
    from optimize.tune.worker import PackTrainable

    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(slots.packs)
    spec = study.spec.model_copy(update={"resources": resources})
    trainable = ray.tune.with_parameters(
        PackTrainable,
        spec=spec.model_dump(mode="json", by_alias=True),
        results=str(study.folder.results.absolute()),
    )
    placed = ray.tune.with_resources(trainable, {"cpu": resources.cpus, "gpu": resources.gpus})
    scratch = tempfile.mkdtemp(prefix="eiann-ray-")
    try:
        tuner = ray.tune.Tuner(
            placed,
            tune_config=ray.tune.TuneConfig(
                search_alg=PackSearcher(driver, slots.packs),
                scheduler=PackScheduler(),  # type: ignore[no-untyped-call]
                num_samples=-1,
                reuse_actors=True,
                trial_name_creator=_name,
                trial_dirname_creator=_name,
            ),
            run_config=ray.tune.RunConfig(
                name="study",
                storage_path=scratch,
                callbacks=[PackCallback(driver, check)],
                # A pack is one step: there is nothing between its start and its result to come back to.
                checkpoint_config=ray.tune.CheckpointConfig(checkpoint_at_end=False),
                verbose=0,
            ),
        )
        tuner.fit()
    except StopRequestedError as stop:
        raise StudyStopped(f"stopped at {driver.status.ended} of {driver.status.budget} trials") from stop
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _name(trial: Any) -> str:
    return f"pack-{trial.config['pack'].number}-{trial.trial_id}"


def _check(stop: threading.Event, lease: Lease) -> None:
    from optimize.tune.searcher import StopRequestedError

    if stop.is_set():
        raise StopRequestedError
    if lease.lost:
        raise UserError("another driver took over this study, which was silent for too long; this one has stopped")


@contextmanager
def _stop_requests() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set; the second such signal does what it does elsewhere."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return

    def request(number: int, _frame: FrameType | None) -> None:
        event.set()
        signal.signal(number, signal.SIG_DFL if number == signal.SIGTERM else signal.default_int_handler)

    before = {number: signal.signal(number, request) for number in _SIGNALS}
    try:
        yield event
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _logging_to(path: Path) -> Iterator[None]:
    """What this package logs goes to a file of the study."""
    logger = logging.getLogger("optimize")
    handler = logging.FileHandler(path, delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    before = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before[0])
        logger.propagate = before[1]
        handler.close()
