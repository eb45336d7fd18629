"""Build a network in Python, step by step; every step has typed arguments.

Whatever is built can be written as a file, and a mistake is the same one line as in a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, Self, TypedDict

from pydantic_core import PydanticCustomError
from typing_extensions import Unpack

from eiann.config.clauses import Call, Clause, Value
from eiann.config.compact.document import Document, Line
from eiann.config.compact.expanding import nested_from_document
from eiann.config.places import Origins, Place
from eiann.config.values import as_plain
from eiann.config.yaml_source import Plain

if TYPE_CHECKING:
    from eiann.config.schema import NetworkConfig

CellType = Literal["Exc", "Inh"]
Phase = Literal["forward", "backward", "all"]
Order = Literal["by_layer", "as_written"]
_CELLS: Mapping[CellType, str] = {"Exc": "excitatory", "Inh": "inhibitory"}
_BOUNDS: Mapping[CellType, list[Plain]] = {"Exc": [0, None], "Inh": [None, 0]}


class Image(TypedDict, total=False):
    """Settings of populations that hold images; see ``PopulationConfig``."""

    type: Literal["Conv2D", "MaxPool2D", "Flatten"]
    channels: int
    kernel_size: int
    image_dim: int
    image_source: str
    source: str


class Convolution(TypedDict, total=False):
    """Settings of convolutions; see ``ProjectionConfig``."""

    kernel_size: int
    stride: int
    padding: int
    dilation: int
    groups: int
    padding_mode: str


class Training(TypedDict, total=False):
    """Settings of dynamics and training; see ``TrainingConfig``."""

    learning_rate: float
    tau: float
    forward_steps: int
    backward_steps: int
    device: str
    verbose: bool


class _Steps:
    """Collects clauses at a place."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._clauses: list[Clause] = []

    def say(self, word: str, value: object) -> Self:
        """Any word of the compact form with its value."""
        place = self._place.child(word)
        if isinstance(value, Call):
            arguments = tuple(_plain(item, place) for item in value.args)
            found: Value = Call(value.name, arguments, {key: _plain(item, place) for key, item in value.kwargs.items()})
        else:
            found = _plain(value, place)
        self._clauses.append(Clause(word, found, place))
        return self

    def line(self, key: str) -> Line:
        """All that was said, as one line of a file."""
        return Line(key, tuple(self._clauses), self._place)


def _plain(value: object, place: Place) -> Plain:
    try:
        return as_plain(value)
    except PydanticCustomError as error:
        raise place.error(str((error.context or {})["message"])) from None


def _call(name: str, args: tuple[object, ...], kwargs: Mapping[str, object]) -> Call:
    return Call(name, args, kwargs)  # type: ignore[arg-type]  # made plain, or refused, by say


class PopulationBuilder(_Steps):
    """A population; its steps return itself."""

    def type(self, cell: CellType, init_scale: float = 1) -> Self:
        """Excitatory or inhibitory: gives outgoing weights their sign and the scale of ``half_kaiming``."""
        return self.say(_CELLS[cell], True).say("outgoing_scale", init_scale)

    def activation(self, name: str, **parameters: float) -> Self:
        """Activation function."""
        return self.say("activation", _call(name, (), parameters))

    def tau(self, steps: float) -> Self:
        """Time constant in steps of the dynamics."""
        return self.say("tau", steps)

    def bias(self, rule: str | None = None, **parameters: object) -> Self:
        """A bias with this learning rule, or a constant one."""
        return self.say("bias", "constant" if rule is None else _call(rule, (), parameters))

    def bias_init(self, name: str, *arguments: float) -> Self:
        """Initializer of the bias."""
        return self.say("bias_init", _call(name, arguments, {}))

    def bias_bounds(self, low: float | None, high: float | None) -> Self:
        """Limits of the bias; None for an open side."""
        return self.say("bias_bounds", [low, high])

    def image(self, **settings: Unpack[Image]) -> Self:
        """Make it a population that holds images."""
        for word, value in settings.items():
            self.say(word, value)
        return self


