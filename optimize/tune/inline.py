"""A study run in this process, pack after pack: for tests, notebooks and debuggers, where Ray would be in the way."""

from __future__ import annotations

from optimize.study import Study
from optimize.tune.driver import Driver
from optimize.tune.pack import compute
from optimize.tune.trainer import PackTrainer, load_trainer


def run_inline(study: Study, trainer: PackTrainer | None = None, *, packs: int | None = None) -> None:
    """Run packs until the study has its budget, or so many of them.

    The study is the same as if Ray had run it with one slot.

    Raises:
        StudyBusyError: a driver runs it.
    """
    with study.driven() as (ledger, _):
        driver = Driver(ledger, study.budget, study.spec.resources.pack)
        used = trainer or load_trainer(study.spec.trainer, study.spec)
        done = 0
        while (packs is None or done < packs) and (pack := driver.next_pack()) is not None:
            driver.receive(pack, compute(study.spec, used, pack))
            done += 1
