"""The shared clock tells the time of the storage, whatever the clock of the process says."""

import time
from datetime import datetime, timedelta

import pytest

from gateway.application.ports.unit_of_work import StorageUnavailable
from gateway.application.shared_clock import SharedClock, synchronize
from gateway.contracts.records import NOW

WRONG = NOW + timedelta(days=1)


class Storage:
    """Tells the time, after so many seconds."""

    def __init__(self) -> None:
        self.now = NOW
        self.seconds = 0.0
        self.monotonic = 100.0
        self.is_away = False

    async def ask(self) -> datetime:
        if self.is_away:
            raise StorageUnavailable("The storage is away.")
        self.monotonic += self.seconds
        return self.now

    def clock(self) -> SharedClock:
        return SharedClock(self.ask, lambda: WRONG, lambda: self.monotonic)


async def test_it_goes_on_from_what_the_storage_told() -> None:
    storage = Storage()
    clock = storage.clock()
    await clock.synchronize()
    assert clock() == NOW
    storage.monotonic += 7.5
    assert clock() == NOW + timedelta(seconds=7.5)


async def test_half_of_the_round_trip_has_passed_since_the_storage_told() -> None:
    storage = Storage()
    storage.seconds = 0.5
    clock = storage.clock()
    await clock.synchronize()
    assert clock() == NOW + timedelta(seconds=0.25)


async def test_a_slow_answer_counts_only_if_there_is_no_other() -> None:
    storage = Storage()
    storage.seconds = 4.0
    clock = storage.clock()
    await clock.synchronize()
    assert clock() == NOW + timedelta(seconds=2)
    storage.now, storage.seconds = NOW + timedelta(seconds=10), 0.0
    await clock.synchronize()
    assert clock() == storage.now
    storage.now, storage.seconds = NOW + timedelta(seconds=50), 4.0
    await clock.synchronize()
    assert clock() == NOW + timedelta(seconds=14)


async def test_while_the_storage_is_away_time_goes_on() -> None:
    storage = Storage()
    clock = storage.clock()
    await clock.synchronize()
    storage.is_away = True
    storage.monotonic += 3
    with pytest.raises(StorageUnavailable):
        await clock.synchronize()
    assert clock() == NOW + timedelta(seconds=3)


async def test_without_a_time_of_the_storage_the_clock_of_the_machine_is_shared() -> None:
    clock = SharedClock(None, lambda: WRONG)
    await clock.synchronize()
    assert clock() == WRONG


async def test_other_clocks_are_asked_nothing() -> None:
    await synchronize(lambda: NOW)


@pytest.mark.parametrize("name", ["CLOCK_BOOTTIME", "CLOCK_MONOTONIC"])
async def test_it_counts_on_by_the_clock_that_does_not_stand_still_in_a_suspended_machine(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    gone_on, storage = {"CLOCK_BOOTTIME": 0.0, "CLOCK_MONOTONIC": 0.0}, Storage()
    ids = {time.CLOCK_BOOTTIME: "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC: "CLOCK_MONOTONIC"}
    monkeypatch.setattr(time, "clock_gettime", lambda id_: 100.0 + gone_on[ids[id_]])
    clock = SharedClock(storage.ask, lambda: WRONG)
    await clock.synchronize()
    gone_on[name] = 3_600.0
    assert clock() == NOW + timedelta(seconds=3_600 if name == "CLOCK_BOOTTIME" else 0)
