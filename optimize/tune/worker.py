"""What runs on the workers: a Ray Tune trainable that computes one pack and waits for the next."""

from __future__ import annotations

from typing import Any, Final

import ray.tune
import torch

from optimize.study import StudySpec, TrialResult
from optimize.tune.nodes import spool_for
from optimize.tune.pack import Pack, compute
from optimize.tune.trainer import load_trainer

PACK: Final = "pack"
RESULTS: Final = "results"


class PackTrainable(ray.tune.Trainable):
    """One pack is one Ray Tune trial of a single step.

    The process and the data that its trainer has loaded stay for the next pack.
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
        self._pack: Pack = config[PACK]

    def step(self) -> dict[str, Any]:
        """Compute the pack; results are durable before the driver hears of them."""
        computed: list[TrialResult] = compute(self._study, self._trainer, self._pack)
        self._spool.write(computed)
        return {"done": True, RESULTS: [result.model_dump_json(exclude_none=True) for result in computed]}

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take the next pack in this process."""
        self._pack = new_config[PACK]
        return True


def worker_environment(resources_cpus: float) -> dict[str, str]:
    """Environment of worker processes: threads as many as the pack has CPUs."""
    threads = str(max(1, int(resources_cpus)))
    return dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), threads)
