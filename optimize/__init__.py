"""Searches of hyperparameters, above the model: spaces, studies, samplers, results, and the command line."""

from optimize.space import SearchSpace

__all__ = ["SearchSpace"]
