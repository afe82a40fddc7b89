"""How the command starts and ends. Ctrl-C ends it without a traceback, also while Python still loads it."""

import gc
import sys
from typing import Final

from gateway.entrypoints.exit_codes import INTERRUPTED
from gateway.entrypoints.interrupts import is_interrupt, repeat_ignored_interrupts, stop_interrupts

OBJECTS_PER_COLLECTION: Final = 50_000
"""Imports make many objects and no garbage. With Python's default of 700, a tenth of a start is collections."""

SERVER_MODULES: Final = frozenset(
    {
        "click",
        "httpx",
        "httpx_sse",
        "jsonschema_rs",
        "litestar",
        "markdown_it",
        "pyotp",
        "rich",
        "structlog",
        "uvicorn",
        "uvloop",
    }
)
"""What the extra `gateway[server]` installs."""


def launch() -> None:
    """Run the command that the arguments of this process name."""
    gc.set_threshold(OBJECTS_PER_COLLECTION)
    try:
        try:
            repeat_ignored_interrupts()
            from gateway.entrypoints.cli import main

            main(prog_name="gateway")
        finally:
            stop_interrupts()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except ModuleNotFoundError as missing:
        if missing.name not in SERVER_MODULES:
            raise
        sys.exit(f"The command needs {missing.name}, which is not installed. Run: pip install 'gateway[server]'")
    except Exception as error:
        if is_interrupt(error):
            sys.exit(INTERRUPTED)
        raise
