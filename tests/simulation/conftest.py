"""One history for all: what is planted in it must be found, and without that nothing."""

import pytest

from gateway.adapters.memory import memory_storage
from gateway.simulation.report import Report
from gateway.simulation.run import simulate

SEED = 4
STEPS = 20_000


@pytest.fixture(scope="package")
async def sound_report() -> Report:
    """What comes of the history when nothing is planted in it."""
    return await simulate(memory_storage(), seed=SEED, steps=STEPS, faulty=True)
