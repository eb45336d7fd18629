"""The recorder: activities, dynamics, dendritic states, plateaus, thresholds and parameters, at intervals."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from eiann.errors import UserError
from eiann.program.compile import Program, compile_training
from eiann.training.callbacks import Callback, Moment
from eiann.training.recording import Memory, Recording, Sink
from eiann.training.schedule import Interval, interval_steps

if TYPE_CHECKING:
    from eiann.network.architecture import Population
    from eiann.network.network import Network

#: What can be recorded. All but parameters and thresholds are of the sample that the step trained on.
KINDS: Mapping[str, str] = {
    "activity": "activity at the end of the forward phase",
    "dynamics": "activity after each time step of the forward phase",
    "backward_activity": "activity at the end of the backward phase",
    "forward_dendritic_state": "dendritic state at the end of the forward phase, not clamped",
    "backward_dendritic_state": "dendritic state in the backward phase, clamped to [-1, 1]",
    "plateau": "the selected dendritic error that drives plasticity",
    "threshold": "sliding threshold of BCM rules after the step",
    "parameters": "weights and biases after the step, by the names of the reference model",
}


class Recorder(Callback):
    """Records values during training; the result of training is the same with and without it, bit for bit.

    Args:
        what: of ``KINDS``.
        populations: labels such as ``H1.E``; None for all that have such a value. It does not limit parameters.
        interval: (start, stop, every) in training steps, as for validation.
        step_before: also record the step before each one, so that the change by a single step is known.
        into: ``Memory(limit)`` or ``Disk(folder)``; by default the last 1000 records are kept in memory.

    Raises:
        UserError: an unknown kind. When training begins: an unknown population, a kind that the network has nowhere.

    Example:
        >>> recorder = Recorder("activity", "plateau", populations=["H1.E"], interval=(0, -1, 100))
        >>> eiann.train(network, data.train, [257], callbacks=[recorder])  # doctest: +SKIP
        >>> recorder.recording["plateau:H1.E"].shape  # R, records, units  # doctest: +SKIP
    """

    def __init__(
        self,
        *what: str,
        populations: Sequence[str] | None = None,
        interval: Interval = (0, -1, 1),
        step_before: bool = False,
        into: Sink | None = None,
    ) -> None:
        for kind in what:
            if kind not in KINDS:
                near = difflib.get_close_matches(kind, KINDS, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(KINDS)}"
                raise UserError(f"recorder: found {kind!r}; {hint}")
        if not what:
            raise UserError(f"recorder: found nothing to record; there are: {', '.join(KINDS)}")
        self._what = tuple(dict.fromkeys(what))
        self._wanted = None if populations is None else tuple(populations)
        self._interval = interval
        self._step_before = step_before
        self._sink: Sink = Memory() if into is None else into
        self._values: dict[str, tuple[str, ...]] = {}
        self._thresholds: dict[str, str] = {}

    @property
    def recording(self) -> Recording:
        """What was recorded so far."""
        return self._sink.recording()

    def watch(self, network: Network) -> Sequence[str]:
        """Names of the values in the program."""
        self._choose(network)
        return [name for names in self._values.values() for name in names]

    def steps(self, total: int) -> Sequence[int]:
        """Those of the interval, and the ones before if asked for."""
        chosen = interval_steps(self._interval, total)
        before = {step - 1 for step in chosen if step > 0} if self._step_before else set()
        return sorted(before.union(chosen))

    def begin(self, network: Network, total: int, state: Mapping[str, Tensor] | None = None) -> None:
        """Check what is wanted against the network, then make room."""
        self.steps(total)
        self._choose(network)
        self._sink.begin(state)

    def record(self, moment: Moment) -> None:
        """Copy the values of this moment."""
        found = {}
        for key, names in self._values.items():
            values = [_copy(moment.named(name)) for name in names]
            found[key] = torch.stack(values, dim=-2) if key.startswith("dynamics:") else values[0]
        network = moment.network
        found.update({key: network.state(name).detach().cpu().clone() for key, name in self._thresholds.items()})
        if "parameters" in self._what:
            found.update({name: value.detach().cpu().clone() for name, value in network.state_dict().items()})
        self._sink.add(moment.step, found)

    def end(self) -> None:
        """Have everything written."""
        self._sink.end()

    def facts(self) -> Mapping[str, Any]:
        """Kinds, populations and steps."""
        return {
            "what": list(self._what),
            "populations": None if self._wanted is None else list(self._wanted),
            "interval": list(self._interval),
            "step_before": self._step_before,
        }

    def state(self) -> Mapping[str, Tensor]:
        """What is in memory."""
        return self._sink.state()

    def _choose(self, network: Network) -> None:
        program = compile_training(network.architecture)
        populations = self._populations(network)
        self._values, self._thresholds = {}, {}
        for kind in self._what:
            before = len(self._values) + len(self._thresholds)
            for p in populations:
                if kind == "threshold" and f"theta:{p.index}" in program.states:
                    self._thresholds[f"threshold:{p.label}"] = f"theta:{p.index}"
                elif names := _names(program, kind, p):
                    self._values[f"{kind}:{p.label}"] = names
            if kind != "parameters" and before == len(self._values) + len(self._thresholds):
                where = "no population of this network" if self._wanted is None else f"none of {list(self._wanted)}"
                raise UserError(f"recorder: found {kind!r}, {KINDS[kind]}; {where} has one")

    def _populations(self, network: Network) -> list[Population]:
        by_label = {p.label: p for p in network.architecture.populations}
        if self._wanted is None:
            return list(by_label.values())
        for label in self._wanted:
            if label not in by_label:
                raise UserError(f"recorder: found {label!r}; the populations are: {', '.join(by_label)}")
        return [by_label[label] for label in self._wanted]


def _names(program: Program, kind: str, p: Population) -> tuple[str, ...]:
    """Values of the program that make up what is recorded; none if the population has no such thing."""
    names = [f"{kind}:{p.index}"]
    if kind == "dynamics":
        names = [f"activity:{p.index}@{t}" for t in range(1, program.architecture.forward_steps + 1)]
    return tuple(names) if all(name in program.names for name in names) else ()


def _copy(value: Tensor) -> Tensor:
    """(R, units), or (R, batch, units) of a mini-batch, on the CPU."""
    copy = value.detach().cpu().clone()
    return copy.squeeze(1) if copy.shape[1] == 1 else copy
