"""Typed network configuration <-> YAML (docs/network_format.md)."""

from eiann.config.builder import NetworkBuilder
from eiann.config.schema import NetworkConfig, PopulationConfig, ProjectionConfig, TrainingConfig
from eiann.config.select import select, select_populations, select_projections

__all__ = [
    "NetworkBuilder",
    "NetworkConfig",
    "PopulationConfig",
    "ProjectionConfig",
    "TrainingConfig",
    "select",
    "select_populations",
    "select_projections",
]
