"""The best network of a study, trained again for its curves and pictures, once: it is kept in the study's folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from eiann.errors import UserError
from optimize.export import NetworkFile
from optimize.report.material import BestRun
from optimize.results.best import export_trial
from optimize.study import Study
from optimize.training_run import PLOTS, RunOptions, planned_run, train_network, write_run

Progress = Callable[[int, int], None]


def trained_best(study: Study, number: int, progress: Progress | None = None) -> BestRun:
    """Train a trial's network on the trial's own seeds, or read what was trained before.

    Everything of ``optimize.training_run.write_run`` is kept as ``best/trial-N`` in the study's folder. Training again
    gives the recorded result, so what is kept stays true.

    Raises:
        UserError: the data or the device are not at hand, or the trial is not complete.
    """
    folder = study.folder.best / f"trial-{number}"
    if not (folder / PLOTS).is_dir():
        if study.spec.trainer.endswith("StubTrainer"):
            raise UserError("the study has no networks: its trainer is a stand-in")
        folder.parent.mkdir(exist_ok=True)
        with TemporaryDirectory() as temporary:
            path = Path(temporary) / "network.yaml"
            export_trial(study, number, path)
            file = NetworkFile.read(path)
        run = planned_run(file, RunOptions())
        done = train_network(file.network, run, progress)
        if folder.exists():
            shutil.rmtree(folder)
        write_run(folder, file, run, done, pictures=True)
    return BestRun.read(folder)
