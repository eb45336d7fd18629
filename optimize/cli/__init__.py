"""The command ``eiann``; the only room that knows all the others.

What a command needs is imported when it runs: asking for help loads neither torch nor Ray.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and end the process with its exit code.

    0 if all went well, 1 if something that was checked is not so, 2 if the input is wrong (one line on standard error
    says what), 130 if the run was stopped.
    """
    from optimize.cli.app import run

    sys.exit(run(sys.argv[1:] if arguments is None else arguments))
