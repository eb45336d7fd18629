"""Where a parameter goes: one value, or by a selector many values, of a network configuration.

What a parameter sets is written ``WHERE: KEY`` or ``WHERE: KEY = FORMULA``, in the words of network files::

    H1.E: size
    H1.E <- Input.E: init[0]
    hidden.E <- below.E: rule.learning_rate
    DendI <- E: constraint.scale = value * sqrt(size(pre)) / 2
    training: learning_rate

In a formula ``value`` is the parameter itself, ``size(post)`` and ``size(pre)`` are the sizes of the populations on
both sides of the arrow. ``eiann.config.select`` finds what a selector means.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from eiann.config import NetworkConfig
from eiann.config.select import select
from eiann.errors import ConfigError, KeyPath, format_key_path
from optimize.space.formula import OWN_VALUE, Formula

_SET: Final = re.compile(r"^(?P<selector>[^:=]+:(?P<key>[^=]+))(?:=(?P<formula>.+))?$", re.DOTALL)
_WRITE: Final = "write 'H1.E: size', 'H1.E <- Input.E: rule.learning_rate' or 'training: learning_rate'"
_PATTERN: Final = re.compile(r"<(post|pre|layer)>")


@dataclass(frozen=True)
class Target:
    """One value in a network configuration.

    Attributes:
        path: keys from the top of the nested form, e.g. ``("layer_config", "H1", "E", "size")``.
        post: population or postsynaptic population, e.g. ``H1.E``; empty for training settings.
        pre: presynaptic population of a projection, else empty.
        key: keys inside of it, e.g. ``("size",)``.

    Example:
        >>> target = Target.at(("projection_config", "H1", "E", "Input", "E", "weight_init_args", 0))
        >>> str(target), target.pre
        ('H1.E <- Input.E: weight_init_args[0]', 'Input.E')
    """

    path: KeyPath
    post: str
    pre: str
    key: KeyPath

    @classmethod
    def at(cls, path: KeyPath) -> Target:
        """The target at this path of the nested form."""
        section, *keys = path
        parts = [str(key) for key in keys[:4]]
        if section == "projection_config":
            return cls(path, ".".join(parts[:2]), ".".join(parts[2:]), tuple(keys[4:]))
        if section == "layer_config":
            return cls(path, ".".join(parts[:2]), "", tuple(keys[2:]))
        return cls(path, "", "", tuple(keys))

    def __str__(self) -> str:
        where = f"{self.post} <- {self.pre}" if self.pre else self.post or "training"
        return f"{where}: {format_key_path(self.key)}"

    @property
    def is_size(self) -> bool:
        """Whether this is the number of units (or channels) of a population, which formulas may ask for."""
        return self.path[0] == "layer_config" and self.key in (("size",), ("channels",))


@dataclass(frozen=True)
class Setting:
    """One ``WHERE: KEY = FORMULA`` as written; ``formula`` is ``value`` where none is.

    Example:
        >>> Setting.parse("training: learning_rate")
        Setting(selector='training: learning_rate', key='learning_rate', formula='value')
    """

    selector: str
    key: str
    formula: str

    @classmethod
    def parse(cls, text: str) -> Setting:
        """Read one; ``ConfigError`` shows how it is written."""
        match = _SET.match(text.strip())
        if match is None:
            raise ConfigError(f"found {text!r}; {_WRITE}")
        return cls(match["selector"].strip(), match["key"].strip(), (match["formula"] or OWN_VALUE).strip())

    def targets(self, network: NetworkConfig) -> list[Target]:
        """What the selector stands for in this network, in the order of the network."""
        return [Target.at(tuple(path)) for path in select(network, self.selector)]


@dataclass(frozen=True)
class Assignment:
    """A target and the formula of its value, both concrete.

    Attributes:
        parameter: what ``value`` is.
        entry: the entry of the file that this comes from: the same, or a name pattern.
        target: what is set.
        formula: over parameters; ``value`` is written out.
    """

    parameter: str
    entry: str
    target: Target
    formula: Formula

    def __str__(self) -> str:
        return f"{self.target} = {self.formula.text}"


@dataclass(frozen=True)
class Naming:
    """How parameter names with ``<post>``, ``<pre>`` and ``<layer>`` become concrete.

    Attributes:
        names: by place (``Output.SomaI``) or by population (``SomaI``, behind the layer); else ``Layer_Population``.

    Example:
        >>> target = Target.at(("projection_config", "H1", "SomaI", "Input", "E", "weight_init_args", 0))
        >>> Naming({"SomaI": "I"}).fill("<post>_<pre>_scale", target)
        'H1_I_Input_E_scale'
    """

    names: Mapping[str, str]

    @staticmethod
    def is_pattern(name: str) -> bool:
        """Whether a parameter name stands for one parameter for each match."""
        return _PATTERN.search(name) is not None

    def fill(self, text: str, target: Target) -> str:
        """Put the names of the target's populations into a name or formula."""
        places = {"post": self._name(target.post), "pre": self._name(target.pre), "layer": target.post.split(".")[0]}
        for word in _PATTERN.findall(text):
            if not places[word]:
                raise ConfigError(f"found <{word}> in {text!r}, but '{target}' has none")
        return _PATTERN.sub(lambda match: places[match[1]], text)

    def assign(self, name: str, setting: Setting, target: Target) -> Assignment:
        """The concrete assignment of one target."""
        parameter = self.fill(name, target)
        formula = Formula.bind(self.fill(setting.formula, target), parameter, target.post, target.pre)
        return Assignment(parameter, name, target, formula)

    def _name(self, place: str) -> str:
        layer, _, population = place.partition(".")
        return self.names.get(place) or (f"{layer}_{self.names.get(population, population)}" if place else "")
