"""Train and evaluate a batch of replicas."""

from eiann.training.checkpoint import Checkpoint
from eiann.training.evaluation import Evaluation, equilibration_residual, evaluate, predict
from eiann.training.history import History
from eiann.training.lane import ReplicaJob
from eiann.training.recorder import Recorder
from eiann.training.recording import Disk, Memory, Recording
from eiann.training.schedule import interval_steps
from eiann.training.stream import Ending, ReplicaReport, ReplicaResult, train_stream
from eiann.training.train import train

__all__ = [
    "Checkpoint",
    "Disk",
    "Ending",
    "Evaluation",
    "History",
    "Memory",
    "Recorder",
    "Recording",
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
