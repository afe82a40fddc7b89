"""The simulation finds what it is for: each planted bug, and nothing where none is planted."""

import pytest

from gateway.adapters.memory import memory_storage
from gateway.simulation.report import Report
from gateway.simulation.run import simulate
from simulation import planted_bugs, planted_key_bugs, planted_webhook_bugs
from simulation.conftest import SEED, STEPS, history
from simulation.planted_bugs import Plant
from simulation.planted_delivery_bugs import PLANTED as DELIVERIES

PLANTED = {**planted_bugs.PLANTED, **planted_webhook_bugs.PLANTED, **planted_key_bugs.PLANTED}
SEEDS = range(SEED, SEED + 3)
"""A new operation changes every history. If the first one meets a planted bug elsewhere, the next one is tried."""


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
async def test_a_planted_bug_is_found(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    found = set[str]()
    for seed in SEEDS:
        failure = (await simulate(memory_storage(), seed=seed, steps=STEPS, faulty=True)).failure
        found |= {violation.invariant for violation in failure.violations} if failure else set()
        if PLANTED[plant] in found:
            return
    pytest.fail(f"No seed of {SEEDS} finds the planted bug as {PLANTED[plant]}, only as {sorted(found)}.")


@pytest.mark.parametrize("plant", DELIVERIES, ids=lambda plant: plant.__name__)
def test_a_planted_bug_of_deliveries_is_found(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    found = set[str]()
    for seed in SEEDS:
        failure = history(seed, steps=STEPS).failure
        found |= {violation.invariant for violation in failure.violations} if failure else set()
        if DELIVERIES[plant] in found:
            return
    pytest.fail(f"No seed of {SEEDS} finds the planted bug as {DELIVERIES[plant]}, only as {sorted(found)}.")


def test_the_same_history_is_sound_without_them(sound_report: Report) -> None:
    assert sound_report.failure is None
    assert sound_report.steps == STEPS


async def test_the_history_without_workers_is_sound_without_them() -> None:
    report = await simulate(memory_storage(), seed=SEED, steps=STEPS, faulty=True)
    assert report.failure is None
