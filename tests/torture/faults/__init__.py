"""All faults."""

from typing import Final

from torture.fault import Fault
from torture.faults import clocks, network, postgres, processes

ONCE: Final[tuple[Fault, ...]] = (
    *network.FAULTS,
    *processes.FAULTS,
    *postgres.FAULTS,
    *([postgres.DISK_FULL] if postgres.can_mount() else []),
    *clocks.FAULTS,
)
"""Each of them is injected once in a run."""
