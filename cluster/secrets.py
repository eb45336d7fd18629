"""Secrets: where they may come from, and what keeps them out of everything that is written or shown."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Final
from urllib.parse import unquote_plus

from cluster.errors import ClusterError

_SECRET_NAME: Final = re.compile(
    r"(^|_)(PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|CREDENTIALS?|PRIVATE_KEY|API_KEY)$|^PGPASSWORD$"
)
# A password may have a "/" or an "@" in it; too much hidden is better than too little.
_PASSWORD_IN_URL: Final = re.compile(r"(?P<before>[A-Za-z][\w+.-]*://[^/:]*:)(?P<password>.*)(?P<behind>@)", re.DOTALL)
_OPTION_OF_URL: Final = re.compile(r"(?P<before>[?&](?P<key>[^?&=]*)=)(?P<value>[^&]*)")
_SECRET_OPTIONS: Final = frozenset({"password", "passwd", "sslpassword"})


def private_text(path: Path, what: str) -> str:
    """The content of a file that nobody but the user may read or write.

    Args:
        path: of the file; ``~`` is the user's home.
        what: it holds, for the error.

    Raises:
        ClusterError: it is missing, empty, somebody else's, or others may read or change it.
    """
    place = path.expanduser()
    try:
        # Opened first and looked at after, so that what was looked at is what is read.
        with place.open(encoding="utf-8") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise ClusterError(f"{path}: is not a file; {what} stands in one with mode 600")
            if found.st_uid != os.geteuid():
                raise ClusterError(f"{path}: belongs to another user; {what} stands in a file of yours with mode 600")
            if found.st_mode & 0o077:
                mode = f"{stat.S_IMODE(found.st_mode):o}"
                raise ClusterError(f"{path}: others may open it (mode {mode}); mend that with: chmod 600 {path}")
            text = file.read().strip()
    except OSError as error:
        raise ClusterError(f"{path}: cannot read {what}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ClusterError(f"{path}: is not text; {what} is one line") from None
    if not text or "\n" in text:
        raise ClusterError(f"{path}: holds {len(text.splitlines())} lines; {what} is one line")
    return text


def secret_names(names: Iterable[str]) -> list[str]:
    """Those of the variables that are secrets by their name.

    Example:
        >>> secret_names(["OMP_NUM_THREADS", "PGPASSWORD", "RAY_AUTH_TOKEN", "PGPASSFILE", "TOKENIZERS_PARALLELISM"])
        ['PGPASSWORD', 'RAY_AUTH_TOKEN']
    """
    return [name for name in names if _SECRET_NAME.search(name.upper())]


def password_in_url(url: str) -> bool:
    """Whether a URL carries a password, before its host or as an option.

    Example:
        >>> password_in_url("postgresql://me:secret@db/eiann"), password_in_url("postgresql://me@db:5432/eiann")
        (True, False)
        >>> password_in_url("postgresql://me@db/eiann?password=secret")
        True
    """
    return _PASSWORD_IN_URL.search(url) is not None or any(map(_is_secret, _OPTION_OF_URL.finditer(url)))


def without_password(text: str) -> str:
    """The text with ``***`` for the password of a URL.

    Example:
        >>> without_password("postgresql://me:secret@db/eiann")
        'postgresql://me:***@db/eiann'
    """
    hidden = _OPTION_OF_URL.sub(lambda found: f"{found['before']}***" if _is_secret(found) else found[0], text)
    return _PASSWORD_IN_URL.sub(r"\g<before>***\g<behind>", hidden)


def _is_secret(option: re.Match[str]) -> bool:
    return unquote_plus(option["key"]).lower() in _SECRET_OPTIONS
