"""Measures of representations, weights and decisions, on plain arrays."""

from eiann.metrics.activity import discriminability, selectivity, sparsity
from eiann.metrics.angles import angle, feedback_angles, update_angles
from eiann.metrics.classes import (
    accuracy,
    assign_outputs,
    best_assignment,
    class_accuracy,
    confusion,
    reorder_outputs,
)
from eiann.metrics.dimensionality import covariance_dimensionality, participation_ratio, similarity_dimensionality
from eiann.metrics.fields import activation_maximization, field_structure, morans_i
from eiann.metrics.networks import (
    activity_gradient,
    backprop_angles,
    backprop_step,
    feedback_angle_history,
    performance_history,
)
from eiann.metrics.selection import feedback_pairs, learned_excitatory_weights, weight_name
from eiann.metrics.similarity import Similarity, cosine_similarity, pattern_similarity, unit_similarity

__all__ = [
    "Similarity",
    "accuracy",
    "activation_maximization",
    "activity_gradient",
    "angle",
    "assign_outputs",
    "backprop_angles",
    "backprop_step",
    "best_assignment",
    "class_accuracy",
    "confusion",
    "cosine_similarity",
    "covariance_dimensionality",
    "discriminability",
    "feedback_angle_history",
    "feedback_angles",
    "feedback_pairs",
    "field_structure",
    "learned_excitatory_weights",
    "morans_i",
    "participation_ratio",
    "pattern_similarity",
    "performance_history",
    "reorder_outputs",
    "selectivity",
    "similarity_dimensionality",
    "sparsity",
    "unit_similarity",
    "update_angles",
    "weight_name",
]
