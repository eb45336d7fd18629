"""The exception that means "this cannot be submitted, found or stopped, and here is why", on one line."""

from __future__ import annotations


class ClusterError(Exception):
    """Something in a profile, a job's name or its resources is wrong; ``str(error)`` is one line.

    A twin of the model's ``UserError``: this package imports nothing of the model. The command line treats both alike.
    """

    def __init__(self, message: str, location: str | None = None) -> None:
        self.location = location
        text = " ".join(message.split())
        super().__init__(f"{location}: {text}" if location else text)
