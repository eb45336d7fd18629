"""From tables to insight: each question a function of the tables of a study, its answer a DataFrame."""

from optimize.analysis.champions import champions, ranked
from optimize.analysis.comparison import compare_studies
from optimize.analysis.confidence import ranking_confidence
from optimize.analysis.degeneracy import degenerate_group, distance_and_error
from optimize.analysis.failures import failure_reasons, failure_report
from optimize.analysis.front import front_history, hypervolume, reference_point
from optimize.analysis.importance import parameter_importance
from optimize.analysis.local import design_slopes, local_design, local_slopes
from optimize.analysis.sensitivity import global_sensitivity, sobol_design, sobol_indices
from optimize.analysis.surface import contours, parallel_coordinates, slices
from optimize.analysis.unit import from_unit, to_unit, unit_columns, unit_points

__all__ = [
    "champions",
    "compare_studies",
    "contours",
    "degenerate_group",
    "design_slopes",
    "distance_and_error",
    "failure_reasons",
    "failure_report",
    "from_unit",
    "front_history",
    "global_sensitivity",
    "hypervolume",
    "local_design",
    "local_slopes",
    "parallel_coordinates",
    "parameter_importance",
    "ranked",
    "ranking_confidence",
    "reference_point",
    "slices",
    "sobol_design",
    "sobol_indices",
    "to_unit",
    "unit_columns",
    "unit_points",
]
