"""What runs on the workers: a Ray Tune trainable that computes one pack and waits for the next."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import ray.tune
import torch
from ray.tune.result import DONE

from optimize.study import StudySpec, TrialResult
from optimize.tune.nodes import spool_for
from optimize.tune.pack import Pack, compute_parts, in_order
from optimize.tune.trainer import load_trainer

PACK: Final = "pack"
RESULTS: Final = "results"


class PackTrainable(ray.tune.Trainable):
    """One pack is one Ray Tune trial.

    It takes a single step, except on a machine that does not see the study's folder: there each part of the pack that
    is known is a step of its own, so that the driver has it even if this machine is lost. The process and the data that
    its trainer has loaded stay for the next pack.
    """

    def setup(self, config: dict[str, Any], spec: dict[str, Any] | None = None, results: str = "") -> None:
        """Load the trainer.

        Args:
            config: with the first ``Pack`` under ``pack``.
            spec: specification of the study, as plain data.
            results: folder of its durable results. On a machine that does not see it they are kept in another one,
                see ``optimize.tune.nodes``.
        """
        self._study = StudySpec.model_validate(spec)
        torch.set_num_threads(max(1, int(self._study.resources.cpus)))
        self._trainer = load_trainer(self._study.trainer, self._study)
        self._spool = spool_for(results, self._study.study_id)
        self._is_seen = self._spool.folder == Path(results)
        self._take(config)

    def step(self) -> dict[str, Any]:
        """Compute the pack, or up to the next part; results are durable before the driver hears of them."""
        for known in self._coming:
            self._spool.write(known)
            self._computed += known
            if not self._is_seen and len(self._computed) < len(self._pack.jobs):
                return {DONE: False, RESULTS: _texts(known)}
        return {DONE: True, RESULTS: _texts(in_order(self._pack, self._computed))}

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take the next pack in this process."""
        self._take(new_config)
        return True

    def _take(self, config: dict[str, Any]) -> None:
        self._pack: Pack = config[PACK]
        self._coming = compute_parts(self._study, self._trainer, self._pack)
        self._computed: list[TrialResult] = []


def _texts(results: Iterable[TrialResult]) -> list[str]:
    return [result.model_dump_json(exclude_none=True) for result in results]


def worker_environment(resources_cpus: float) -> dict[str, str]:
    """Environment of worker processes: threads as many as the pack has CPUs."""
    threads = str(max(1, int(resources_cpus)))
    return dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), threads)
