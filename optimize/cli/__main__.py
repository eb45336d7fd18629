"""``python -m optimize.cli`` is ``eiann``."""

from optimize.cli import main

main()
