"""A trial as a network file that can be trained again."""

from __future__ import annotations

from pathlib import Path

from eiann.errors import UserError
from optimize.export import NetworkFile, Provenance, exported
from optimize.results.rows import TrialRow, trial_rows
from optimize.results.tables import write_table
from optimize.study import Study


def export_trial(study: Study, number: int, path: Path) -> NetworkFile:
    """Write the network of a complete trial, with the run that measured it and what was recorded.

    Raises:
        UserError: there is no such trial, or the file cannot be written.
    """
    row = complete_trial(study, number)
    spec = study.spec
    result = row.result
    settings = spec.evaluation.model_copy(update={"executor": result["executor"], "device": result["device"]})
    instances = result["instances"]
    provenance = Provenance(
        study=spec.name,
        study_id=spec.study_id,
        trial=number,
        space=spec.search_space.name,
        params={**spec.search_space.fixed, **row.params},
        objectives=dict(zip(spec.evaluation.objectives, result["objectives"], strict=True)),
        features=result["features"],
        instances=tuple(instance["features"] for instance in instances),
        versions=spec.versions,
        git=spec.git,
    )
    seeds = tuple((instance["network_seed"], instance["data_seed"]) for instance in instances)
    file = exported(spec.search_space, settings, seeds, provenance)
    if not path.parent.is_dir():
        raise UserError(f"{path}: there is no folder {path.parent}")
    file.write(path)
    return file


def complete_trial(study: Study, number: int) -> TrialRow:
    """The row of a trial that has objectives.

    Raises:
        UserError: there is no such trial, or it has none.
    """
    row = any_trial(study, number)
    if row.state != "COMPLETE":
        why = f": {row.result['failure']}" if "failure" in row.result else ""
        raise UserError(f"trial {number} of {study.name!r} is {row.state}{why}; a complete one would be right")
    return row


def any_trial(study: Study, number: int) -> TrialRow:
    """The row of a trial.

    Raises:
        UserError: there is no such trial.
    """
    rows = trial_rows(study.storage, study.spec)
    for row in rows:
        if row.number == number:
            return row
    last = f"they go from 0 to {rows[-1].number}" if rows else "it has none yet"
    raise UserError(f"study {study.name!r} has no trial {number}; {last}")


def refresh(study: Study) -> None:
    """Write what is derived: the tables, and the network of the best trial, as files of the study's folder."""
    write_table(study.trials(), study.folder.tables / "trials.parquet")
    write_table(study.instances(), study.folder.tables / "instances.parquet")
    best = study.best(1)
    if not best.empty:
        export_trial(study, int(best.iloc[0]["number"]), study.folder.best / "best.yaml")
