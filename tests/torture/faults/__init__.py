"""All faults."""

from typing import Final

from torture.fault import Fault
from torture.faults import network, processes

ONCE: Final[tuple[Fault, ...]] = (*network.FAULTS, *processes.FAULTS)
"""Each of them is injected once in a run."""
