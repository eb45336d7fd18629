"""Asking a run to stop: by signals or by a time limit, with time for the packs that are being computed to finish.

The exit codes are a contract with whoever started the run, a batch script for example:

* 0: the study has its budget;
* ``MORE_TO_DO`` (85): a limit of time came, announced by SIGUSR1 or given beforehand; run it again to go on;
* 130, 143: SIGINT or SIGTERM, somebody wanted an end; nobody should go on by himself.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final, Self

log = logging.getLogger(__name__)

MORE_TO_DO: Final = 85
WALLTIME_GRACE_S: Final = 60.0
TERMINATE_GRACE_S: Final = 3.0

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
_REASONS: Final = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated", signal.SIGUSR1: "walltime"}


class StudyStopped(Exception):  # noqa: N818
    """The run was asked to stop, and did; everything that was recorded is durable and the study can be resumed.

    Attributes:
        exit_code: what the program ends with, see the module.
    """

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Stop:
    """Whether a run shall stop, why, and by when.

    Args:
        grace: seconds that running packs have to finish after SIGUSR1 or ``after``; after SIGTERM it is
            ``TERMINATE_GRACE_S`` at most, after SIGINT nothing.
        after: seconds after which the run stops by itself, counted from now.

    Example:
        >>> stop = Stop(after=3600)
        >>> stop.is_requested, stop.exit_code
        (False, 0)
        >>> stop.request(signal.SIGUSR1)
        >>> stop.is_requested, stop.is_due, stop.exit_code
        (True, False, 85)
    """

    def __init__(self, *, grace: float | None = None, after: float | None = None) -> None:
        self._grace = WALLTIME_GRACE_S if grace is None else grace
        self._after = None if after is None else time.monotonic() + after
        self._deadline: float | None = None
        self._reason = ""
        self._exit_code = 0
        self._in_run = False

    @property
    def is_requested(self) -> bool:
        """Whether no further pack should be started."""
        if self._after is not None and time.monotonic() >= self._after:
            self._after = None
            self._stop("time limit", MORE_TO_DO, self._grace)
        return self._deadline is not None

    @property
    def is_due(self) -> bool:
        """Whether nothing should be waited for any more."""
        return self.is_requested and self._deadline is not None and time.monotonic() >= self._deadline

    @property
    def reason(self) -> str:
        """Why, in a word or two."""
        return self._reason

    @property
    def exit_code(self) -> int:
        """What the program should end with if the study is not finished."""
        return self._exit_code

    @property
    def seconds_left(self) -> float | None:
        """Until it is due; ``None`` as long as nobody asked."""
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def request(self, number: int) -> None:
        """Ask for a stop as this signal does."""
        if number == signal.SIGUSR1:
            self._stop(_REASONS[signal.SIGUSR1], MORE_TO_DO, self._grace)
        else:
            grace = min(self._grace, TERMINATE_GRACE_S) if number == signal.SIGTERM else 0.0
            self._stop(_REASONS[signal.Signals(number)], 128 + number, grace)

    def _stop(self, reason: str, exit_code: int, grace: float) -> None:
        deadline = time.monotonic() + grace
        if self._deadline is None:
            self._reason, self._exit_code, self._deadline = reason, exit_code, deadline
        # After a warning of the walltime comes its end; it leaves less time, and there is still more to do.
        self._deadline = min(self._deadline, deadline)

    @contextmanager
    def listening(self, *, in_run: bool = False) -> Iterator[Self]:
        """React to signals for the time of the block.

        Args:
            in_run: whether the block looks at this object often. Otherwise SIGINT and SIGTERM raise there and then;
                SIGUSR1 waits for a run that does look.
        """
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        before = {number: signal.getsignal(number) for number in _SIGNALS}
        outer, self._in_run = self._in_run, in_run
        self.take_signals()
        try:
            yield self
        finally:
            self._in_run = outer
            for number, handler in before.items():
                signal.signal(number, handler)

    def take_signals(self) -> None:
        """Put our handlers in the place of those that somebody else put there since."""
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                signal.signal(number, self._handle)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self._in_run or number == signal.SIGUSR1:
            self.request(number)
            if number != signal.SIGUSR1:  # The second of these does what it does elsewhere.
                signal.signal(number, signal.SIG_DFL if number == signal.SIGTERM else signal.default_int_handler)
        elif number == signal.SIGINT:
            raise KeyboardInterrupt
        else:
            raise SystemExit(128 + number)
