"""Networks and results on the disk: safetensors, YAML and JSON; nothing is pickled, and a file is whole or absent."""

from eiann.io.histories import load_history
from eiann.io.networks import load, save

__all__ = ["load", "load_history", "save"]