class ProjectionBuilder(_Steps):
    """One or several projections; its steps return itself."""

    def type(self, cell: CellType, init_scale: float = 1) -> Self:
        """Excitatory or inhibitory, whatever the presynaptic population says: sign and ``half_kaiming(init_scale)``."""
        return self.say("bounds", _BOUNDS[cell]).say("init", _call("half_kaiming", (init_scale,), {}))

    def rule(self, name: str, **parameters: object) -> Self:
        """Learning rule."""
        return self.say("rule", _call(name, (), parameters))

    def fixed(self) -> Self:
        """No learning, which is also the default."""
        return self.say("fixed", True)

    def init(self, name: str, *arguments: float, **parameters: object) -> Self:
        """Initializer of the weights with its numbers (a clone: with named parameters)."""
        return self.say("init", _call(name, arguments, parameters))

    def constraint(self, name: str, **parameters: object) -> Self:
        """Constraint applied after every update."""
        return self.say("constraint", _call(name, (), parameters))

    def bounds(self, low: float | None, high: float | None) -> Self:
        """Limits of the weights; None for an open side."""
        return self.say("bounds", [low, high])

    def direction(self, direction: Literal["forward", "recurrent"]) -> Self:
        """Which activity is sent, the present or the previous one."""
        return self.say("direction", direction)

    def phase(self, phase: Phase) -> Self:
        """In which phase the projection is used."""
        return self.say("phase", phase)

    def dend(self) -> Self:
        """It ends on the dendrite."""
        return self.say("dend", True)

    def soma(self) -> Self:
        """It ends on the soma, which is also the default."""
        return self.say("soma", True)

    def convolution(self, **settings: Unpack[Convolution]) -> Self:
        """Settings of a convolution."""
        for word, value in settings.items():
            self.say(word, value)
        return self


class NetworkBuilder:
    """Builds a ``NetworkConfig``.

    Args:
        order: order of projections, which fixes random draws and updates: along the layers, or as connected.

    Example:
        >>> builder = NetworkBuilder()
        >>> _ = builder.population("Input.E", 2).type("Exc")
        >>> _ = builder.population("H1.E", 64).type("Exc").activation("relu").bias("BackpropBias", learning_rate=0.1)
        >>> _ = builder.population("Output.E", 4).activation("relu")
        >>> _ = builder.connect("E <- below.E").rule("Backprop", learning_rate=0.1)
        >>> config = builder.training(learning_rate=0.1).optimizer("SGD", momentum=0.9).build()
        >>> config.projection_config["H1"]["E"]["Input"]["E"].weight_bounds
        (0.0, None)
    """

    def __init__(self, order: Order = "by_layer") -> None:
        self._order = order
        self._populations: dict[tuple[str, str], PopulationBuilder] = {}
        self._projections: list[tuple[str, ProjectionBuilder]] = []
        self._training = _Steps(Place(None, ("training",)))

    def population(self, name: str, size: int | None = None) -> PopulationBuilder:
        """Add a population, ``Layer.Population``; layers are in the order of their first population.

        Args:
            name: where and what, such as ``"H1.E"``.
            size: number of units; None for image populations.

        Raises:
            ConfigError: the name is not of that kind, or is there already.
        """
        layer, dot, population = name.partition(".")
        place = Place(None, ("layers", layer, population))
        if not dot or not layer or not population:
            raise place.error(f"found {name!r}; 'Layer.Population' would be right")
        if (layer, population) in self._populations:
            raise place.error(f"there is a population {name!r} already")
        builder = self._populations[layer, population] = PopulationBuilder(place)
        return builder if size is None else builder.say("size", size)

    def connect(self, where: str) -> ProjectionBuilder:
        """Add projections by name or pattern: ``"H1.E <- Input.E"``, ``"E <- below.E"`` (docs/network_format.md)."""
        builder = ProjectionBuilder(Place(None, ("projections", where)))
        self._projections.append((where, builder))
        return builder

    def training(self, **settings: Unpack[Training]) -> Self:
        """Settings of dynamics and training."""
        for word, value in settings.items():
            self._training.say(word, value)
        return self

    def optimizer(self, name: str, **parameters: object) -> Self:
        """Optimizer of the gradient rules."""
        self._training.say("optimizer", _call(name, (), parameters))
        return self

    def criterion(self, name: str, **parameters: object) -> Self:
        """Loss function."""
        self._training.say("criterion", _call(name, (), parameters))
        return self

    def build(self) -> NetworkConfig:
        """The configuration of all that was said.

        Raises:
            ConfigError: one line, as for a file.
        """
        from eiann.config.reading import finished
        from eiann.config.schema import NetworkConfig

        document = Document(order=self._order)
        for (layer, name), population in self._populations.items():
            document.layers.setdefault(layer, {})[name] = [population.line(name)]
            document.places.setdefault(layer, Place(None, ("layers", layer)))
        document.projections = [builder.line(where) for where, builder in self._projections]
        document.training = [self._training.line("training")]
        nested, places = nested_from_document(document, Place())
        return finished(nested, Origins(places), NetworkConfig)
