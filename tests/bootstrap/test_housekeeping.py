"""The housekeeping of the settings is among the jobs of a worker, unless it is switched off."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway import Settings, in_memory_gateway
from gateway.application.housekeeping import EventIndexer, Housekeeper
from gateway.bootstrap.jobs import open_worker
from gateway.settings.field import SettingsRefused

NOW = datetime(2026, 1, 2, tzinfo=UTC)


async def test_a_worker_keeps_house_as_the_settings_say() -> None:
    async with (
        in_memory_gateway(clock=lambda: NOW) as gateway,
        open_worker(gateway, Settings(answers_days=9)) as worker,
    ):
        [housekeeper] = [job for job in worker.jobs.all if isinstance(job, Housekeeper)]
        [indexer] = [job for job in worker.jobs.all if isinstance(job, EventIndexer)]
    assert housekeeper.storage is indexer.storage is gateway.storage
    assert housekeeper.clock() == NOW
    assert housekeeper.limits.answers == timedelta(days=9)


async def test_housekeeping_can_be_switched_off_without_the_index() -> None:
    async with in_memory_gateway() as gateway, open_worker(gateway, Settings(housekeeping_enabled=False)) as worker:
        assert not any(isinstance(job, Housekeeper) for job in worker.jobs.all)
        assert any(isinstance(job, EventIndexer) for job in worker.jobs.all)


@pytest.mark.parametrize(("name", "days"), [("answers_days", 6), ("answers_days", 0), ("events_days", 0)])
def test_less_than_what_is_promised_is_refused(name: str, days: int) -> None:
    with pytest.raises(SettingsRefused, match=name.upper()):
        Settings(**{name: days})  # type: ignore[arg-type]  # The names of settings.
