"""The one exception that means "the input is wrong", and how it reads.

An error message repeats the user's own text, says where it stands and what would be right, on one line.
"""

from __future__ import annotations

from collections.abc import Sequence

KeyPath = tuple[str | int, ...]


def format_key_path(path: Sequence[str | int]) -> str:
    """Write a key path the way users write it: ``layer_config.H1.E.size``, ``weight_init_args[0]``.

    A key with a space or colon in it stands in quotes: ``projections.'E <- below.E'.rule``.
    """
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            word = part if part and not any(sign.isspace() or sign == ":" for sign in part) else repr(part)
            text += f".{word}" if text else word
    return text


class UserError(Exception):
    """Something in the user's input is wrong; ``str(error)`` is one line that says what and what would be right.

    The command line prints it and exits with code 2. Anything else that escapes is a defect of the program.
    """


class ConfigError(UserError):
    """A configuration is wrong at a certain key.

    Args:
        message: what was found and what would be right, without the place.
        path: keys that lead to the wrong value, e.g. ``("layer_config", "H1", "E", "size")``.
        location: ``file.yaml:12`` where known. ``at()`` adds it later, when only the key path is known at first.

    Example:
        >>> str(ConfigError("found -3; a size is a positive integer", path=("layer_config", "H1", "E", "size")))
        'layer_config.H1.E.size: found -3; a size is a positive integer'
    """

    def __init__(self, message: str, path: Sequence[str | int] = (), location: str | None = None) -> None:
        self.message = " ".join(message.split())
        self.path: KeyPath = tuple(path)
        self.location = location
        super().__init__(": ".join(part for part in (location, format_key_path(self.path), self.message) if part))

    def at(self, location: str | None) -> ConfigError:
        """The same error with the place in the file, unless it has one already."""
        return self if self.location or not location else ConfigError(self.message, self.path, location)
