"""Networks of excitatory and inhibitory rate units with local learning rules, trained as batches of replicas."""

from eiann import data
from eiann.config import NetworkConfig
from eiann.errors import ConfigError, UserError
from eiann.network.network import Network
from eiann.training import Evaluation, History, equilibration_residual, evaluate, predict, train

__all__ = [
    "ConfigError",
    "Evaluation",
    "History",
    "Network",
    "NetworkConfig",
    "UserError",
    "data",
    "equilibration_residual",
    "evaluate",
    "predict",
    "train",
]
