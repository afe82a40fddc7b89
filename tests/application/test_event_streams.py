"""Streams of events on every storage: nothing is skipped, nothing comes twice, and without streams nothing is read."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.adapters.memory import memory_storage
from gateway.application.access.caller import Caller
from gateway.application.errors import Overloaded, RateLimited
from gateway.application.events.commit_signal import CommitSignal
from gateway.application.events.event_queries import EventQueries
from gateway.application.events.hub import EventHub, StreamLimits
from gateway.application.events.stream import EventStream, StreamEnded
from gateway.application.ports.events import EventFilter, FeedEvent
from gateway.application.ports.sessions import SessionId
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Changes, StorageUnavailable
from gateway.contracts.event_search import HOT, feed, whole_feed
from gateway.contracts.records import commit
from gateway.domain.errors import InvalidInput
from gateway.domain.user import Role, UserId

TIMEOUT_SECONDS = 60
LONG = 3_600.0
EVERYTHING = EventFilter()
OPERATOR = Caller(user_id=UserId("usr_operator"), role=Role.OPERATOR, session_id=SessionId("ses_1"))
MERCHANT = Caller(user_id=HOT, role=Role.MERCHANT, session_id=SessionId("ses_2"))


class Scene:
    """A hub on a storage, and a writer whose commits it is told of."""

    def __init__(self, storage: Storage, **limits: int) -> None:
        self.storage = storage
        self.commits = CommitSignal()
        queries = EventQueries(storage.events, lambda: datetime.now(UTC))
        self.hub = EventHub(queries, self.commits, StreamLimits(**limits))
        self._events = feed()

    async def write(self, count: int) -> None:
        """Commit the next events, one in each transaction."""
        for _ in range(count):
            await commit(self.storage, Changes(events_new=[self._events.pop(0)]))
            self.commits.notify()


@pytest.fixture
def scene() -> Scene:
    return Scene(memory_storage())


async def test_a_stream_has_what_was_before_and_what_comes_after(scene: Scene) -> None:
    await scene.write(120)
    stream = await scene.hub.open(MERCHANT, EVERYTHING, after=7)
    reading = asyncio.create_task(read(stream, 120))
    await scene.write(130)
    wanted = [event for event in await whole_feed(scene.storage) if event.position > 7 and event.merchant_id == HOT]
    seen = await reading
    assert seen == wanted[: len(seen)]
    stream.close()


async def test_streams_that_open_and_resume_amid_commits_miss_nothing(scene: Scene) -> None:
    await scene.write(50)

    async def follow() -> list[FeedEvent]:
        """Read a little from each of many streams, the next one from where the one before ended."""
        seen: list[FeedEvent] = []
        while len(seen) < 400:
            stream = await scene.hub.open(OPERATOR, EVERYTHING, after=seen[-1].position if seen else 0)
            seen.extend(await read(stream, min(17, 400 - len(seen))))
            stream.close()
        return seen

    async def write() -> None:
        for _ in range(350):
            await scene.write(1)
            await asyncio.sleep(0)

    async with asyncio.timeout(TIMEOUT_SECONDS), asyncio.TaskGroup() as tasks:
        readers = [tasks.create_task(follow()) for _ in range(4)]
        tasks.create_task(write())
    everything = list(await whole_feed(scene.storage))
    for reader in readers:
        seen = reader.result()
        assert seen == everything[: len(seen)]


async def test_without_streams_nothing_is_read(scene: Scene) -> None:
    watched = Watched(scene.storage.events)
    hub = EventHub(EventQueries(watched, lambda: datetime.now(UTC)), scene.commits, StreamLimits())
    await scene.write(3)
    assert watched.calls == []
    streams = [await hub.open(OPERATOR, EVERYTHING, after=None) for _ in range(3)]
    await scene.write(1)
    for stream in streams:
        assert len(await read(stream, 1)) == 1
    assert set(watched.calls) == {"newest", "read"}
    for stream in streams:
        stream.close()
    await asyncio.sleep(0)
    watched.calls.clear()
    await scene.write(3)
    await asyncio.sleep(0.05)
    assert watched.calls == []


async def test_a_stream_that_is_not_read_is_ended(scene: Scene) -> None:
    scene = Scene(scene.storage, waiting_max=5)
    slow = await scene.hub.open(OPERATOR, EVERYTHING, after=None)
    quick = await scene.hub.open(OPERATOR, EVERYTHING, after=None)
    for _ in range(6):
        await scene.write(1)
        await read(quick, 1)
    with pytest.raises(StreamEnded, match="too_slow"):
        await slow.next(LONG)
    slow.close()
    resumed = await scene.hub.open(OPERATOR, EVERYTHING, after=slow.position)
    assert [event.position for event in await read(resumed, 6)] == list(range(1, 7))


async def test_catching_up_survives_more_commits_than_may_wait(scene: Scene) -> None:
    scene = Scene(scene.storage, waiting_max=5)
    await scene.write(120)
    stream = await scene.hub.open(OPERATOR, EVERYTHING, after=0)
    seen = list(await stream.next(LONG))
    other = await scene.hub.open(OPERATOR, EVERYTHING, after=None)
    for _ in range(20):
        await scene.write(1)
        await read(other, 1)
    seen += await read(stream, 140 - len(seen))
    assert seen == list(await whole_feed(scene.storage))


async def test_the_number_of_streams_is_bounded(scene: Scene) -> None:
    scene = Scene(scene.storage, streams_max=3, streams_per_user_max=2)
    two = [await scene.hub.open(MERCHANT, EVERYTHING, after=None) for _ in range(2)]
    with pytest.raises(RateLimited):
        await scene.hub.open(MERCHANT, EVERYTHING, after=None)
    await scene.hub.open(OPERATOR, EVERYTHING, after=None)
    with pytest.raises(Overloaded):
        await scene.hub.open(OPERATOR, EVERYTHING, after=None)
    two[0].close()
    two[0].close()
    await scene.hub.open(OPERATOR, EVERYTHING, after=None)


async def test_a_position_that_is_not_reached_yet_is_refused(scene: Scene) -> None:
    await scene.write(3)
    for beyond in (4, 2**62):
        with pytest.raises(InvalidInput):
            await scene.hub.open(OPERATOR, EVERYTHING, after=beyond)
    at_the_end = await scene.hub.open(OPERATOR, EVERYTHING, after=3)
    await scene.write(1)
    assert len(await read(at_the_end, 1)) == 1


async def test_an_outage_delays_events_and_ends_no_stream(scene: Scene) -> None:
    watched = Watched(scene.storage.events)
    hub = EventHub(EventQueries(watched, lambda: datetime.now(UTC)), scene.commits, StreamLimits())
    stream = await hub.open(OPERATOR, EVERYTHING, after=None)
    watched.error = StorageUnavailable("away")
    await scene.write(2)
    assert await stream.next(0.05) == []
    watched.error = None
    scene.commits.notify()
    assert len(await read(stream, 2)) == 2


async def test_a_bug_ends_all_streams_and_the_next_one_begins_anew(scene: Scene) -> None:
    watched = Watched(scene.storage.events)
    hub = EventHub(EventQueries(watched, lambda: datetime.now(UTC)), scene.commits, StreamLimits())
    stream = await hub.open(OPERATOR, EVERYTHING, after=None)
    watched.error = KeyError("a bug")
    await scene.write(1)
    with pytest.raises(StreamEnded, match="internal_error"):
        await read(stream, 1)
    watched.error = None
    again = await hub.open(OPERATOR, EVERYTHING, after=0)
    assert len(await read(again, 1)) == 1
    await scene.write(1)
    assert len(await read(again, 1)) == 1


class Watched:
    """A feed that notes what is asked of it, and fails when it is told to."""

    def __init__(self, inner: Any) -> None:
        self.calls: list[str] = []
        self.error: Exception | None = None
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        async def call(*arguments: Any, **named: Any) -> Any:
            self.calls.append(name)
            if self.error is not None and name == "read":
                raise self.error
            return await getattr(self._inner, name)(*arguments, **named)

        return call


async def read(stream: EventStream, count: int) -> Sequence[FeedEvent]:
    """The next events of a stream, so many of them."""
    seen: list[FeedEvent] = []
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while len(seen) < count:
            seen.extend(await stream.next(LONG))
    return seen


@pytest.fixture(autouse=True)
async def no_hub_is_left() -> AsyncIterator[None]:
    yield
    for task in asyncio.all_tasks():
        if task.get_name() == "event-hub":
            task.cancel()
