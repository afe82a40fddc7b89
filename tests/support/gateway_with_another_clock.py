"""`gateway`, but its clock is ahead by as many seconds as stand in a file; a test may write another number there."""

import os
from datetime import datetime, timedelta
from pathlib import Path

from gateway.adapters.system.clock import system_clock
from gateway.bootstrap import wiring
from gateway.entrypoints.cli import main

CLOCK_FILE = "GATEWAY_TEST_CLOCK_FILE"


def clock() -> datetime:
    return system_clock() + timedelta(seconds=int(Path(os.environ[CLOCK_FILE]).read_text()))


def set_ahead(file: Path, seconds: int) -> None:
    """Set the clock of the servers that read this file. They never see half a number."""
    new = file.with_suffix(".new")
    new.write_text(str(seconds))
    new.replace(file)


if __name__ == "__main__":
    vars(wiring)["system_clock"] = clock
    main()
