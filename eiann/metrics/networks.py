"""Measures that need the network itself: against backpropagation, on stored parameters, and of single units."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from eiann.config import NetworkConfig
from eiann.data import Dataset
from eiann.errors import UserError
from eiann.metrics.angles import feedback_angles, update_angles
from eiann.metrics.arrays import Floats
from eiann.metrics.selection import feedback_pairs, learned_excitatory_weights

if TYPE_CHECKING:
    from eiann.network.architecture import Architecture
    from eiann.network.network import Network
    from eiann.training.history import History
    from eiann.training.recording import Recording

State = Mapping[str, Tensor]
_BACKWARD_STEPS = 3


def backprop_step(network: Network, before: State, dataset: Dataset, rows: Tensor, *, constrain: bool = True) -> State:
    """Parameters after one step of backpropagation from ``before``, had every learned projection followed it.

    The network is not touched: a second one is built, in which each learning rule of a projection is Backprop with
    the same learning rate, through the last 3 time steps where the network looks back on none. Biases change only if
    they follow the gradient anyway.

    Args:
        network: whose structure and numbers to use.
        before: parameters by name, (R, ...).
        dataset: where the samples are.
        rows: (R, batch) the samples of each replica's step.
        constrain: apply bounds and constraints after the step.

    Returns:
        Name -> (R, ...).
    """
    from eiann.executors.base import TrainingData
    from eiann.executors.torch.executor import TorchExecutor

    twin = _twin(network, lambda config, a: _backprop_config(config, a, constrain=constrain))
    twin.load_state_dict({name: value.to(network.device, network.dtype) for name, value in before.items()})
    data = TrainingData(dataset.inputs, dataset.targets, rows.shape[1])
    session = TorchExecutor().begin(twin, data, ())
    session.run(rows)
    session.store()
    return {name: value.cpu() for name, value in twin.state_dict().items()}


def backprop_angles(
    network: Network,
    recording: Recording,
    dataset: Dataset,
    history: History,
    *,
    whole_set: bool = False,
    constrain: bool = True,
    signs: bool = False,
    changed_only: bool = False,
) -> tuple[Tensor, dict[str, Floats]]:
    """Angle in degrees between what the rules changed and what backpropagation would have changed, along training.

    Every recorded step whose step before is recorded as well is one point: both start from the parameters before it
    and see its samples. Compared are the learned E <- E weights of the forward phase.

    Literature: Galloni et al. (2025); angles of updates as in Lillicrap et al. (2016).

    Args:
        network: that was trained.
        recording: of ``Recorder("parameters", interval=..., step_before=True)``.
        dataset: it was trained on.
        history: of the training, for the order of samples.
        whole_set: backpropagation sees all samples of the set instead of those of the step.
        constrain: its step is followed by bounds and constraints, as that of the rules is.
        signs, changed_only: see ``update_angles``.

    Returns:
        The steps (V,), and name -> (R, V), with ``all_params`` over all weights.

    Raises:
        UserError: no step was recorded together with the one before it.

    Example:
        >>> recorder = eiann.Recorder("parameters", interval=(0, -1, 500), step_before=True)  # doctest: +SKIP
        >>> history = eiann.train(network, data.train, [257], callbacks=[recorder])  # doctest: +SKIP
        >>> steps, angles = backprop_angles(network, recorder.recording, data.train, history)  # doctest: +SKIP
        >>> plots.angle_curves(steps, angles).savefig("angles.png")  # doctest: +SKIP
    """
    names = learned_excitatory_weights(network.configs[0])
    own = network.state_dict()
    at = {int(step): record for record, step in enumerate(recording.steps)}
    pairs = [(step, at[step - 1], record) for step, record in at.items() if step - 1 in at]
    if not pairs or not set(own) <= set(recording):
        raise UserError(
            "update angles: found no step that is recorded together with the one before; record with "
            'Recorder("parameters", interval=..., step_before=True)'
        )
    found: dict[str, list[Floats]] = {}
    for step, first, second in pairs:
        before, after = ({name: recording[name][:, record] for name in own} for record in (first, second))
        rows = history.sample_order[:, step * history.batch_size : (step + 1) * history.batch_size]
        if whole_set:
            rows = torch.arange(len(dataset)).expand(network.R, -1)
        wanted = backprop_step(network, before, dataset, rows, constrain=constrain)
        angles = update_angles(before, after, wanted, names, signs=signs, changed_only=changed_only)
        for name, values in angles.items():
            found.setdefault(name, []).append(values)
    steps = torch.tensor([step for step, _, _ in pairs])
    return steps, {name: np.stack(values, axis=1) for name, values in found.items()}


def feedback_angle_history(
    network: Network, recording: Recording, *, changes: bool = False
) -> tuple[Tensor, dict[str, Floats]]:
    """Angle between forward and feedback weights for every recorded set of parameters.

    Args:
        network: that was trained.
        recording: of ``Recorder("parameters")``.
        changes: compare what changed since the record before instead of the weights.

    Returns:
        The steps (V,), and name of the forward weight -> (R, V); empty if a layer has no feedback weights.
    """
    pairs = feedback_pairs(network.configs[0])
    names = [name for pair in pairs for name in pair]
    start = 1 if changes else 0
    found: dict[str, list[Floats]] = {}
    for record in range(start, len(recording.steps)):
        state = {name: recording[name][:, record] for name in names}
        before = {name: recording[name][:, record - 1] for name in names} if changes else None
        for name, values in feedback_angles(state, pairs, before=before).items():
            found.setdefault(name, []).append(values)
    return recording.steps[start:], {name: np.stack(values, axis=1) for name, values in found.items()}


def performance_history(
    network: Network, recording: Recording, dataset: Dataset, executor: str = "auto"
) -> tuple[Tensor, Tensor, Tensor]:
    """Loss and accuracy on a data set for every recorded set of parameters: the test history.

    Args:
        network: that was trained; it is not touched.
        recording: of ``Recorder("parameters")``.
        dataset: usually the test set.
        executor: see ``eiann.evaluate``.

    Returns:
        The steps (V,), loss (R, V), and accuracy (R, V) in percent.
    """
    from eiann.training.evaluation import evaluate

    twin = _twin(network, lambda config, _: config)
    results = []
    for record in range(len(recording.steps)):
        twin.load_state_dict(
            {name: recording[name][:, record].to(twin.device, twin.dtype) for name in twin.state_dict()}
        )
        results.append(evaluate(twin, dataset, executor))
    return (
        recording.steps,
        torch.stack([result.loss for result in results], dim=1),
        torch.stack([result.accuracy for result in results], dim=1),
    )


def activity_gradient(network: Network, population: str) -> Callable[[Tensor], Tensor]:
    """The gradient of each unit's activity with respect to the input, for ``activation_maximization``.

    It goes through the last ``backward_steps`` time steps of the forward phase, 3 where the network has none.

    Args:
        network: dense populations only.
        population: label such as ``H2.E``.

    Returns:
        A function from inputs (b, features) to gradients (b, R, units, features).

    Raises:
        UserError: an unknown population, a network with image populations.

    Example:
        >>> fields = activation_maximization(activity_gradient(network, "H1.E"), data.test.inputs)  # doctest: +SKIP
    """
    architecture = network.architecture
    labels = {p.label: p.index for p in architecture.populations}
    if population not in labels:
        raise UserError(f"activity gradient: found {population!r}; the populations are: {', '.join(labels)}")
    for p in architecture.populations:
        if p.index > 0 and (p.is_image or p.copies):
            raise UserError(f"activity gradient: found the image population {p.label}; dense populations are needed")
    index = labels[population]

    def gradient(inputs: Tensor) -> Tensor:
        x = inputs.flatten(1).to(network.device, network.dtype).expand(network.R, -1, -1).clone().requires_grad_()
        total = _forward(network, x)[index].sum(dim=(0, 1))
        rows = [torch.autograd.grad(unit, x, retain_graph=True)[0] for unit in total]
        return torch.stack(rows, dim=1).permute(2, 0, 1, 3)

    return gradient


def _forward(network: Network, x: Tensor) -> dict[int, Tensor]:
    """Activities (R, b, units) at the end of the forward phase, with a graph for autograd over the last steps."""
    architecture = network.architecture
    numbers = {
        p.index: torch.tensor([a.populations[p.index].activation_parameters for a in network.architectures])
        .to(network.dtype)
        .T.reshape(-1, network.R, 1, 1)
        for p in architecture.populations
    }
    phi = {
        p.index: (lambda z, p=p: p.activation.function(z, *numbers[p.index].to(z.device)))
        for p in architecture.populations
    }
    soma = {p.index: network.biases[p.index].unsqueeze(1).expand(-1, x.shape[1], -1) for p in architecture.populations}
    activity = {p.index: x if p.index == 0 else phi[p.index](soma[p.index]) for p in architecture.populations}
    first = architecture.forward_steps - (architecture.backward_steps or _BACKWARD_STEPS)
    for t in range(architecture.forward_steps):
        with torch.set_grad_enabled(t >= first):
            previous = dict(activity)
            for p in architecture.populations:
                if p.layer_index == 0:
                    continue
                change = network.biases[p.index].unsqueeze(1) - soma[p.index]
                for j in architecture.somatic(p.index, forward_only=True):
                    seen = (previous if j.recurrent else activity)[j.pre]
                    change = change + seen @ network.weights[j.index].transpose(1, 2)
                taus = torch.tensor([a.populations[p.index].tau for a in network.architectures], dtype=network.dtype)
                soma[p.index] = soma[p.index] + change / taus.to(x.device).reshape(-1, 1, 1)
                activity[p.index] = phi[p.index](soma[p.index])
                mask = network.size_mask(p)
                if mask is not None:
                    activity[p.index] = activity[p.index] * mask
    return activity


def _twin(network: Network, change: Callable[[NetworkConfig, Architecture], NetworkConfig]) -> Network:
    """A second network of the same structure and masks, with changed configurations."""
    from eiann.network.network import Network as Replicas

    known: dict[int, NetworkConfig] = {}
    for config, architecture in zip(network.configs, network.architectures, strict=True):
        if id(config) not in known:
            known[id(config)] = change(config, architecture)
    twin = Replicas([known[id(c)] for c in network.configs], network.seeds, network.dtype, network.device)
    for index, mask in network.masks.items():
        if index in twin.masks:
            twin.masks[index].copy_(mask)
    return twin


def _backprop_config(config: NetworkConfig, architecture: Architecture, *, constrain: bool) -> NetworkConfig:
    """A copy of the configuration in which all that learns in projections learns by Backprop."""
    raw: dict[str, Any] = config.to_dict()
    for j in architecture.projections:
        post, pre = architecture.populations[j.post], architecture.populations[j.pre]
        section = raw["projection_config"][post.layer][post.name][pre.layer][pre.name]
        if j.rule is not None:
            section["learning_rule"] = "Backprop"
            section["learning_rule_kwargs"] = {"learning_rate": j.learning_rate}
        if not constrain:
            for key in ("weight_bounds", "weight_constraint", "weight_constraint_kwargs", "weight_init",
                        "weight_init_args"):  # fmt: skip
                section.pop(key, None)
    for p in architecture.populations:
        section = raw["layer_config"][p.layer][p.name]
        if p.bias_rule is not None and p.bias_rule.backward is None:
            section.update(bias_learning_rule=None, bias_learning_rule_kwargs={}, include_bias=True)
        if not constrain:
            section.pop("bias_bounds", None)
    training = raw.setdefault("training_kwargs", {})
    training["backward_steps"] = architecture.backward_steps or _BACKWARD_STEPS
    if architecture.optimizer is None:
        training.update(optimizer="SGD", optimizer_kwargs={})
    return NetworkConfig.from_dict(raw)
