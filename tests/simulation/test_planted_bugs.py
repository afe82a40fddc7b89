"""The simulation finds what it is for: each planted bug, and nothing where none is planted."""

import pytest

from gateway.adapters.memory import memory_storage
from gateway.simulation.run import Report, simulate
from simulation.conftest import SEED, STEPS
from simulation.planted_bugs import PLANTED, Plant


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
async def test_a_planted_bug_is_found(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    failure = (await simulate(memory_storage(), seed=SEED, steps=STEPS, faulty=True)).failure
    assert failure is not None
    assert PLANTED[plant] in {violation.invariant for violation in failure.violations}


async def test_the_same_history_is_sound_without_them(sound_report: Report) -> None:
    assert sound_report.failure is None
    assert sound_report.steps == STEPS
