"""The housekeeper deletes what is old by its limits, and nothing that is still needed."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from gateway import in_memory_gateway
from gateway.adapters.memory import MemoryDatabase, memory_storage
from gateway.adapters.memory.housekeeping import MemoryHousekeeping
from gateway.adapters.system.identifiers import TimeOrderedIds
from gateway.application import housekeeping as module
from gateway.application.events.replays import Replays
from gateway.application.housekeeping import (
    EVENTS_HELD,
    EventIndexer,
    Housekeeper,
    HousekeepingLimits,
    IndexingLimits,
    beginning_of_pass,
)
from gateway.application.ports.deliveries import WEBHOOKS
from gateway.application.ports.housekeeping import Deleted, EventReaders
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Changes, StorageUnavailable
from gateway.application.shared_clock import SharedClock
from gateway.contracts.housekeeping import a_replay, a_token, waiting
from gateway.contracts.login_failures import fail
from gateway.contracts.records import (
    a_payment,
    a_quote,
    a_user,
    a_webhook_endpoint,
    an_answer,
    an_event,
    commit,
    payment_id,
)
from gateway.contracts.sessions import start
from gateway.domain.errors import EventNotFound
from gateway.domain.event_type import EventType
from support.virtual_time import BEGINNING, LoopClock, in_virtual_time, until

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
LIMITS = HousekeepingLimits()


class Scene:
    """A storage, and a housekeeper at a moment."""

    def __init__(self, now: datetime = BEGINNING) -> None:
        self.database = MemoryDatabase()
        self.storage: Storage = memory_storage(self.database)
        self.now = now

    async def keep_house(self, limits: HousekeepingLimits = LIMITS) -> bool:
        housekeeper = Housekeeper(storage=self.storage, clock=lambda: self.now, limits=limits)
        return await housekeeper.run_once(asyncio.Event())

    async def events(self, *ages: timedelta, cursor: int | None = 1_000) -> None:
        """Events that were created so long ago, and a fan-out that has passed them."""
        for number, age in enumerate(ages, 1):
            created_at = self.now - age
            event = an_event(number, a_payment(number), EventType.PAYMENT_CAPTURED, created_at=created_at)
            await commit(self.storage, Changes(events_new=[event]))
        if cursor is not None:
            assert await self.storage.event_cursors.move(WEBHOOKS, expected=None, to=cursor)

    async def positions(self) -> Sequence[int]:
        return [event.position for event in await self.storage.events.read(after=0, limit=100)]


async def test_each_kind_of_rows_is_deleted_by_its_own_limit() -> None:
    limits = HousekeepingLimits(
        answers=8 * DAY,
        events=20 * DAY,
        quotes=2 * DAY,
        sessions=3 * DAY,
        login_failures=4 * DAY,
        deliveries=5 * DAY,
    )
    scene = Scene()
    storage, now, old = scene.storage, scene.now, HOUR + timedelta(seconds=1)
    await scene.events(20 * DAY + old, 20 * DAY, timedelta())
    for number, age in enumerate((8 * DAY + old, 8 * DAY), 1):
        await commit(storage, Changes(answers_new=[an_answer(f"key-{number}", created_at=now - age)]))
    quotes = [a_quote(number, expires_at=now - age) for number, age in enumerate((2 * DAY + old, 2 * DAY), 1)]
    await commit(storage, Changes(quotes_new=quotes))
    await commit(storage, Changes(users_new=[a_user(1)]))
    for number, age in enumerate((3 * DAY + old, 3 * DAY), 1):
        await start(storage, number, token=a_token(str(number), now - age), now=now)
    for name, age in (("a", 4 * DAY + old), ("b", 4 * DAY)):
        await fail(storage, name, now=now - age)
    for number, age in enumerate((5 * DAY + old, 5 * DAY), 1):
        await storage.deliveries.add([waiting(number, position=number)])
        await storage.deliveries.cancel(waiting(1, position=1).endpoint_id, now=now - age, limit=9)
    assert await scene.keep_house(limits)
    assert await scene.positions() == [2, 3]
    assert [key.key for key in scene.database.answers] == ["key-2"]
    assert list(scene.database.quotes) == [quotes[1].id]
    assert await storage.housekeeping.delete_sessions(before=now, limit=9) == Deleted(count=2, is_last=True)
    assert (await storage.login_failures.of(["a", "b"])).keys() == {"b"}
    assert list(scene.database.deliveries) == [waiting(2, position=2).id]


async def test_events_stay_a_while_longer_than_they_are_shown() -> None:
    scene = Scene()
    await scene.events(90 * DAY + 2 * EVENTS_HELD, 90 * DAY + EVENTS_HELD, timedelta())
    await scene.keep_house()
    assert await scene.positions() == [2, 3]


async def test_events_stay_until_the_answers_that_share_their_data_are_gone() -> None:
    scene = Scene()
    await scene.events(9 * DAY, 8 * DAY, 7 * DAY, timedelta())
    await commit(scene.storage, Changes(answers_new=[an_answer("kept", created_at=scene.now - 8 * DAY)]))
    await scene.keep_house(HousekeepingLimits(events=DAY, answers=30 * DAY))
    assert await scene.positions() == [2, 3, 4]
    scene.database.answers.clear()
    await scene.keep_house(HousekeepingLimits(events=DAY, answers=30 * DAY))
    assert await scene.positions() == [4]


@pytest.mark.parametrize("cursor", [None, 0, 2])
async def test_events_stay_until_the_fan_out_has_passed_them(cursor: int | None) -> None:
    scene = Scene()
    await scene.events(*(100 * DAY for _ in range(4)), cursor=cursor)
    await scene.keep_house()
    assert await scene.positions() == list(range((cursor or 0) + 1, 5))


async def test_events_stay_until_every_sink_has_passed_them(caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene()
    await scene.events(*(100 * DAY for _ in range(4)))
    assert await scene.storage.event_cursors.move("nats", expected=None, to=2)
    assert await scene.storage.event_cursors.move("others", expected=None, to=3)
    housekeeper = Housekeeper(storage=scene.storage, clock=lambda: scene.now)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            await housekeeper.run_once(asyncio.Event())
    assert await scene.positions() == [3, 4]
    [told] = [record for record in caplog.records if record.msg == "events_held_back"]
    assert (vars(told)["reader"], vars(told)["position"]) == ("nats", 2)


async def test_a_reader_that_keeps_up_is_not_told_of(caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene()
    await scene.events(100 * DAY, 100 * DAY, DAY, timedelta(), cursor=3)
    with caplog.at_level(logging.WARNING):
        await scene.keep_house()
    assert await scene.positions() == [3, 4]
    assert not caplog.records


async def test_events_stay_that_wait_to_be_delivered() -> None:
    scene = Scene()
    await scene.events(*(100 * DAY for _ in range(5)))
    await scene.storage.deliveries.add([waiting(1, position=3), waiting(2, position=4)])
    await scene.keep_house()
    assert await scene.positions() == [3, 4, 5]


async def test_events_stay_that_a_replay_may_need() -> None:
    scene = Scene()
    await scene.events(120 * DAY, 110 * DAY, 100 * DAY, timedelta())
    await scene.storage.deliveries.request_replay(a_replay(1, scene.now - 110 * DAY), limit=9)
    await scene.keep_house()
    assert await scene.positions() == [2, 3, 4]


async def test_rows_of_the_ledger_are_never_deleted() -> None:
    scene = Scene(BEGINNING + 5_000 * DAY)
    used = a_quote(1, payment_id=payment_id(1))
    await commit(scene.storage, Changes(payments_new=[a_payment(1)], quotes_new=[used]))
    await scene.keep_house()
    assert list(scene.database.payments) == [payment_id(1)]
    assert list(scene.database.quotes.values()) == [used]


async def test_what_was_deleted_is_logged_by_count(caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene()
    await scene.events(100 * DAY, 99 * DAY, timedelta())
    await fail(scene.storage, "a", now=scene.now - 9 * DAY)
    with caplog.at_level(logging.INFO):
        await scene.keep_house()
        await scene.keep_house()
    [told] = [record for record in caplog.records if record.msg == "rows_deleted"]
    assert (vars(told)["events"], vars(told)["login_failures"]) == (2, 1)
    assert not hasattr(told, "answers")


@pytest.mark.parametrize(
    ("error", "told"),
    [(StorageUnavailable("It takes too long."), "housekeeping_waits"), (KeyError("a bug"), "housekeeping_failed")],
)
async def test_a_kind_that_cannot_be_deleted_does_not_keep_the_others(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    scene = Scene()
    await scene.events(100 * DAY, timedelta())

    async def delete_answers(_: MemoryHousekeeping, **_limits: object) -> Deleted:
        raise error

    monkeypatch.setattr(MemoryHousekeeping, "delete_answers", delete_answers)
    with caplog.at_level(logging.WARNING):
        assert await scene.keep_house()
    assert await scene.positions() == [2]
    [line] = [record for record in caplog.records if record.msg == told]
    assert vars(line)["kind"] == "answers"


async def test_what_is_needed_is_found_once_in_a_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes longer, the more deliveries wait."""
    scene = Scene()
    await scene.events(*(100 * DAY for _ in range(7)), timedelta())
    readers, calls = await scene.storage.housekeeping.event_readers(), 0

    async def event_readers(_: MemoryHousekeeping) -> EventReaders:
        nonlocal calls
        calls += 1
        return readers

    monkeypatch.setattr(MemoryHousekeeping, "event_readers", event_readers)
    await scene.keep_house(HousekeepingLimits(rows_per_step=2, pause_seconds=0.001))
    assert await scene.positions() == [8]
    assert calls == 1


