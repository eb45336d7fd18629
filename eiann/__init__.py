"""Networks of excitatory and inhibitory rate units with local learning rules, trained as batches of replicas.

Names are imported when they are first used: the configuration is read without loading torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eiann import data as data
    from eiann.config import NetworkConfig as NetworkConfig
    from eiann.errors import ConfigError as ConfigError
    from eiann.errors import UserError as UserError
    from eiann.network.network import Network as Network
    from eiann.training import Evaluation as Evaluation
    from eiann.training import History as History
    from eiann.training import ReplicaJob as ReplicaJob
    from eiann.training import ReplicaReport as ReplicaReport
    from eiann.training import ReplicaResult as ReplicaResult
    from eiann.training import equilibration_residual as equilibration_residual
    from eiann.training import evaluate as evaluate
    from eiann.training import predict as predict
    from eiann.training import train as train
    from eiann.training import train_stream as train_stream

_HOMES = {
    "ConfigError": "eiann.errors",
    "Evaluation": "eiann.training",
    "History": "eiann.training",
    "Network": "eiann.network.network",
    "NetworkConfig": "eiann.config",
    "ReplicaJob": "eiann.training",
    "ReplicaReport": "eiann.training",
    "ReplicaResult": "eiann.training",
    "UserError": "eiann.errors",
    "equilibration_residual": "eiann.training",
    "evaluate": "eiann.training",
    "predict": "eiann.training",
    "train": "eiann.training",
    "train_stream": "eiann.training",
}
__all__ = [*_HOMES, "data"]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name == "data":
        return importlib.import_module("eiann.data")
    if name not in _HOMES:
        raise AttributeError(f"module 'eiann' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
