"""Where tables go: a terminal as wide as it is, a file as wide as they are."""

import sys
from typing import Final

from rich.console import Console

FILE_COLUMNS: Final = 200


def output() -> Console:
    """Standard output. In a pipe nothing is cut off: a row that is wrapped is none that can be searched for."""
    return Console(width=None if sys.stdout.isatty() else FILE_COLUMNS)