def test_steps_are_small_and_rounds_are_apart() -> None:
    async def work() -> None:
        storage, clock, stop = memory_storage(), LoopClock(), asyncio.Event()
        limits = HousekeepingLimits(rows_per_step=10, pause_seconds=0.5, interval_seconds=60.0)
        for number in range(95):
            await fail(storage, str(number), now=BEGINNING - 9 * DAY)
        job = asyncio.create_task(Housekeeper(storage=storage, clock=clock, limits=limits).run(stop))

        async def left() -> int:
            return len(await storage.login_failures.of([str(number) for number in range(200)]))

        await asyncio.sleep(2.2)
        assert await left() == 95 - 5 * 10
        await asyncio.sleep(4.0)
        assert await left() == 0
        await fail(storage, "199", now=BEGINNING - 9 * DAY)
        await asyncio.sleep(50.0)
        assert await left() == 1
        await asyncio.sleep(10.0)
        assert await left() == 0
        stop.set()
        async with asyncio.timeout(1.0):
            await job

    in_virtual_time(work)


def test_a_kind_with_many_old_rows_lets_the_others_have_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STEPS_PER_ROUND", 3)

    async def work() -> None:
        scene = Scene()
        await scene.events(100 * DAY, timedelta())
        for number in range(9):
            await fail(scene.storage, str(number), now=scene.now - 9 * DAY)
        limits = HousekeepingLimits(rows_per_step=1)
        assert not await scene.keep_house(limits)
        assert len(await scene.storage.login_failures.of([str(number) for number in range(9)])) == 6
        assert await scene.positions() == [2]
        assert not await scene.keep_house(limits)
        assert await scene.keep_house(limits)

    in_virtual_time(work)


