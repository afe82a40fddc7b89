"""How this command was called, for lines to paste."""

import shutil
import sys
from pathlib import Path


def called_as() -> str:
    """`gateway`, or the path with which it was called where it is not on the path: `.venv/bin/gateway`."""
    called = sys.argv[0]
    found = shutil.which("gateway")
    on_path = found is not None and Path(found) == Path(called).absolute()
    return called if Path(called).name == "gateway" and not on_path else "gateway"
