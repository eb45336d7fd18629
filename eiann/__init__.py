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
    from eiann.io import load as load
    from eiann.io import load_history as load_history
    from eiann.io import save as save
    from eiann.network.network import Network as Network
    from eiann.training import Checkpoint as Checkpoint
    from eiann.training import Disk as Disk
    from eiann.training import Evaluation as Evaluation
    from eiann.training import History as History
    from eiann.training import Memory as Memory
    from eiann.training import Recorder as Recorder
    from eiann.training import Recording as Recording
    from eiann.training import ReplicaJob as ReplicaJob
    from eiann.training import ReplicaReport as ReplicaReport
    from eiann.training import ReplicaResult as ReplicaResult
    from eiann.training import equilibration_residual as equilibration_residual
    from eiann.training import evaluate as evaluate
    from eiann.training import predict as predict
    from eiann.training import train_stream as train_stream
    from eiann.training.train import train as train

_HOMES = {
    "Checkpoint": "eiann.training",
    "ConfigError": "eiann.errors",
    "Evaluation": "eiann.training",
    "History": "eiann.training",
    "Disk": "eiann.training",
    "Memory": "eiann.training",
    "Network": "eiann.network.network",
    "NetworkConfig": "eiann.config",
    "Recorder": "eiann.training",
    "Recording": "eiann.training",
    "ReplicaJob": "eiann.training",
    "ReplicaReport": "eiann.training",
    "ReplicaResult": "eiann.training",
    "UserError": "eiann.errors",
    "equilibration_residual": "eiann.training",
    "evaluate": "eiann.training",
    "load": "eiann.io",
    "load_history": "eiann.io",
    "predict": "eiann.training",
    "save": "eiann.io",
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