def test_passes_through_the_answers_begin_once_an_hour() -> None:
    moment = BEGINNING + timedelta(minutes=17, seconds=3)
    assert beginning_of_pass(moment) == beginning_of_pass(moment + timedelta(minutes=40)) == BEGINNING
    assert beginning_of_pass(BEGINNING) == BEGINNING
    assert beginning_of_pass(moment + HOUR) == BEGINNING + HOUR


def test_the_index_is_extended_step_by_step_until_it_is_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[float, int]] = []

    async def index_events(_: MemoryHousekeeping, *, blocks_max: int) -> bool:
        calls.append((round(asyncio.get_running_loop().time(), 3), blocks_max))
        if len(calls) == 4:
            raise StorageUnavailable("It is away.")
        if len(calls) == 5:
            raise KeyError("a bug")
        return len(calls) < 3

    monkeypatch.setattr(MemoryHousekeeping, "index_events", index_events)

    async def work() -> None:
        limits = IndexingLimits(blocks_per_step=5, pause_seconds=0.5, interval_seconds=10.0)
        stop = asyncio.Event()
        job = asyncio.create_task(EventIndexer(storage=memory_storage(), limits=limits).run(stop))
        await until(lambda: len(calls) == 6, seconds_max=60)
        stop.set()
        await job
        assert calls == [(0.0, 5), (0.5, 5), (1.0, 5), (11.0, 5), (21.0, 5), (31.0, 5)]

    in_virtual_time(work)


