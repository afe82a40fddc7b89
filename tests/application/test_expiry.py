"""The worker ends what is due, once, however many work at it."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from application.conftest import OpenExecutor
from application.shop import authorize
from gateway.adapters.system.identifiers import time_ordered_id
from gateway.application.engine.command_executor import CommandExecutor
from gateway.application.expiry import Expiry, ExpiryLimits
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import StorageUnavailable
from gateway.application.shared_clock import SharedClock
from gateway.domain.event_type import EventType
from support.builders import Fault, StandingClock, Watch, a_batch, balances, opened, watched


@dataclass(frozen=True)
class Scene:
    """Ten holds of a cent each, and those who end them."""

    storage: Storage
    watch: Watch
    clock: StandingClock
    executor: CommandExecutor

    def expiry(self, batch_size: int = 256) -> Expiry:
        limits = ExpiryLimits(interval_seconds=0.001, batch_size=batch_size)
        return Expiry(executor=self.executor, reader=self.storage.reader, clock=self.clock, limits=limits)

    def expired(self) -> int:
        """How many times a payment was told to have expired."""
        events = [event for changes in self.watch.commits for event in changes.events_new]
        return sum(event.type is EventType.PAYMENT_EXPIRED for event in events)


@pytest.fixture
async def scene(storage: Storage, open_executor: OpenExecutor) -> AsyncIterator[Scene]:
    await opened(storage)
    watch, clock = Watch(), StandingClock()
    async with open_executor(a_batch(watched(storage, watch), clock).run) as submissions:
        executor = CommandExecutor(submissions, time_ordered_id)
        for _ in range(10):
            await executor.execute(authorize(1))
        yield Scene(storage, watch, clock, executor)


async def everything_is_back(scene: Scene) -> None:
    for _ in range(5_000):
        if await balances(scene.storage) == (100, 0):
            return
        await asyncio.sleep(0.001)
    raise AssertionError


async def test_a_worker_a_day_ahead_ends_no_payment_before_its_time(scene: Scene) -> None:
    """What is written stays: a hold that was ended a day early does not come back."""
    right = StandingClock(scene.clock())

    async def ask() -> datetime:
        return right()

    shared = SharedClock(ask, scene.clock, lambda: 0.0)
    expiry = replace(scene.expiry(), shared_clock=shared)
    scene.clock.advance(24 * 3600)
    right.advance(59)
    assert await expiry.run_once() == 0
    right.advance(1)
    assert await expiry.run_once() == 10


async def test_a_worker_a_day_behind_ends_payments_by_its_own_clock(scene: Scene) -> None:
    """It would be refused otherwise: its executor has the same clock."""
    expiry = replace(scene.expiry(), shared_clock=StandingClock(scene.clock() + timedelta(days=1)))
    assert await expiry.run_once() == 0
    scene.clock.advance(60)
    assert await expiry.run_once() == 10


async def test_nothing_is_ended_before_its_time(scene: Scene) -> None:
    scene.clock.advance(59)
    assert await scene.expiry().run_once() == 0
    assert await balances(scene.storage) == (90, 0)


async def test_all_that_is_due_is_ended_batch_by_batch(scene: Scene) -> None:
    scene.clock.advance(60)
    assert [await scene.expiry(batch_size=4).run_once() for _ in range(4)] == [4, 4, 2, 0]
    assert await balances(scene.storage) == (100, 0)


async def test_each_round_that_ended_something_is_one_line(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await scene.expiry().run_once()
    scene.clock.advance(60)
    for _ in range(4):
        await scene.expiry(batch_size=6).run_once()

    told = [vars(record) for record in caplog.records if record.getMessage() == "payments_expired"]
    assert [line["count"] for line in told] == [6, 4]
    assert len({payment_id for line in told for payment_id in line["payment_ids"]}) == 10


async def test_several_workers_never_end_a_payment_twice(scene: Scene) -> None:
    scene.clock.advance(60)
    await asyncio.gather(*(scene.expiry().run_once() for _ in range(5)))
    assert scene.expired() == 10
    assert await balances(scene.storage) == (100, 0)


async def test_a_worker_whose_clock_is_ahead_does_no_harm(scene: Scene) -> None:
    ahead = StandingClock(scene.clock.now)
    ahead.advance(60)
    early = Expiry(executor=scene.executor, reader=scene.storage.reader, clock=ahead)
    assert await early.run_once() == 0
    scene.clock.advance(60)
    assert await early.run_once() == 10


async def test_it_works_until_it_is_told_to_stop(scene: Scene) -> None:
    scene.clock.advance(60)
    stop = asyncio.Event()
    work = asyncio.create_task(scene.expiry(batch_size=3).run(stop))
    async with asyncio.timeout(10):
        await everything_is_back(scene)
        stop.set()
        await work
    assert scene.expired() == 10
    payments = await scene.storage.reader.payments_due(scene.clock.now, limit=100)
    assert list(payments) == []


async def test_it_waits_while_the_storage_is_away(scene: Scene) -> None:
    scene.clock.advance(60)
    scene.watch.spoil([Fault(before=StorageUnavailable("away"))] * 10)
    stop = asyncio.Event()
    work = asyncio.create_task(scene.expiry().run(stop))
    async with asyncio.timeout(10):
        await everything_is_back(scene)
        stop.set()
        await work
