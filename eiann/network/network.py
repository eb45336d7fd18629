"""A batch of replicas: networks that share an architecture, each with its own seed and its own numbers."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from eiann.config import NetworkConfig
from eiann.errors import ConfigError, UserError
from eiann.executors.torch.machine import TorchMachine
from eiann.network.architecture import Architecture, Population
from eiann.network.construction import Draws, check_memory, draw
from eiann.network.resolve import resolve
from eiann.program.builder import NumberSource, ProgramBuilder
from eiann.program.compile import Program, compile_constraints, emit_bounds, emit_clone, emit_constraint
from eiann.program.ops import Op


class Network:
    """R replicas of one architecture, with parameters of shape (R, ...).

    Args:
        configs: one configuration for all replicas, or one for each. They share the structure; sizes, rates, scales,
            bounds and other numbers may differ. Where sizes differ, parameters are padded with zeros to the largest.
        seeds: one seed per replica; it fixes that replica's initial parameters whatever the others are.
        dtype: float32 or float64.
        device: where parameters live, ``cpu`` or ``cuda``; None for what the (first) configuration says. Initial values
            are drawn on the CPU.

    Attributes:
        weights: by projection, (R, post, pre).
        biases: by population, (R, units).
        masks: by projection with a receptive-field mask, (R, post, pre).
        states: what rules and optimizers keep between samples, by name.
        generators: one per replica; construction and rules that draw units use it.

    Raises:
        ConfigError: a configuration that could not be trained.
        UserError: configurations of different structure, a device that is absent, another dtype, no seed or no number.

    Example:
        >>> from eiann.config import NetworkConfig
        >>> config = NetworkConfig.from_dict({
        ...     "layer_config": {"Input": {"E": {"size": 2}}, "Output": {"E": {"size": 3, "activation": "relu"}}},
        ...     "projection_config": {"Output": {"E": {"Input": {"E": {"learning_rule": None}}}}},
        ... })
        >>> Network(config, seeds=[1, 2]).state_dict()["module_dict.OutputE_InputE.weight"].shape
        torch.Size([2, 3, 2])
    """

    def __init__(
        self,
        configs: NetworkConfig | Sequence[NetworkConfig],
        seeds: Sequence[int],
        dtype: torch.dtype = torch.float32,
        device: str | torch.device | None = None,
    ) -> None:
        self.seeds = checked_seeds(seeds, "seeds")
        if not self.seeds:
            raise UserError("found no seed; give one seed per replica")
        self.configs = tuple([configs] * len(self.seeds) if isinstance(configs, NetworkConfig) else configs)
        if len(self.configs) != len(self.seeds):
            raise UserError(
                f"found {len(self.configs)} configurations and {len(self.seeds)} seeds; give one of each per replica"
            )
        if dtype not in (torch.float32, torch.float64):
            raise UserError(f"dtype: found {dtype}; use torch.float32 or torch.float64")
        self.dtype = dtype
        self.device = checked_device(self.configs[0].training_kwargs.device if device is None else device)
        self.architectures = _resolve_all(self.configs)
        check_memory(self.architectures, dtype)
        self.generators = [torch.Generator().manual_seed(seed) for seed in self.seeds]
        self.weights: dict[int, Tensor] = {}
        self.biases: dict[int, Tensor] = {}
        self.masks: dict[int, Tensor] = {}
        self.states: dict[str, Tensor] = {}
        self._build()

    @classmethod
    def from_yaml(
        cls,
        path: str | Path,
        seeds: Sequence[int],
        dtype: torch.dtype = torch.float32,
        device: str | torch.device | None = None,
    ) -> Network:
        """Replicas of the network in a file."""
        return cls(NetworkConfig.from_yaml(path), seeds, dtype, device)

    # ------------------------------------------------------------------------------------------------------ what it is

    @property
    def R(self) -> int:
        """Number of replicas."""
        return len(self.seeds)

    @property
    def architecture(self) -> Architecture:
        """The structure that all replicas share, with the numbers of the first."""
        return self.architectures[0]

    def units(self, population: int) -> tuple[int, ...]:
        """Units of a population in each replica."""
        return tuple(a.populations[population].units for a in self.architectures)

    @property
    def is_ragged(self) -> bool:
        """Whether replicas differ in the size of a population."""
        return any(len(set(self.units(p.index))) > 1 for p in self.architecture.populations)

    def width(self, population: int) -> int:
        """Units of the largest replica: the padded length of the population's values."""
        return max(self.units(population))

    def number(self, source: NumberSource) -> list[float]:
        """A number of each replica."""
        known: dict[int, float] = {}
        for architecture in self.architectures:
            if id(architecture) not in known:
                known[id(architecture)] = source.read(architecture)
        return [known[id(architecture)] for architecture in self.architectures]

    def describe(self) -> str:
        """One line: populations with their sizes, number of weights, number of replicas."""
        sizes = ", ".join(f"{p.label} {p.units}" for p in self.architecture.populations)
        weights = sum(weight[0].numel() for weight in self.weights.values())
        return f"{sizes}; {weights} weights; {self.R} replica(s)"

    # ---------------------------------------------------------------------------------------------------- construction

    def _build(self) -> None:
        if self.is_ragged:
            self._build_by_size()
            return
        architecture = self.architecture
        # One replica after the other: all that is drawn beside all that it is copied into would be twice the memory.
        for replica in range(self.R):
            drawn = self._draw(replica)
            kinds = (self.weights, drawn.weights), (self.biases, drawn.biases), (self.masks, drawn.masks)
            for batch, parts in kinds:
                for index, part in parts.items():
                    if replica == 0:
                        batch[index] = torch.zeros(self.R, *part.shape, dtype=self.dtype)
                    batch[index][replica] = part
        for batch in (self.weights, self.biases, self.masks):
            batch.update({index: tensor.to(self.device) for index, tensor in batch.items()})
        self._apply(compile_constraints(architecture))
        for j in architecture.projections:
            if j.initial_clone is not None:
                builder = ProgramBuilder(architecture)
                inputs = builder.new(0)
                emit_clone(builder, j, j.initial_clone, "initial_clone")
                emit_bounds(builder, j)
                if j.constraint is not None:
                    emit_constraint(builder, j, j.constraint)
                operations: tuple[Op, ...] = tuple(builder.operations)
                self._apply(
                    Program(
                        architecture,
                        operations,
                        tuple(builder.values),
                        tuple(builder.numbers),
                        inputs,
                        None,
                        inputs,
                        {},
                    )
                )

    def _draw(self, replica: int) -> Draws:
        try:
            return draw(self.architectures[replica], self.generators[replica], self.dtype)
        except ConfigError as error:
            raise self.configs[replica].placed(error) from error

    def _build_by_size(self) -> None:
        """Replicas of one size are built together: padding would change the rounding of what constraints sum up."""
        sizes = [tuple(p.units for p in a.populations) for a in self.architectures]
        parts: list[Draws | None] = [None] * self.R
        for size in dict.fromkeys(sizes):
            members = [replica for replica in range(self.R) if sizes[replica] == size]
            group = Network([self.configs[r] for r in members], [self.seeds[r] for r in members], self.dtype, "cpu")
            for row, replica in enumerate(members):
                kinds = (group.weights, group.biases, group.masks)
                parts[replica] = Draws(*({index: tensor[row] for index, tensor in kind.items()} for kind in kinds))
                self.generators[replica] = group.generators[row]
        built = [part for part in parts if part is not None]
        self.weights = {index: self._stack([d.weights[index] for d in built]) for index in built[0].weights}
        self.biases = {index: self._stack([d.biases[index] for d in built]) for index in built[0].biases}
        self.masks = {index: self._stack([d.masks[index] for d in built]) for index in built[0].masks}

    def _stack(self, parts: Sequence[Tensor]) -> Tensor:
        shape = [max(part.shape[axis] for part in parts) for axis in range(parts[0].ndim)]
        stacked = torch.zeros(len(parts), *shape, dtype=self.dtype)
        for row, part in zip(stacked, parts, strict=True):
            row[tuple(slice(0, n) for n in part.shape)] = part
        return stacked.to(self.device)

    def _apply(self, program: Program) -> None:
        TorchMachine(self, program).execute()

    # ---------------------------------------------------------------------------------------------------------- states

    def state(self, name: str) -> Tensor:
        """The persistent vector of that name (``bias:2``, ``theta:4``), (R, units); made at first use."""
        kind, _, index = name.partition(":")
        population = int(index)
        if kind == "bias":
            return self.biases[population]
        if name not in self.states:
            values = torch.zeros(self.R, self.width(population), dtype=self.dtype)
            if kind == "theta":
                thresholds = [_initial_threshold(a, population) for a in self.architectures]
                values += torch.tensor(thresholds, dtype=self.dtype).unsqueeze(1)
            self.states[name] = values.to(self.device)
        return self.states[name]

    def reset_traces(self) -> None:
        """Forget past activity and plateaus: every training call begins without them."""
        for name, values in self.states.items():
            if name.startswith("past_"):
                values.zero_()

    def state_dict(self) -> dict[str, Tensor]:
        """Weights (R, post, pre) and biases (R, units) by the names of the reference model."""
        named = {p.parameter_name: self.biases[p.index] for p in self.architecture.populations if p.index > 0}
        named.update({j.parameter_name: self.weights[j.index] for j in self.architecture.projections})
        return named

    def load_state_dict(self, values: Mapping[str, Tensor]) -> None:
        """Overwrite parameters by name; every parameter must be there with its shape."""
        own = self.state_dict()
        for name in [*own, *values]:
            if name not in values or name not in own:
                raise UserError(
                    f"found a saved state {'with' if name in values else 'without'} {name}; it is of another network"
                )
            if own[name].shape != values[name].shape:
                raise UserError(
                    f"{name}: found the shape {tuple(values[name].shape)}; this network has {tuple(own[name].shape)}"
                )
        for name, value in values.items():
            own[name].copy_(value)

    def size_mask(self, population: Population) -> Tensor | None:
        """1 at the units that a replica has and 0 at padded ones, (R, 1, units); None where nothing is padded."""
        units = self.units(population.index)
        if len(set(units)) == 1:
            return None
        positions = torch.arange(max(units), device=self.device)
        counts = torch.tensor(units, device=self.device).unsqueeze(1)
        return (positions < counts).to(self.dtype).unsqueeze(1)