async def test_a_replay_over_deleted_events_brings_those_that_are_shown() -> None:
    scene = Scene()
    operators = a_webhook_endpoint(1, all_merchants=True, events=("*",), created_at=scene.now)
    await commit(scene.storage, Changes(webhook_endpoints_new=[operators]))
    await scene.events(100 * DAY, 90 * DAY + HOUR / 2, 5 * DAY, timedelta())
    await scene.keep_house()
    assert await scene.positions() == [2, 3, 4]
    async with in_memory_gateway(clock=lambda: scene.now, database=scene.database) as gateway:
        replay = await gateway.deliveries.replay(
            operators.id, created_from=scene.now - 200 * DAY, created_to=scene.now + DAY
        )
        gone = await gateway.deliveries.replay(
            operators.id, created_from=scene.now - 200 * DAY, created_to=scene.now - 150 * DAY
        )
        assert (replay.created_from, gone.created_from) == (scene.now - 90 * DAY, scene.now - 150 * DAY)
        storage, clock = gateway.storage, gateway.queries.clock
        replays = Replays(
            storage.events,
            storage.deliveries,
            storage.event_cursors,
            storage.webhook_endpoints,
            clock,
            TimeOrderedIds(clock),
        )
        while await replays.step() is not None:
            pass
    assert sorted(each.position for each in scene.database.deliveries.values()) == [3, 4]


async def test_an_event_that_is_no_longer_shown_is_not_delivered_once_more() -> None:
    scene = Scene()
    await scene.events(90 * DAY + HOUR / 2, 90 * DAY)
    hidden, shown = await scene.storage.events.read(after=0, limit=9)
    async with in_memory_gateway(clock=lambda: scene.now, database=scene.database) as gateway:
        assert list(await gateway.deliveries.redeliver(shown.id)) == []
        with pytest.raises(EventNotFound):
            await gateway.deliveries.redeliver(hidden.id)


@pytest.mark.parametrize("is_away", [False, True])
async def test_a_worker_a_year_ahead_deletes_nothing_that_is_needed(*, is_away: bool) -> None:
    """It asks the storage for the time; if it cannot, it deletes nothing."""
    scene = Scene()
    await commit(scene.storage, Changes(answers_new=[an_answer("key-1", created_at=scene.now)]))

    async def ask() -> datetime:
        if is_away:
            raise StorageUnavailable("The storage is away.")
        return scene.now

    clock = SharedClock(ask, lambda: scene.now + 365 * DAY)
    housekeeper = Housekeeper(storage=scene.storage, clock=clock)
    for _ in range(3):
        assert await housekeeper.run_once(asyncio.Event())
    assert len(scene.database.answers) == 1
    scene.now += 9 * DAY
    await housekeeper.run_once(asyncio.Event())
    assert len(scene.database.answers) == is_away
