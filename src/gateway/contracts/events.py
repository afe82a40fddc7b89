"""What every storage promises about the event feed."""

import asyncio
from collections.abc import Collection, Sequence

import pytest

from gateway.application.events.feed import Events
from gateway.application.ports.events import FeedEvent
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Changes, KeyTaken
from gateway.contracts.records import a_payment, an_account, an_answer, an_event, commit
from gateway.contracts.unit_of_work.support import run_again
from gateway.domain.event import Event
from gateway.domain.event_type import EventType

TIMEOUT_SECONDS = 60
"""Longer than any storage may take."""
WRITERS, COMMITS_OF_A_WRITER, READERS = 8, 25, 3
FAILS_EVERY = 10


class EventFeedContract:
    """Subclass it, and give a fixture `storage` which returns an empty `Storage`."""

    async def test_an_event_comes_back_with_every_field(self, storage: Storage) -> None:
        """And with the JSON of its object as it was then."""
        opened = an_event(1, an_account(1), EventType.ACCOUNT_OPENED)
        captured = an_event(2, a_payment(1, version=3), EventType.PAYMENT_CAPTURED)
        await commit(storage, Changes(events_new=[opened, captured]))
        first, second = await storage.events.read(after=0, limit=10)
        assert first == feed_event(opened, first.position)
        assert second == feed_event(captured, second.position)
        assert 1 <= first.position < second.position

    async def test_an_empty_feed_has_no_events(self, storage: Storage) -> None:
        """And nothing is behind the newest event."""
        assert list(await storage.events.read(after=0, limit=10)) == []
        await commit(storage, Changes(events_new=events(1)))
        [only] = await storage.events.read(after=0, limit=10)
        assert list(await storage.events.read(after=only.position, limit=10)) == []
        assert list(await storage.events.read(after=2**62, limit=10)) == []

    async def test_the_newest_position_is_that_of_the_last_event(self, storage: Storage) -> None:
        """0 at first; then at once the position of an event that was committed, whatever its id."""
        assert await storage.events.newest() == 0
        for batch in ((7, 8, 9), (1,), (5, 4)):
            await commit(storage, Changes(events_new=events(*batch)))
            newest = await storage.events.newest()
            [*_, last] = await storage.events.read(after=0, limit=100)
            assert newest == last.position

    async def test_events_are_in_the_order_of_their_commits(self, storage: Storage) -> None:
        """Whatever their ids: the events of one transaction in the order in which it made them."""
        batches = [(7, 8, 9), (1, 2), (5,), (4, 3)]
        for batch in batches:
            await commit(storage, Changes(events_new=events(*batch)))
        assert ids_of(await storage.events.read(after=0, limit=100)) == ids_of(events(7, 8, 9, 1, 2, 5, 4, 3))

    async def test_ids_of_two_transactions_may_alternate(self, storage: Storage) -> None:
        """Two processes make ids at the same time."""
        await commit(storage, Changes(events_new=events(1, 4, 7)))
        await commit(storage, Changes(events_new=events(2, 5, 8)))
        await commit(storage, Changes(events_new=events(3, 6)))
        assert ids_of(await storage.events.read(after=0, limit=100)) == ids_of(events(1, 4, 7, 2, 5, 8, 3, 6))

    @pytest.mark.parametrize("limit", [1, 2, 3, 4, 7])
    async def test_pages_give_each_event_once(self, storage: Storage, limit: int) -> None:
        """A page may end within a transaction, and the next page goes on there."""
        for batch in ((1, 2, 3), (4,), (5, 6, 7, 8, 9), (10, 11)):
            await commit(storage, Changes(events_new=events(*batch)))
        found: list[FeedEvent] = []
        while page := await storage.events.read(after=found[-1].position if found else 0, limit=limit):
            assert len(page) <= limit
            found.extend(page)
        assert ids_of(found) == ids_of(events(*range(1, 12)))
        assert found == list(await storage.events.read(after=0, limit=100))

    async def test_a_position_never_changes(self, storage: Storage) -> None:
        """Not when it is read again, and not when events with lower ids follow."""
        await commit(storage, Changes(events_new=events(5, 6)))
        before = list(await storage.events.read(after=0, limit=100))
        await commit(storage, Changes(events_new=events(1, 7)))
        after = list(await storage.events.read(after=0, limit=100))
        assert after[:2] == before
        assert ids_of(after) == ids_of(events(5, 6, 1, 7))

    async def test_what_was_not_committed_has_no_event(self, storage: Storage) -> None:
        """The feed goes on behind it."""
        await commit(storage, Changes(answers_new=[an_answer()], events_new=events(1)))
        with pytest.raises(KeyTaken):
            await commit(storage, Changes(answers_new=[an_answer()], events_new=events(2)))
        async with storage.unit_of_work():
            pass
        await commit(storage, Changes(events_new=events(3)))
        assert ids_of(await storage.events.read(after=0, limit=100)) == ids_of(events(1, 3))

    async def test_readers_that_go_on_from_the_last_position_miss_nothing(self, storage: Storage) -> None:
        """While others commit. No reader sees a position go back, and all of them see the same feed."""
        total = WRITERS * COMMITS_OF_A_WRITER

        @run_again
        async def write(number: int) -> None:
            await commit(storage, Changes(events_new=events(number)))

        async def writes(writer: int) -> None:
            for each in range(COMMITS_OF_A_WRITER):
                await write(each * WRITERS + writer + 1)

        async def follow() -> list[FeedEvent]:
            seen: list[FeedEvent] = []
            while len(seen) < total:
                seen.extend(await storage.events.read(after=seen[-1].position if seen else 0, limit=7))
                await asyncio.sleep(0)
            return seen

        async with asyncio.timeout(TIMEOUT_SECONDS), asyncio.TaskGroup() as tasks:
            readers = [tasks.create_task(follow()) for _ in range(READERS)]
            for writer in range(WRITERS):
                tasks.create_task(writes(writer))
        first = readers[0].result()
        assert sorted(ids_of(first)) == ids_of(events(*range(1, total + 1)))
        positions = [event.position for event in first]
        assert positions == sorted(set(positions))
        assert all(reader.result() == first for reader in readers)

    async def test_a_subscription_is_called_with_each_event_once_in_order(self, storage: Storage) -> None:
        """Although its function fails now and then."""
        feed = Events(storage.events)
        await commit(storage, Changes(events_new=events(1)))
        total = WRITERS * COMMITS_OF_A_WRITER
        called: list[FeedEvent] = []
        finished = asyncio.Event()

        async def take(event: FeedEvent) -> None:
            called.append(event)
            await asyncio.sleep(0)
            if len(called) == total:
                finished.set()
            if len(called) % FAILS_EVERY == 0:
                raise RuntimeError("This function has a bug.")

        @run_again
        async def write(number: int) -> None:
            await commit(storage, Changes(events_new=events(number)))
            feed.commits.notify()

        async def writes(writer: int) -> None:
            for number in range(2 + writer, 2 + total, WRITERS):
                await write(number)

        async with feed.on_commit(take) as subscription:
            async with asyncio.timeout(TIMEOUT_SECONDS), asyncio.TaskGroup() as tasks:
                for writer in range(WRITERS):
                    tasks.create_task(writes(writer))
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await finished.wait()
        assert called == list(await storage.events.read(after=0, limit=1_000))[1:]
        assert subscription.position == called[-1].position


def events(*numbers: int) -> list[Event]:
    """Events with these numbers, each of a payment of its own."""
    return [an_event(number, a_payment(number), EventType.PAYMENT_CAPTURED) for number in numbers]


def ids_of(found: Collection[Event] | Sequence[FeedEvent]) -> list[str]:
    """The ids of events."""
    return [event.id for event in found]


def feed_event(event: Event, position: int) -> FeedEvent:
    """The event as the feed tells it."""
    return FeedEvent(
        position=position,
        id=event.id,
        type=event.type,
        object_id=event.object.id,
        sequence=event.sequence,
        customer_id=event.customer_id,
        merchant_id=event.merchant_id,
        created_at=event.created_at,
        data=event.data,
    )