def checked_seeds(seeds: Sequence[int], what: str) -> tuple[int, ...]:
    """Seeds of generators, which are whole numbers of 64 bits.

    Raises:
        UserError: one is not.
    """
    if not isinstance(seeds, Iterable):
        raise UserError(f"{what}: found {seeds!r}; a list of whole numbers is needed, one per replica")
    found = []
    for seed in seeds:
        try:
            number = operator.index(seed)
        except TypeError:
            raise UserError(f"{what}: found {seed!r}; whole numbers are needed") from None
        if not -(2**63) <= number < 2**64:
            raise UserError(f"{what}: found {seed}; whole numbers from -2**63 to 2**64 - 1 are needed")
        found.append(number)
    return tuple(found)


def checked_device(device: str | torch.device) -> torch.device:
    """The device, if this machine has it."""
    try:
        wanted = torch.device(device)
    except RuntimeError as error:
        raise UserError(f"device: found {str(device)!r}; use cpu, cuda or cuda:N") from error
    if wanted.type == "cuda" and not torch.cuda.is_available():
        raise UserError(f"device: found {str(device)!r}; this machine has no CUDA device, use cpu")
    if wanted.type == "cuda" and (wanted.index or 0) >= torch.cuda.device_count():
        raise UserError(
            f"device: found {str(device)!r}; this machine has cuda:0 to cuda:{torch.cuda.device_count() - 1}"
        )
    if wanted.type not in ("cpu", "cuda"):
        raise UserError(f"device: found {str(device)!r}; use cpu, cuda or cuda:N")
    return wanted


def _resolve_all(configs: Sequence[NetworkConfig]) -> tuple[Architecture, ...]:
    known: dict[int, Architecture] = {}
    for config in configs:
        if id(config) not in known:
            known[id(config)] = resolve(config)
    architectures = tuple(known[id(config)] for config in configs)
    for replica, architecture in enumerate(architectures):
        if architecture.structure != architectures[0].structure:
            raise UserError(
                f"replica {replica} differs from replica 0 in more than numbers; "
                "replicas of a batch share populations, projections and rules"
            )
    return architectures


def _initial_threshold(architecture: Architecture, population: int) -> float:
    """The sliding threshold starts at k of the last projection that has one."""
    values = [
        float(j.rule.k)
        for j in architecture.projections
        if j.post == population and hasattr(j.rule, "k") and j.rule is not None
    ]
    return values[-1] if values else 0.0
