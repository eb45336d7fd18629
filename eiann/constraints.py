"""Constraints on the weights of a projection, applied after every training step: declarations.

What each does to a weight of shape (post, pre) stands in its docstring; the executors hold the arithmetic
(``eiann.program.ops``). Clones are applied after all others, in the order of the projections.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from eiann.errors import ConfigError
from eiann.registry import Registry
from eiann.validation import Finite, parse_declaration

if TYPE_CHECKING:
    from eiann.program.kernel import ConstraintKernel


class Constraint(BaseModel):
    """Base of all constraints: a frozen declaration of numbers; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: ClassVar[str]

    def apply(self, kernel: ConstraintKernel) -> None:
        """Describe what a constraint of one's own does; those of this file are operations that executors know."""
        raise NotImplementedError(f"the constraint {type(self).__name__} does not say what it does: define apply")


CONSTRAINTS: Registry[type[Constraint]] = Registry("weight constraint")

ConstraintType = TypeVar("ConstraintType", bound=type[Constraint])


def register(constraint: ConstraintType) -> ConstraintType:
    """Decorator that makes a constraint available to configurations under its ``name`` (docs/extending.md)."""
    CONSTRAINTS.register(constraint.name)(constraint)
    return constraint


@CONSTRAINTS.register("no_autapses")
class NoAutapses(Constraint):
    """No unit projects to itself: the diagonal is zero where pre and post are the same population."""

    name: ClassVar[str] = "no_autapses"


@CONSTRAINTS.register("normalize_weight")
class NormalizeWeight(Constraint):
    """Each unit's incoming weights sum to ``scale`` in absolute value; rows of zeros stay zero.

    W_ik := scale * W_ik / sum_k |W_ik|. Signs survive. Unless ``autapses``, the diagonal of a projection of a
    population to itself is set to zero first.
    """

    name: ClassVar[str] = "normalize_weight"
    scale: Finite
    autapses: bool = False
    axis: int = 1


@CONSTRAINTS.register("clone_weight")
class CloneWeight(Constraint):
    """Feedback weights that follow others: W := sign * scale * W_source (* W_source2 elementwise), transposed if asked.

    ``source`` names a projection, ``'Output.E.H2.E'`` (post, then pre) or ``'OutputE_H2E'``. A clone of a clone that
    comes later in the order copies the value of the step before.
    """

    name: ClassVar[str] = "clone_weight"
    source: str
    sign: Finite = 1.0
    scale: Finite = 1.0
    source2: str | None = None
    transpose: bool = False

    @property
    def factor(self) -> float:
        """What the source is multiplied by."""
        return self.scale * self.sign


@CONSTRAINTS.register("receptive_field_mask")
class ReceptiveFieldMask(Constraint):
    """Each unit sees a square window of the input image, at a place drawn once at construction.

    ``receptive_field_size`` is the edge in pixels; ``image_dims`` is (rows, columns) or (channels, rows, columns),
    the window being the same in all channels. With ``apply_weight_norm``, ``normalize_weight`` with the other
    parameters follows.
    """

    name: ClassVar[str] = "receptive_field_mask"
    receptive_field_size: Annotated[int, Field(gt=0)]
    image_dims: tuple[int, ...] = (28, 28)
    apply_weight_norm: bool = False
    scale: Finite | None = None
    autapses: bool = False
    axis: int = 1

    @property
    def field_fan_in(self) -> int:
        """Number of inputs that one unit sees."""
        channels = self.image_dims[0] if len(self.image_dims) == 3 else 1
        return self.receptive_field_size**2 * channels


def parse_constraint(name: str, kwargs: Mapping[str, Any]) -> Constraint:
    """The constraint of that name with its parameters.

    Raises:
        ConfigError: unknown name or parameter, or a parameter out of range; the key path is relative to the projection.

    Example:
        >>> parse_constraint("normalize_weight", {"scale": 2}).scale
        2.0
    """
    try:
        declaration = CONSTRAINTS.find(name)
    except ConfigError as error:
        raise ConfigError(error.message, ("weight_constraint",)) from error
    constraint = parse_declaration(declaration, kwargs, ("weight_constraint_kwargs",))
    if isinstance(constraint, NormalizeWeight | ReceptiveFieldMask) and constraint.axis != 1:
        raise ConfigError(
            f"found {constraint.axis}; weights are normalized over the presynaptic axis, 1",
            ("weight_constraint_kwargs", "axis"),
        )
    if isinstance(constraint, ReceptiveFieldMask):
        check_receptive_field(constraint)
    return constraint


def check_receptive_field(constraint: ReceptiveFieldMask) -> None:
    """Refuse a window that does not fit its image."""
    where = ("weight_constraint_kwargs",)
    dims = constraint.image_dims
    if len(dims) not in (2, 3) or min(dims) < 1:
        raise ConfigError(
            f"found {list(dims)}; image_dims is [rows, columns] or [channels, rows, columns]", (*where, "image_dims")
        )
    if constraint.receptive_field_size > min(dims[-2:]):
        raise ConfigError(
            f"found {constraint.receptive_field_size}; the window fits the image of {dims[-2]} x {dims[-1]}",
            (*where, "receptive_field_size"),
        )
    if constraint.apply_weight_norm and constraint.scale is None:
        raise ConfigError("found no scale; apply_weight_norm needs one", where)
