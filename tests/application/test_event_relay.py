"""The relay publishes every event in order, whatever the sink and the storage do, and however many relays there are."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest

from gateway.adapters.memory import memory_storage
from gateway.application.events.relay import EventRelay, FirstEvent, RelayLimits
from gateway.application.ports.event_cursors import EventCursors
from gateway.application.ports.event_sink import SinkUnavailable
from gateway.application.ports.events import FeedEvent
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Changes, StorageUnavailable
from gateway.contracts.records import a_payment, an_event, commit
from gateway.domain.event_type import EventType

TIMEOUT_SECONDS = 60
LIMITS = RelayLimits(
    group_size=7,
    poll_seconds=0.001,
    takeover_seconds=0.02,
    backoff_seconds_min=0.001,
    backoff_seconds_max=0.01,
    publish_seconds_max=TIMEOUT_SECONDS,
)


@dataclass
class Sink:
    """Keeps what was published. `before` and `after` run around each group, and may raise."""

    groups: list[list[int]] = field(default_factory=list[list[int]])
    before: Callable[[], None] = lambda: None
    after: Callable[[], None] = lambda: None
    hangs: bool = False

    async def publish(self, events: Sequence[FeedEvent]) -> None:
        self.before()
        if self.hangs:
            await asyncio.Event().wait()
        await asyncio.sleep(0)
        self.groups.append([event.position for event in events])
        self.after()

    @property
    def positions(self) -> list[int]:
        return [position for group in self.groups for position in group]


@pytest.fixture
def storage() -> Storage:
    return memory_storage()


async def write(storage: Storage, first: int, last: int) -> None:
    """Events with positions `first` … `last`."""
    made = [an_event(number, a_payment(number), EventType.PAYMENT_CAPTURED) for number in range(first, last + 1)]
    await commit(storage, Changes(events_new=made))


def relay(
    storage: Storage,
    sink: Sink,
    *,
    limits: RelayLimits = LIMITS,
    first_event: FirstEvent = FirstEvent.OLDEST,
    cursors: EventCursors | None = None,
) -> EventRelay:
    return EventRelay(
        name="sink",
        sink=sink,
        feed=storage.events,
        cursors=cursors or storage.event_cursors,
        first_event=first_event,
        limits=limits,
        chance=lambda: 0.0,
    )


@asynccontextmanager
async def running(*relays: EventRelay) -> AsyncIterator[asyncio.Event]:
    stop = asyncio.Event()
    async with asyncio.timeout(TIMEOUT_SECONDS), asyncio.TaskGroup() as tasks:
        for each in relays:
            tasks.create_task(each.run(stop))
        try:
            yield stop
        finally:
            stop.set()


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - the relay tells nobody.
        await asyncio.sleep(0.001)


async def until_moved(storage: Storage, to: int) -> None:
    while await storage.event_cursors.position("sink") != to:  # noqa: ASYNC110 - as above.
        await asyncio.sleep(0.001)


async def test_events_are_published_once_in_order_in_groups(storage: Storage) -> None:
    sink = Sink()
    await write(storage, 1, 20)
    async with running(relay(storage, sink)):
        await until_moved(storage, 20)
        await write(storage, 21, 23)
        await until_moved(storage, 23)
    assert sink.positions == list(range(1, 24))
    assert max(map(len, sink.groups)) == LIMITS.group_size


async def test_a_commit_of_this_process_wakes_the_relay(storage: Storage) -> None:
    sink = Sink()
    each = relay(storage, sink, limits=replace(LIMITS, poll_seconds=TIMEOUT_SECONDS))
    async with running(each) as stop:
        await write(storage, 1, 1)
        await until_moved(storage, 1)
        await asyncio.sleep(0.01)
        await write(storage, 2, 2)
        each.commits.notify()
        await until_moved(storage, 2)
        stop.set()
        each.commits.notify()


async def test_a_new_sink_begins_after_the_newest_event_and_then_misses_none(storage: Storage) -> None:
    sink = Sink()
    await write(storage, 1, 5)
    async with running(relay(storage, sink, first_event=FirstEvent.NEWEST)):
        await until_moved(storage, 5)
    await write(storage, 6, 8)
    async with running(relay(storage, sink, first_event=FirstEvent.NEWEST)):
        await until_moved(storage, 8)
    assert sink.positions == [6, 7, 8]


async def test_a_new_sink_of_an_empty_feed_gets_the_events_that_are_written_while_no_relay_runs(
    storage: Storage,
) -> None:
    sink = Sink()
    async with running(relay(storage, sink, first_event=FirstEvent.NEWEST)):
        await until_moved(storage, 0)
    await write(storage, 1, 3)
    async with running(relay(storage, sink, first_event=FirstEvent.NEWEST)):
        await until_moved(storage, 3)
    assert sink.positions == [1, 2, 3]


async def test_the_cursor_moves_only_after_the_acknowledgement(storage: Storage) -> None:
    sink = Sink(hangs=True)
    await write(storage, 1, 3)
    each = asyncio.create_task(relay(storage, sink).run(asyncio.Event()))
    await asyncio.sleep(0.1)
    assert await storage.event_cursors.position("sink") == 0
    each.cancel()  # As a crash: between sending and acknowledgement.
    await asyncio.gather(each, return_exceptions=True)
    sink.hangs = False
    async with running(relay(storage, sink)):
        await until_moved(storage, 3)
    assert sink.positions == [1, 2, 3]


async def test_an_unavailable_sink_is_logged_once_for_each_cause_and_the_group_is_published_again(
    storage: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    failures = ["away"] * 5 + ["full"] * 5
    caplog.set_level(logging.INFO)

    def fail() -> None:
        if failures:
            raise SinkUnavailable(failures.pop(0))

    sink = Sink(after=fail)
    await write(storage, 1, 10)
    async with running(relay(storage, sink)):
        await until_moved(storage, 10)
    assert sink.groups == [list(range(1, 8))] * 11 + [[8, 9, 10]]
    told = [record for record in caplog.records if record.getMessage() != "event_relay_begins"]
    assert [record.getMessage() for record in told] == ["event_relay_waits"] * 2 + ["event_relay_goes_on"]
    assert [vars(record).get("cause") for record in told] == ["away", "full", None]
    assert vars(told[2])["failures"] == 10


async def test_waits_double_up_to_a_longest_one(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    stop = asyncio.Event()

    async def wait(stopping: asyncio.Event, seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 12:
            stopping.set()

    def fail() -> None:
        raise SinkUnavailable("away")

    monkeypatch.setattr("gateway.application.events.relay.wait_for_stop", wait)
    await write(storage, 1, 1)
    limits = replace(LIMITS, takeover_seconds=0.25, backoff_seconds_min=0.25, backoff_seconds_max=30.0)
    async with asyncio.timeout(TIMEOUT_SECONDS):
        await relay(storage, Sink(before=fail), limits=limits).run(stop)
    # The first one waits for another relay. Without chance, a wait is half of the longest one possible.
    assert waited == [0.25, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0, 15.0, 15.0]


async def test_a_sink_that_hangs_is_given_up_and_tried_again(
    storage: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    sink = Sink(hangs=True)
    await write(storage, 1, 3)
    async with running(relay(storage, sink, limits=replace(LIMITS, publish_seconds_max=0.01))):
        await until(lambda: "event_relay_waits" in caplog.text)
        sink.hangs = False
        await until_moved(storage, 3)
    assert sink.positions == [1, 2, 3]
    assert [vars(record)["cause"] for record in caplog.records if record.levelno == logging.WARNING] == [
        "3 events were not acknowledged within 0.01 s."
    ]


class CursorsAway(EventCursors):
    """Fails to move, so many times: before the change, or after it."""

    def __init__(self, cursors: EventCursors, failures: int, *, moves: bool) -> None:
        self._cursors, self._failures, self._moves = cursors, failures, moves

    async def position(self, name: str) -> int | None:
        return await self._cursors.position(name)

    async def move(self, name: str, *, expected: int | None, to: int) -> bool:
        if expected is not None and self._failures:
            self._failures -= 1
            if self._moves:
                await self._cursors.move(name, expected=expected, to=to)
            raise StorageUnavailable("away")
        return await self._cursors.move(name, expected=expected, to=to)


@pytest.mark.parametrize("moves", [False, True])
async def test_events_are_not_published_again_when_only_moving_the_cursor_fails(
    storage: Storage, *, moves: bool
) -> None:
    sink = Sink()
    await write(storage, 1, 10)
    async with running(relay(storage, sink, cursors=CursorsAway(storage.event_cursors, 5, moves=moves))):
        await until_moved(storage, 10)
    assert sink.positions == list(range(1, 11))


async def test_of_several_relays_one_publishes(storage: Storage) -> None:
    sinks = [Sink() for _ in range(3)]
    relays = [relay(storage, sink) for sink in sinks]
    async with running(*relays):
        await write(storage, 1, 1)
        await until_moved(storage, 1)
        await until(lambda: sum(each._active for each in relays) == 1)  # noqa: SLF001 - until the first race is over.
        before = sum(len(sink.groups) for sink in sinks)
        for last in range(2, 200):
            await write(storage, last, last)
            await until_moved(storage, last)
        statuses = [await each.status() for each in relays]
    assert sum(len(sink.groups) for sink in sinks) - before == 198
    assert sorted(status.active for status in statuses) == [False, False, True]
    assert {(status.feed_lag, status.cause) for status in statuses} == {(0, "")}


async def test_another_relay_takes_over_when_the_active_one_dies_or_hangs(storage: Storage) -> None:
    first, second = Sink(), Sink()
    dying = asyncio.create_task(relay(storage, first).run(asyncio.Event()))
    await write(storage, 1, 10)
    async with asyncio.timeout(TIMEOUT_SECONDS):
        await until_moved(storage, 10)
    async with running(relay(storage, second)):
        await write(storage, 11, 20)
        await until_moved(storage, 20)
        assert second.positions == []
        first.hangs = True
        await write(storage, 21, 30)
        await until_moved(storage, 30)
        assert second.positions == list(range(21, 31))
        dying.cancel()
        await asyncio.gather(dying, return_exceptions=True)
    assert first.positions == list(range(1, 21))


async def test_a_relay_that_was_overtaken_does_not_move_the_cursor_back(storage: Storage) -> None:
    """It published the same events; the sink recognises their ids."""
    released = asyncio.Event()
    slow, quick = Sink(), Sink()
    plain = slow.publish

    async def publish(events: Sequence[FeedEvent]) -> None:
        await released.wait()
        await plain(events)

    slow.publish = publish  # type: ignore[method-assign]
    await write(storage, 1, 3)
    first = relay(storage, slow)
    async with running(first):
        await until(lambda: first._active)  # noqa: SLF001 - it has begun.
        async with running(relay(storage, quick)):
            await until_moved(storage, 3)
            await write(storage, 4, 6)
            await until_moved(storage, 6)
            released.set()
            await until(lambda: slow.positions == [1, 2, 3])
            await write(storage, 7, 9)
            await until_moved(storage, 9)
    assert sorted({*slow.positions, *quick.positions}) == list(range(1, 10))


async def test_a_cursor_that_is_moved_back_has_its_events_published_again(storage: Storage) -> None:
    sink = Sink()
    await write(storage, 1, 10)
    async with running(relay(storage, sink)):
        await until_moved(storage, 10)
        await storage.event_cursors.move("sink", expected=10, to=4)
        await until_moved(storage, 10)
    assert sink.positions == [*range(1, 11), *range(5, 11)]


async def test_the_status_tells_how_far_the_sink_is_behind_and_why(storage: Storage) -> None:
    def fail() -> None:
        raise SinkUnavailable("away")

    each = relay(storage, Sink(before=fail))
    assert (await each.status()).feed_lag == 0
    await write(storage, 1, 10)
    async with running(each):
        await until(lambda: bool(each._cause))  # noqa: SLF001 - it has failed once.
        status = await each.status()
    assert (status.feed_lag, status.active, status.cause) == (10, True, "away")
