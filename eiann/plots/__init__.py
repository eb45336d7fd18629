"""Figures of networks and of their training; each function returns a ``matplotlib.figure.Figure``.

Example:
    >>> import numpy as np
    >>> figure = weight_matrices({"module_dict.H1E_InputE.weight": np.ones((1, 3, 2))})
    >>> figure.savefig("weights.pdf")  # doctest: +SKIP
"""

from eiann.plots.architecture import architecture
from eiann.plots.curves import angle_curves, learning_curves
from eiann.plots.decision import decision_map
from eiann.plots.distributions import confusion_matrix, distributions
from eiann.plots.dynamics import forward_dynamics
from eiann.plots.gallery import network_pictures
from eiann.plots.similarity import similarity_matrices
from eiann.plots.weights import receptive_fields, weight_histograms, weight_matrices

__all__ = [
    "angle_curves",
    "architecture",
    "confusion_matrix",
    "decision_map",
    "distributions",
    "forward_dynamics",
    "learning_curves",
    "network_pictures",
    "receptive_fields",
    "similarity_matrices",
    "weight_histograms",
    "weight_matrices",
]
