"""How the command starts and ends. Ctrl-C ends it without a traceback, also while Python still loads it."""

import signal
import sys

from gateway.entrypoints.exit_codes import INTERRUPTED


def launch() -> None:
    """Run the command that the arguments of this process name."""
    try:
        from gateway.entrypoints.cli import main

        main(prog_name="gateway")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    finally:
        # While the interpreter ends, Python would report a KeyboardInterrupt that nobody can catch.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
