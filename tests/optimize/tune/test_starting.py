"""A Ray that does not start is started again, and in the end it is one clear line."""

from __future__ import annotations

import pytest

from eiann.errors import UserError
from optimize.tune import cluster

TIMED_OUT = "The current node timed out during startup. This could happen because\n some of the raylet failed"


class SlowRay:
    """Stands for the module ``ray`` on a machine that is busy: the first attempts fail as Ray's do."""

    def __init__(self, failures: int, error: Exception) -> None:
        self.failures, self.error = failures, error
        self.started = self.ended = 0

    def init(self, **_options: object) -> None:
        self.started += 1
        if self.started <= self.failures:
            raise self.error

    def shutdown(self) -> None:
        self.ended += 1


@pytest.mark.parametrize(
    "error", [Exception(TIMED_OUT), RuntimeError("Failed to start GCS.\n Last error"), OSError(11)]
)
def test_a_start_is_tried_again(error: Exception) -> None:
    ray = SlowRay(2, error)
    cluster._start(ray, None)
    assert (ray.started, ray.ended) == (3, 2), "shut down before the next"


def test_one_clear_line_in_the_end() -> None:
    ray = SlowRay(100, Exception(TIMED_OUT))
    with pytest.raises(UserError, match=r"in 3 attempts.*timed out during startup") as info:
        cluster._start(ray, None)
    assert "\n" not in str(info.value)
    assert ray.started == ray.ended == 3


def test_an_address_is_tried_once() -> None:
    ray = SlowRay(100, ConnectionError("no cluster\nthere"))
    with pytest.raises(UserError, match=r"the Ray cluster at 127\.0\.0\.1:1 cannot be reached: no cluster there"):
        cluster._start(ray, "127.0.0.1:1")
    assert ray.started == 1
