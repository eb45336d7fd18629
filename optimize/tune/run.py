"""Running a study on Ray Tune, from its present state to its budget."""

from __future__ import annotations

import logging
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eiann.errors import UserError
from optimize.study import Lease, Resources, Study
from optimize.tune.driver import Driver, DriverStatus
from optimize.tune.nodes import collect
from optimize.tune.stopping import Stop, StudyStopped

if TYPE_CHECKING:
    from optimize.tune.cluster import Slots

log = logging.getLogger(__name__)

Watch = Callable[[DriverStatus], None]


def run_study(
    study: Study,
    slots: Slots,
    *,
    resources: Resources | None = None,
    trials: int | None = None,
    watch: Watch = lambda _status: None,
    stop: Stop | None = None,
) -> None:
    """Run packs on the Ray cluster that this process is connected to, until the study has its budget.

    Args:
        study: what to run.
        slots: packs at once.
        resources: of a pack, if others than the study was made with.
        trials: the new budget, if another one.
        watch: told where the run stands.
        stop: what asks the run to stop; signals do in any case.

    Raises:
        StudyBusyError: another driver runs it.
        StudyStopped: it was asked to, before the budget was reached; everything that was recorded is durable.
    """
    used = resources or study.spec.resources
    stop = stop or Stop()
    # Here and not earlier alone: Ray has put its own handler of SIGTERM in the place of whatever there was.
    listening = stop.listening(in_run=True)
    driven = study.driven(lambda spool: collect(study.spec.study_id, spool))
    with _logging_to(study.folder.logs / "driver.log"), listening, driven as (ledger, lease):
        if trials is not None:
            study.budget = trials
        driver = Driver(ledger, study.budget, used.pack, watch)
        watch(driver.status)
        try:
            if not driver.is_complete and not stop.is_requested:
                _fit(study, driver, slots, used, _Check(driver, stop, lease))
        finally:
            log.info("stopped at %d of %d trials", driver.status.ended, study.budget)
        watch(driver.status)
        if driver.is_complete:
            collect(study.spec.study_id, study.spool)  # Nobody needs them any more where they lie.
        else:
            driver.leave()
            if not stop.is_requested:
                # A warning that came when Ray had its own handler and we had not yet taken its place.
                stop.request(signal.SIGUSR1)
            status = driver.status
            raise StudyStopped(f"stopped at {status.ended} of {status.budget} trials ({stop.reason})", stop.exit_code)


def _fit(study: Study, driver: Driver, slots: Slots, resources: Resources, check: Callable[[], None]) -> None:
    import os

    import ray.tune

    from optimize.tune.searcher import (
        DriverFailedError,
        PackCallback,
        PackScheduler,
        PackSearcher,
        WaitNoLongerError,
    )
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
                search_alg=PackSearcher(driver, slots.packs, check),
                scheduler=PackScheduler(),  # type: ignore[no-untyped-call]
                num_samples=-1,
                reuse_actors=True,
                trial_name_creator=_name,
                trial_dirname_creator=_name,
            ),
            run_config=ray.tune.RunConfig(
                name="study",
                storage_path=scratch,
                callbacks=[PackCallback(driver, check, study.spool)],
                # What a pack has come to is in the spool: there is nothing else between its start and its end.
                checkpoint_config=ray.tune.CheckpointConfig(checkpoint_at_end=False),
                verbose=0,
            ),
        )
        tuner.fit()
    except DriverFailedError as failed:
        raise failed.error from None
    except WaitNoLongerError:
        log.info("%d packs were left unfinished", driver.status.running)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _name(trial: Any) -> str:
    return f"pack-{trial.config['pack'].number}-{trial.trial_id}"


class _Check:
    """Looks, between two events of Ray's loop, whether this driver may still go on, and whether it should."""

    def __init__(self, driver: Driver, stop: Stop, lease: Lease) -> None:
        self._driver = driver
        self._stop = stop
        self._lease = lease
        self._is_first = True

    def __call__(self) -> None:
        from optimize.tune.searcher import WaitNoLongerError

        stop, driver = self._stop, self._driver
        if self._is_first:
            # Ray Tune has a handler of its own for SIGUSR1, which leaves running packs behind.
            stop.take_signals()
            self._is_first = False
        if self._lease.lost:
            raise UserError("another driver took over this study, which was silent for too long; this one has stopped")
        if stop.is_due:
            raise WaitNoLongerError
        if stop.is_requested and not driver.is_stopping:
            log.info("asked to stop (%s): %.0f s for %d packs", stop.reason, stop.seconds_left, driver.status.running)
            driver.stop_starting(stop.reason)


class _LogFile(logging.FileHandler):
    """A log that is missing on a full disk stops nothing."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Say nothing."""


@contextmanager
def _logging_to(path: Path) -> Iterator[None]:
    """What this package logs goes to a file of the study."""
    logger = logging.getLogger("optimize")
    handler = _LogFile(path, delay=True)
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
