"""Initial weights and biases: each fills a tensor in place from an explicit generator.

A replica's tensors are drawn at its own size, in its own order, from its own generator, so a replica starts from the
same numbers alone and in a batch. The orders are those of the reference model (one stream per network, see
``eiann.network.construction``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from torch import Generator, Tensor, nn

from eiann.errors import ConfigError
from eiann.registry import Registry

Bounds = tuple[float | None, float | None]
#: ``initialize(tensor, arguments, fan_in, bounds, generator)``
Initializer = Callable[[Tensor, Sequence[float], int, Bounds, Generator], None]

INITIALIZERS: Registry[Initializer] = Registry("initializer")


def register(name: str) -> Callable[[Initializer], Initializer]:
    """Decorator that makes an initializer available to configurations (docs/extending.md)."""
    return INITIALIZERS.register(name)


def default_weights(tensor: Tensor, generator: Generator) -> None:
    """U(-1/sqrt(fan_in), 1/sqrt(fan_in)) as a bias-free ``nn.Linear`` or ``nn.Conv2d`` fills its weight.

    He et al. 2015, "Delving deep into rectifiers", with PyTorch's leak of sqrt(5).
    """
    nn.init.kaiming_uniform_(tensor, a=math.sqrt(5), generator=generator)


def _scale(arguments: Sequence[float], name: str) -> float:
    if len(arguments) > 1:
        raise ConfigError(f"found {len(arguments)} arguments; {name} takes one, the scale")
    return float(arguments[0]) if arguments else 1.0


@INITIALIZERS.register("half_kaiming")
def half_kaiming(tensor: Tensor, arguments: Sequence[float], fan_in: int, bounds: Bounds, generator: Generator) -> None:
    """Uniform between zero (the near bound) and scale / sqrt(fan_in), on the side that the bounds allow."""
    scale = _scale(arguments, "half_kaiming")
    low, high = bounds
    if low is not None and low >= 0:
        tensor.uniform_(low, scale / math.sqrt(fan_in), generator=generator)
    elif high is not None and high <= 0:
        tensor.uniform_(-scale / math.sqrt(fan_in), high, generator=generator)
    else:
        raise ConfigError(
            f"found half_kaiming with weight_bounds {list(bounds)}; it needs a lower bound >= 0 (excitatory) "
            "or an upper bound <= 0 (inhibitory)"
        )


@INITIALIZERS.register("scaled_kaiming")
def scaled_kaiming(
    tensor: Tensor, arguments: Sequence[float], fan_in: int, bounds: Bounds, generator: Generator
) -> None:
    """Uniform in +- scale / sqrt(fan_in)."""
    limit = _scale(arguments, "scaled_kaiming") / math.sqrt(fan_in)
    tensor.uniform_(-limit, limit, generator=generator)


def _distribution(name: str, arguments_at_most: int) -> None:
    def fill(tensor: Tensor, arguments: Sequence[float], fan_in: int, bounds: Bounds, generator: Generator) -> None:
        if len(arguments) > arguments_at_most:
            raise ConfigError(f"found {len(arguments)} arguments; {name} takes at most {arguments_at_most}")
        getattr(tensor, name)(*arguments, generator=generator)

    INITIALIZERS.register(name)(fill)


for _name, _count in {"uniform_": 2, "normal_": 2, "exponential_": 1, "log_normal_": 2, "cauchy_": 2}.items():
    _distribution(_name, _count)


@INITIALIZERS.register("fill_")
def fill_(tensor: Tensor, arguments: Sequence[float], fan_in: int, bounds: Bounds, generator: Generator) -> None:
    """One value everywhere; draws nothing."""
    if len(arguments) != 1:
        raise ConfigError(f"found {len(arguments)} arguments; fill_ takes one, the value")
    tensor.fill_(arguments[0])


@INITIALIZERS.register("zero_", "zeros_")
def zero_(tensor: Tensor, arguments: Sequence[float], fan_in: int, bounds: Bounds, generator: Generator) -> None:
    """Zero everywhere; draws nothing."""
    if arguments:
        raise ConfigError(f"found {len(arguments)} arguments; zero_ takes none")
    tensor.zero_()


@INITIALIZERS.register("ones_")
def ones_(tensor: Tensor, arguments: Sequence[float], fan_in: int, bounds: Bounds, generator: Generator) -> None:
    """One everywhere; draws nothing."""
    if arguments:
        raise ConfigError(f"found {len(arguments)} arguments; ones_ takes none")
    tensor.fill_(1.0)


def initialize_bias(
    tensor: Tensor, name: str | None, arguments: Sequence[float], fan_in: int, generator: Generator
) -> None:
    """Bias of one population; ``fan_in`` is the sum over all its incoming projections.

    Without a name or with ``scaled_kaiming``: uniform in +- scale / sqrt(fan_in), and zeros without any input (the draw
    is made all the same, so that what follows does not depend on it).
    """
    if name in (None, "scaled_kaiming"):
        limit = 0.0 if fan_in == 0 else _scale(arguments, "scaled_kaiming") / math.sqrt(fan_in)
        tensor.uniform_(-limit, limit, generator=generator)
        return
    if name == "half_kaiming":
        raise ConfigError("found half_kaiming; a bias takes scaled_kaiming or a plain initializer such as uniform_")
    INITIALIZERS.find(str(name))(tensor, arguments, max(fan_in, 1), (None, None), generator)
