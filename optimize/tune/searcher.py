"""The two ends of our driver in Ray Tune: a searcher that hands out packs, a callback that brings results back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import ray.tune
from ray.tune.experiment import Trial
from ray.tune.result import DONE
from ray.tune.schedulers import FIFOScheduler
from ray.tune.search import Searcher
from typing_extensions import override

from optimize.study import Spool, TrialResult
from optimize.tune.driver import Driver, PackFailure
from optimize.tune.pack import Pack
from optimize.tune.worker import PACK, RESULTS

_REASON_LENGTH: Final = 300
_DIED: Final = "the worker process died"
_SILENT: Final = "the worker ended without a word"
# How Ray says so: of one that is known to be gone, and of one that does not answer any more.
_DEATHS: Final = ("The actor died", "actor is dead", "The actor is temporarily unavailable")
_AT_START: Final = "raised in its creation task"


class WaitNoLongerError(BaseException):
    """The run stops here, whatever its packs are doing.

    Not an ``Exception``: Ray would take that for a failure and tidy up for long.
    """


class DriverFailedError(BaseException):
    """Our side went wrong inside of Ray's loop: a full disk, a lease that was lost. Ray shall not try to go on.

    Attributes:
        error: what went wrong.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


@contextmanager
def _on_our_side() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise DriverFailedError(error) from error


class _NotPickled:
    """Ray pickles an experiment before it starts; of our side of it nothing is to be found there."""

    def __getstate__(self) -> dict[str, Any]:
        return {}


class PackSearcher(_NotPickled, Searcher):
    """Suggests a pack whenever a slot is free.

    All state is the study's storage: there is nothing to save or restore, and nothing of it is ever pickled.

    Args:
        driver: forms the packs.
        slots: packs at once.
        check: called before a pack is formed; raises to end the run, or tells the driver to stop starting packs.
    """

    def __init__(self, driver: Driver, slots: int, check: Callable[[], None]) -> None:
        super().__init__()
        self._driver = driver
        self._slots = slots
        self._check = check

    @override
    def suggest(self, trial_id: str) -> Any:
        """The next pack, ``None`` for not now, or ``FINISHED``."""
        with _on_our_side():
            return self._suggest()

    def _suggest(self) -> Any:
        self._check()
        if self._driver.is_finished():
            return str(Searcher.FINISHED)
        if self._driver.status.running >= self._slots:
            return None
        pack = self._driver.next_pack()
        if pack is None:
            # Trials without any satisfying point end at once; they may have used up the budget.
            return str(Searcher.FINISHED) if self._driver.is_finished() else None
        return {PACK: pack}

    @override
    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Results arrive through ``PackCallback``, which also learns why a pack failed."""

    @override
    def get_state(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    @override
    def set_state(self, state: dict[str, Any]) -> None:
        """Nothing."""

    @override
    def save(self, checkpoint_path: str) -> None:
        """Nothing."""

    @override
    def restore(self, checkpoint_path: str) -> None:
        """Nothing."""


class PackScheduler(FIFOScheduler):
    """First come, first served, except that a pack whose worker is starting waits for that worker.

    Ray's own gives it to the next worker that is free and throws the starting one away. With packs shorter than the
    start of a process, all but one of the slots would then be starting for ever.
    """

    @override
    def choose_trial_to_run(self, tune_controller: Any) -> Trial | None:
        """None in particular: packs without a worker take the free one, in their order."""
        return None


class PackCallback(_NotPickled, ray.tune.Callback):
    """Brings beginnings, results and failures of packs to the driver, and lets a stop take effect between two events.

    Args:
        driver: told of results.
        check: called before every step of Ray's loop; raises to end it.
        spool: of the study; results of packs that are not at their end are kept there, and told when they are.
    """

    def __init__(self, driver: Driver, check: Callable[[], None], spool: Spool) -> None:
        super().__init__()
        self._driver = driver
        self._check = check
        self._spool = spool

    @override
    def on_step_begin(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        """Let a stop take effect."""
        with _on_our_side():
            self._check()

    @override
    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """A worker took a pack: one that was started for it, or one that was free and answered."""
        with _on_our_side():
            self._driver.begin(_pack_of(trial))

    @override
    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        """Record the results of a pack. Ray keeps what it is given; the large part is taken out."""
        texts = result.pop(RESULTS, ())
        with _on_our_side():
            results = [TrialResult.model_validate_json(text) for text in texts]
            if result[DONE]:
                self._driver.receive(_pack_of(trial), results)
            else:
                self._spool.write(results)

    @override
    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """A worker raised or died, or could not be started."""
        reason = reason_of(trial)
        with _on_our_side():
            self._driver.fail(
                _pack_of(trial), reason, PackFailure.DIED if reason in (_DIED, _SILENT) else PackFailure.RAISED
            )

    @override
    def get_state(self) -> dict[str, Any] | None:
        """Nothing."""
        return None


def _pack_of(trial: Trial) -> Pack:
    pack: Pack = trial.config[PACK]
    return pack


def reason_of(trial: Trial) -> str:
    """Why a worker failed, on one line: the last line of its traceback."""
    path = trial.error_file
    text = Path(path).read_text(encoding="utf-8", errors="replace") if path and Path(path).is_file() else ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return _SILENT
    if any(words in text for words in _DEATHS) and _AT_START not in text:
        return _DIED
    return lines[-1][:_REASON_LENGTH]
