"""What every storage promises about searches of the event feed."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

from gateway.application.ports.events import EventFilter, FeedEvent
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Changes
from gateway.contracts.records import NOW, a_payment, an_account, an_event, commit, user_id
from gateway.domain.event import Event, EventId
from gateway.domain.event_type import EventType

EVENTS: Final = 700
BATCH: Final = 9
"""Several blocks of an index, whose ends fall into transactions."""
FEW: Final = 20

RARE, MIDDLING, HOT, NOBODY = user_id(901), user_id(902), user_id(903), user_id(904)

FILTERS: Final = {
    "everything": EventFilter(),
    "every type": EventFilter(type="*"),
    "a hot merchant": EventFilter(merchant_id=HOT),
    "a middling customer": EventFilter(customer_id=MIDDLING),
    "a rare merchant": EventFilter(merchant_id=RARE),
    "nobody": EventFilter(customer_id=NOBODY),
    "one object": EventFilter(object_id=a_payment(321).id),
    "a type": EventFilter(type="account.frozen"),
    "a kind": EventFilter(type="account.*"),
    "a type of a party": EventFilter(merchant_id=HOT, type="payment.failed"),
    "a time": EventFilter(
        created_after=NOW + timedelta(seconds=100),
        created_before=NOW + timedelta(seconds=400),
    ),
    "a time of a party": EventFilter(customer_id=MIDDLING, created_after=NOW + timedelta(seconds=500)),
}


class EventSearchContract:
    """Subclass it, and give a fixture `storage` which returns an empty `Storage`."""

    async def test_a_search_finds_what_reading_everything_would(self, storage: Storage) -> None:
        """In both directions, a page at a time."""
        await write_feed(storage)
        feed = await whole_feed(storage)
        for name, where in FILTERS.items():
            wanted = [event for event in feed if where.matches(event)]
            for limit in (1 if len(wanted) < FEW else 40, 1_000):
                assert await ascending(storage, where, limit) == wanted, name
                assert await descending(storage, where, limit) == wanted[::-1], name

    async def test_an_empty_feed_is_searched_at_once(self, storage: Storage) -> None:
        """And there is no more of it."""
        for found in (
            await storage.events.find_after(EventFilter(), after=0, limit=10),
            await storage.events.find_before(EventFilter(), before=None, limit=10),
        ):
            assert list(found.events) == []
            assert not found.has_more

    async def test_a_search_goes_on_where_it_ended(self, storage: Storage) -> None:
        """With what was committed since."""
        await commit(storage, Changes(events_new=feed()[:20]))
        where = EventFilter(merchant_id=HOT)
        first = await storage.events.find_after(where, after=0, limit=1_000)
        assert first.position == await storage.events.newest()
        assert not first.has_more
        await commit(storage, Changes(events_new=feed()[20:30]))
        second = await storage.events.find_after(where, after=first.position, limit=1_000)
        wanted = [event.id for event in feed()[:30] if event.merchant_id == HOT]
        assert [event.id for event in (*first.events, *second.events)] == wanted

    async def test_a_position_beyond_the_end_is_an_end(self, storage: Storage) -> None:
        """Of both directions."""
        await commit(storage, Changes(events_new=feed()[:5]))
        beyond = 2**62
        after = await storage.events.find_after(EventFilter(), after=beyond, limit=10)
        assert (list(after.events), after.position, after.has_more) == ([], beyond, False)
        before = await storage.events.find_before(EventFilter(), before=beyond, limit=10)
        assert [event.id for event in before.events] == [event.id for event in reversed(feed()[:5])]
        first = await storage.events.find_before(EventFilter(), before=1, limit=10)
        assert (list(first.events), first.has_more) == ([], False)

    async def test_an_event_is_found_by_its_id(self, storage: Storage) -> None:
        """As the feed tells it."""
        await write_feed(storage, count=30)
        for event in await whole_feed(storage):
            assert await storage.events.event(event.id) == event
        assert await storage.events.event(EventId("evt_unknown")) is None


def feed() -> list[Event]:
    """Events of parties of every kind."""
    return [_event(number) for number in range(1, EVENTS + 1)]


def _event(number: int) -> Event:
    customer, merchant = user_id(number % 50), HOT if number % 2 else user_id(100 + number % 7)
    if number in {3, EVENTS // 2, EVENTS - 3}:
        merchant = RARE
    if number % 40 == 0:
        customer = MIDDLING
    event = an_event(number, a_payment(number), EventType.PAYMENT_CAPTURED)
    if number % 100 == 17:
        event = an_event(number, an_account(number), EventType.ACCOUNT_FROZEN)
    elif number % 11 == 0:
        event = an_event(number, a_payment(number), EventType.PAYMENT_FAILED)
    return replace(event, customer_id=customer, merchant_id=merchant, created_at=NOW + timedelta(seconds=number))


async def write_feed(storage: Storage, *, count: int = EVENTS) -> None:
    """Commit the events, some in each transaction."""
    events = feed()[:count]
    for first in range(0, count, BATCH):
        await commit(storage, Changes(events_new=events[first : first + BATCH]))


async def whole_feed(storage: Storage) -> Sequence[FeedEvent]:
    """All events, in their order."""
    return await storage.events.read(after=0, limit=EVENTS)


async def ascending(storage: Storage, where: EventFilter, limit: int) -> list[FeedEvent]:
    """What is found by going on from each page."""
    found: list[FeedEvent] = []
    position, more = 0, True
    while more:
        page = await storage.events.find_after(where, after=position, limit=limit)
        assert len(page.events) <= limit
        assert page.position > position or not page.has_more
        found.extend(page.events)
        position, more = page.position, page.has_more
    return found


async def descending(storage: Storage, where: EventFilter, limit: int) -> list[FeedEvent]:
    """As `ascending`, from the newest event."""
    found: list[FeedEvent] = []
    position: int | None = None
    more = True
    while more:
        page = await storage.events.find_before(where, before=position, limit=limit)
        assert len(page.events) <= limit
        assert position is None or page.position < position or not page.has_more
        found.extend(page.events)
        position, more = page.position, page.has_more
    return found
