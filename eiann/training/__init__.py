"""Train and evaluate a batch of replicas."""

from eiann.training.evaluation import Evaluation, equilibration_residual, evaluate, predict
from eiann.training.history import History
from eiann.training.lane import ReplicaJob
from eiann.training.schedule import interval_steps
from eiann.training.stream import Ending, ReplicaReport, ReplicaResult, train_stream
from eiann.training.train import train

__all__ = [
    "Ending",
    "Evaluation",
    "History",
    "ReplicaJob",
    "ReplicaReport",
    "ReplicaResult",
    "equilibration_residual",
    "evaluate",
    "interval_steps",
    "predict",
    "train",
    "train_stream",
]
