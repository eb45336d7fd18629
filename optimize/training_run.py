"""One network trained and written down: what ``eiann train`` does, from Python too."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import eiann
from eiann.config import NetworkConfig
from eiann.data import option_names
from eiann.errors import UserError
from optimize.export import NetworkFile, RunSection
from optimize.files import check_can_be_made, replacing_folder, write_json
from optimize.objective import Seeds, Verdict, judge
from optimize.objective.evaluate import Progress, ReplicaRun, evaluate_replicas, load_data
from optimize.space.document import Instances, NamedWithOptions

DEFAULT_REPLICAS: Final = 5
PLOTS: Final = "plots"
"""Folder of pictures in the folder of a run."""
_VALIDATIONS: Final = 50


@dataclass(frozen=True)
class RunOptions:
    """What a user asks of a training run; what is ``None`` is as the file says, or a default.

    Attributes:
        data: name of the data set.
        data_options: its options, on top of those in the file.
        replicas: how many.
        steps: training steps.
        dtype, executor, device: see ``EvaluationSettings``.
    """

    data: str | None = None
    data_options: dict[str, Any] | None = None
    replicas: int | None = None
    steps: int | None = None
    dtype: str | None = None
    executor: str | None = None
    device: str | None = None

    @property
    def changes_result(self) -> bool:
        """Whether anything is asked that the result depends on."""
        return any(value is not None for value in vars(self).values())


def planned_run(file: NetworkFile, options: RunOptions) -> RunSection:
    """The run that a network file and the user's options amount to.

    Raises:
        UserError: no data set is named anywhere, or an option is wrong.
    """
    planned = file.run or _default_run(options).model_copy(update={"device": file.network.training_kwargs.device})
    changes: dict[str, Any] = {}
    name = options.data or planned.data.name
    given = planned.data.options if name == planned.data.name else {}
    changes["data"] = _data(name, {**given, **(options.data_options or {})})
    if options.replicas is not None:
        changes["seeds"] = _seeds(planned.seeds, options.replicas)
    for key in ("steps", "dtype", "executor", "device"):
        if (value := getattr(options, key)) is not None:
            changes[key] = value
    return RunSection.model_validate({**planned.model_dump(), **changes})


def train_network(network: NetworkConfig, run: RunSection, progress: Progress | None = None) -> ReplicaRun:
    """Train one replica of a network for each pair of seeds."""
    return evaluate_replicas([network] * len(run.seeds), run.seeds, run.evaluation, progress)


@dataclass(frozen=True)
class Reproduction:
    """A run beside the record in its file.

    Attributes:
        verdict: of this run.
        objectives: by name, as minimized.
        recorded: the same from the file.
    """

    verdict: Verdict
    objectives: dict[str, float]
    recorded: dict[str, float]

    @property
    def exact(self) -> bool:
        """Whether every recorded objective came out the same, to the last bit."""
        return bool(self.recorded) and self.objectives == self.recorded


def reproduction(file: NetworkFile, run: RunSection, done: ReplicaRun) -> Reproduction:
    """Compare a run with what its file recorded."""
    verdict = judge(done.outcomes, run.evaluation)
    objectives = dict(zip(run.objectives, verdict.objectives or (), strict=False))
    return Reproduction(verdict, objectives, file.provenance.objectives if file.provenance else {})


def write_run(folder: Path, file: NetworkFile, run: RunSection, done: ReplicaRun, *, pictures: bool = False) -> None:
    """Write a finished run: the folder is there, whole, or not at all.

    It holds ``network.yaml`` (the network with this run, for training it again), ``weights.safetensors`` (parameters
    by name, each with the replicas in front), ``history.json`` and ``learning_curves.png``; with ``pictures`` also
    ``plots/``, everything of ``eiann.plots.network_pictures`` as PNG and PDF, of the replica that did best.

    Raises:
        UserError: the folder exists and is not empty.
    """
    from eiann import plots
    from eiann.io.networks import write_weights

    check_free_folder(folder)
    with replacing_folder(folder) as temporary:
        NetworkFile(network=file.network, run=run, provenance=file.provenance).write(temporary / "network.yaml")
        write_weights(done.network, temporary)
        write_json(temporary / "history.json", _history(done, run.seeds), sync=False)
        figure = plots.learning_curves(done.history)
        figure.savefig(temporary / "learning_curves.png", dpi=150)
        if pictures:
            _write_pictures(temporary / PLOTS, run, done)


def best_replica(done: ReplicaRun) -> int:
    """The replica with the highest accuracy among those that did not fail; the first one if all failed."""
    scores = [-1.0 if outcome.failure else outcome.features.get("accuracy", -1.0) for outcome in done.outcomes]
    return scores.index(max(scores))


def _write_pictures(folder: Path, run: RunSection, done: ReplicaRun) -> None:
    from eiann.plots import network_pictures

    data = load_data(run.data)
    shown = data.test if len(data.test) else data.validation
    folder.mkdir()
    for name, figure in network_pictures(
        done.network, shown, done.history, replica=best_replica(done), executor=done.history.executor
    ):
        figure.savefig(folder / f"{name}.png", dpi=200)
        figure.savefig(folder / f"{name}.pdf")


def check_free_folder(folder: Path) -> None:
    """Whether a run can be written there.

    Raises:
        UserError: there is something in it, or it cannot be made.
    """
    check_can_be_made(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder}: exists and is not an empty folder; choose another --out")


def _history(done: ReplicaRun, seeds: tuple[Seeds, ...]) -> dict[str, Any]:
    history = done.history
    curves = {
        "loss": history.loss,
        "val_steps": history.val_steps,
        "val_loss": history.val_loss,
        "val_accuracy": history.val_accuracy,
        "forward_dendritic_loss": history.forward_dendritic_loss,
    }
    return {
        "seeds": [list(pair) for pair in seeds],
        "executor": history.executor,
        **{name: None if values is None else _finite(values.tolist()) for name, values in curves.items()},
    }


def _finite(values: Any) -> Any:
    """JSON has no word for NaN: a step without a finite number is null."""
    if isinstance(values, list):
        return [_finite(value) for value in values]
    return values if isinstance(values, int) or abs(values) < float("inf") else None


def _default_run(options: RunOptions) -> RunSection:
    if options.data is None:
        raise UserError(f"the network file names no data set; give --data, one of: {', '.join(eiann.data.names())}")
    data = _data(options.data, options.data_options or {})
    steps = options.steps or len(load_data(data).train)
    every = max(1, steps // _VALIDATIONS)
    return RunSection(
        data=data,
        steps=steps,
        val_interval=(0, -1, every),
        window=max(every, steps // 10),
        seeds=Instances(count=options.replicas or DEFAULT_REPLICAS).seeds(),
    )


def _data(name: str, options: dict[str, Any]) -> NamedWithOptions:
    option_names(name)  # a wrong name is an error now
    return NamedWithOptions(name=name, options=options)


def _seeds(known: tuple[Seeds, ...], count: int) -> tuple[Seeds, ...]:
    """The first of the known seeds; further ones count on from the last."""
    network, data = known[-1]
    more = tuple((network + i, data + i) for i in range(1, count - len(known) + 1))
    return (*known[:count], *more)
