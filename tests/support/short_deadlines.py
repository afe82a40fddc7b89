"""`gateway`, but connections have short deadlines, and the process as few descriptors as a variable says."""

import os
import resource
from pathlib import Path

from gateway.entrypoints.cli import main
from gateway.entrypoints.connection.limits import ConnectionLimits
from gateway.entrypoints.connection.protocol import GatewayProtocol
from support.servers import Installation

DESCRIPTORS = "GATEWAY_TEST_DESCRIPTORS"
HEAD_SECONDS = 1.5
LINGER_SECONDS = 1.0
WRITE_SECONDS = 1.0

TESTS = Path(__file__).parents[1]


def installation(folder: Path) -> Installation:
    """An embedded gateway of which this module is the program."""
    return Installation(folder, environ=(("PYTHONPATH", str(TESTS)),), module="support.short_deadlines")


if __name__ == "__main__":
    if descriptors := os.environ.pop(DESCRIPTORS, ""):
        # The soft limit is half of the hard one: the gateway raises it.
        resource.setrlimit(resource.RLIMIT_NOFILE, (int(descriptors) // 2, int(descriptors)))
    else:
        GatewayProtocol.limits = ConnectionLimits(
            head_seconds=HEAD_SECONDS, linger_seconds=LINGER_SECONDS, write_seconds=WRITE_SECONDS
        )
    main()
