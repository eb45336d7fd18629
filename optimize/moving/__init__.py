"""What was made with EIANN and Nested, read as it is: histories of searches, and files of parameters."""

from optimize.moving.history import read_history

__all__ = ["read_history"]
