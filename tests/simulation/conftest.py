"""One history for all: what is planted in it must be found, and without that nothing."""

import pytest

from gateway.adapters.memory import memory_storage
from gateway.simulation.report import Report
from gateway.simulation.run import simulate
from gateway.simulation.virtual_loop import in_virtual_time

SEED = 22
STEPS = 10_000


def history(seed: int, *, steps: int, faulty: bool = True) -> Report:
    """A history in memory, in virtual time, with workers that deliver webhooks."""
    return in_virtual_time(lambda clock: simulate(memory_storage(), seed=seed, steps=steps, faulty=faulty, clock=clock))


@pytest.fixture(scope="package")
def sound_report() -> Report:
    """What comes of the history when nothing is planted in it."""
    return history(SEED, steps=STEPS)
