"""Search spaces: parameters, bounds, ties and formulas bound to paths of a network configuration."""

from optimize.space.document import (
    FEATURES,
    Instances,
    NamedWithOptions,
    ObjectiveSpec,
    ParameterSpec,
    PointSpec,
    Range,
    RunSettings,
    SpaceDocument,
)
from optimize.space.early import Race, Stopping
from optimize.space.formula import Condition, Formula, Value, suggest
from optimize.space.parameters import Parameter
from optimize.space.space import Binding, Objective, SearchSpace, StartingPoint
from optimize.space.summaries import SpaceSummary, summaries

__all__ = [
    "FEATURES",
    "Binding",
    "Condition",
    "Formula",
    "Instances",
    "NamedWithOptions",
    "Objective",
    "ObjectiveSpec",
    "Parameter",
    "ParameterSpec",
    "PointSpec",
    "Race",
    "Range",
    "RunSettings",
    "SearchSpace",
    "SpaceDocument",
    "SpaceSummary",
    "StartingPoint",
    "Stopping",
    "Value",
    "suggest",
    "summaries",
]
