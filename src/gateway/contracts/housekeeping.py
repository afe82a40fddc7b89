"""What every storage promises about the deletion of old rows."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from gateway.application.ports.deliveries import WEBHOOKS
from gateway.application.ports.delivery_records import Delivery, DeliveryId, Replay, ReplayId
from gateway.application.ports.events import EventFilter
from gateway.application.ports.housekeeping import Deleted
from gateway.application.ports.sessions import SessionId, StoredToken, Successor, TokenStatus
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Changes, Wanted
from gateway.contracts.event_search import ascending
from gateway.contracts.events import events, ids_of
from gateway.contracts.login_failures import fail
from gateway.contracts.records import (
    NOW,
    a_payment,
    a_quote,
    a_user,
    a_webhook_endpoint,
    an_answer,
    an_event,
    commit,
    endpoint_id,
    identifier,
    load,
    payment_id,
    quote_id,
)
from gateway.contracts.sessions import start
from gateway.domain.event import Event
from gateway.domain.event_type import EventType

DAY: Final = timedelta(days=1)
SECOND: Final = timedelta(seconds=1)
STEPS_MAX: Final = 1_000
BEHIND_ALL: Final = 2**62


class HousekeepingContract:
    """Subclass it, and give a fixture `storage` which returns an empty `Storage`."""

    async def test_answers_are_deleted_when_they_are_old(self, storage: Storage) -> None:
        """And those are kept that were created at the moment itself."""
        for number in range(1, 8):
            answer = an_answer(f"key-{number}", created_at=NOW + (number - 4) * SECOND)
            await commit(storage, Changes(answers_new=[answer]))
        delete = storage.housekeeping.delete_answers
        assert await steps(lambda: delete(before=NOW, limit=2), limit=2) == 3
        assert await keys(storage) == {f"key-{number}" for number in range(4, 8)}
        assert await steps(lambda: delete(before=NOW, limit=2), limit=2) == 0

    async def test_a_deleted_answer_leaves_its_key_free(self, storage: Storage) -> None:
        """It can be claimed again, with another answer."""
        await commit(storage, Changes(answers_new=[an_answer(created_at=NOW - DAY)]))
        await steps(lambda: storage.housekeeping.delete_answers(before=NOW, limit=10), limit=10)
        again = an_answer(body=b"{}", created_at=NOW)
        await commit(storage, Changes(answers_new=[again]), Wanted(answers=[again.key]))
        assert list((await load(storage, Wanted(answers=[again.key]))).answers) == [again]

    async def test_no_answer_is_older_than_the_oldest(self, storage: Storage) -> None:
        """Whatever is told: no answer is left that is older."""
        housekeeping = storage.housekeeping
        await commit(storage, Changes(answers_new=[an_answer("old", created_at=NOW - 9 * DAY)]))
        await commit(storage, Changes(answers_new=[an_answer("new", created_at=NOW)]))
        oldest = await housekeeping.oldest_answer()
        assert oldest is not None
        assert oldest <= NOW - 9 * DAY
        await steps(lambda: housekeeping.delete_answers(before=NOW - DAY, limit=10), limit=10)
        oldest = await housekeeping.oldest_answer()
        assert oldest is not None
        assert NOW - DAY <= oldest <= NOW

    async def test_the_first_events_are_deleted(self, storage: Storage) -> None:
        """Positions stay, and so do the events from the first one that is not old enough."""
        await several_days(storage)
        before = await storage.events.read(after=0, limit=100)
        delete = storage.housekeeping.delete_events
        assert await steps(lambda: delete(before=NOW + 3 * DAY, until=BEHIND_ALL, limit=4), limit=4) == 6
        after = await storage.events.read(after=0, limit=100)
        assert list(after) == list(before)[6:]
        assert await storage.events.newest() == before[-1].position
        assert await storage.events.event(before[0].id) is None
        assert await storage.events.event(before[6].id) == before[6]
        assert await steps(lambda: delete(before=NOW + 3 * DAY, until=BEHIND_ALL, limit=4), limit=4) == 0

    async def test_events_are_kept_that_a_reader_has_not_passed(self, storage: Storage) -> None:
        """Also if they are old, with all events behind them."""
        await several_days(storage)
        everything = await storage.events.read(after=0, limit=100)
        delete = partial(storage.housekeeping.delete_events, before=NOW + 9 * DAY, limit=9)
        for until, count in ((0, 0), (everything[1].position, 2), (everything[1].position, 0)):
            assert await steps(partial(delete, until=until), limit=9) == count
        assert list(await storage.events.read(after=0, limit=100)) == list(everything)[2:]

    async def test_the_feed_goes_on_behind_deleted_events(self, storage: Storage) -> None:
        """No position is given twice, however much was deleted."""
        await several_days(storage)
        newest = await storage.events.newest()
        delete = storage.housekeeping.delete_events
        await steps(lambda: delete(before=NOW + 9 * DAY, until=BEHIND_ALL, limit=5), limit=5)
        assert await storage.events.newest() == newest
        await commit(storage, Changes(events_new=events(50)))
        [*_, last] = await storage.events.read(after=0, limit=100)
        assert last.position == newest + 1
        assert ids_of([last]) == ids_of(events(50))

    async def test_searches_begin_at_the_first_event_that_is_kept(self, storage: Storage) -> None:
        """In both directions, from any position, with a bounded number of requests."""
        await several_days(storage)
        everything = await storage.events.read(after=0, limit=100)
        delete = storage.housekeeping.delete_events
        await steps(lambda: delete(before=NOW + 3 * DAY, until=BEHIND_ALL, limit=9), limit=9)
        kept = list(everything)[6:]
        for after in (0, everything[2].position, everything[5].position):
            found = await storage.events.find_after(EventFilter(), after=after, limit=100)
            assert (list(found.events), found.has_more) == (kept, False)
            assert list(await storage.events.read(after=after, limit=100)) == kept
        for before in (0, 1, everything[2].position, everything[6].position):
            found = await storage.events.find_before(EventFilter(), before=before, limit=100)
            assert (list(found.events), found.has_more) == ([], False)
        found = await storage.events.find_before(EventFilter(), before=None, limit=100)
        assert (list(found.events), found.has_more) == (kept[::-1], False)
        found = await storage.events.find_before(EventFilter(), before=None, limit=len(kept))
        assert (list(found.events), found.has_more) == (kept[::-1], False)

    async def test_the_fan_out_begins_at_the_first_event_that_is_kept(self, storage: Storage) -> None:
        """A reader that has no cursor yet, for example."""
        await commit(storage, Changes(webhook_endpoints_new=[a_webhook_endpoint(1, all_merchants=True)]))
        await several_days(storage)
        everything = await storage.events.read(after=0, limit=100)
        delete = storage.housekeeping.delete_events
        await steps(lambda: delete(before=NOW + 3 * DAY, until=BEHIND_ALL, limit=9), limit=9)
        found = await storage.deliveries.candidates(after=0, limit=3)
        assert [each.position for each in found.events] == [each.position for each in everything[6:9]]
        assert found.until == everything[8].position

    async def test_the_audit_tells_since_when_all_events_are_kept(self, storage: Storage) -> None:
        """Not later than the first one that is, and later than every deleted one."""
        await several_days(storage)
        async with storage.audit() as audit:
            assert await audit.events_kept_since() is None
        delete = storage.housekeeping.delete_events
        await steps(lambda: delete(before=NOW + 3 * DAY, until=BEHIND_ALL, limit=4), limit=4)
        async with storage.audit() as audit:
            kept_since = await audit.events_kept_since()
        assert kept_since is not None
        assert NOW + 2 * DAY < kept_since <= NOW + 3 * DAY

    async def test_readers_of_events_are_told(self, storage: Storage) -> None:
        """Cursors, deliveries that wait, and replays."""
        readers = await storage.housekeeping.event_readers()
        assert (readers.cursors, readers.first_waiting, readers.replayed_since) == ({}, None, None)
        await storage.event_cursors.move("nats", expected=None, to=3)
        deliveries = [waiting(1, position=7), waiting(2, position=5)]
        assert await storage.deliveries.enqueue(deliveries, after=0, until=9)
        for number, days in ((1, 4), (2, 2), (3, 5)):
            assert await storage.deliveries.request_replay(a_replay(number, NOW - days * DAY), limit=9)
        readers = await storage.housekeeping.event_readers()
        assert readers.cursors == {"nats": 3, WEBHOOKS: 9}
        assert (readers.first_waiting, readers.replayed_since) == (5, NOW - 5 * DAY)
        await storage.deliveries.cancel(endpoint_id(1), now=NOW, limit=9)
        assert (await storage.housekeeping.event_readers()).first_waiting is None

    async def test_indexing_ends(self, storage: Storage) -> None:
        """And finds nothing to do without events, or without enough of them."""
        assert not await storage.housekeeping.index_events(blocks_max=1)
        for first in range(1, 500, 25):
            await commit(storage, Changes(events_new=events(*range(first, first + 25))))
        for _ in range(STEPS_MAX):
            if not await storage.housekeeping.index_events(blocks_max=1):
                break
        assert not await storage.housekeeping.index_events(blocks_max=1)
        assert len(await ascending(storage, EventFilter(), 1_000)) == 500

    async def test_unused_quotes_are_deleted_when_they_have_expired(self, storage: Storage) -> None:
        """Used ones are the terms of payments."""
        quotes = [a_quote(number, expires_at=NOW + number * SECOND) for number in range(1, 8)]
        quotes[1] = a_quote(2, expires_at=NOW + 2 * SECOND, payment_id=payment_id(1))
        await commit(storage, Changes(quotes_new=quotes))
        delete = storage.housekeeping.delete_quotes
        assert await steps(lambda: delete(before=NOW + 5 * SECOND, limit=2), limit=2) == 3
        kept = [number for number in range(1, 8) if await storage.reader.quote(quote_id(number)) is not None]
        assert kept == [2, 5, 6, 7]
        assert await steps(lambda: delete(before=NOW + DAY, limit=2), limit=2) == 3
        assert await storage.reader.quote(quote_id(2)) == quotes[1]

    async def test_a_session_that_was_revoked_long_ago_is_deleted(self, storage: Storage) -> None:
        """With all of its tokens, the unused one among them."""
        await begin(storage, 1)
        await begin(storage, 2)
        await rotate(storage, "1", "next")
        await storage.sessions.revoke(session_id(1), now=NOW)
        await storage.sessions.revoke(session_id(2), now=NOW + SECOND)
        delete = storage.housekeeping.delete_sessions
        assert await steps(lambda: delete(before=NOW, limit=10), limit=10) == 0
        assert await steps(lambda: delete(before=NOW + SECOND, limit=10), limit=10) == 3
        assert await storage.sessions.revoked_since(NOW) == {session_id(2)}
        assert await rotate(storage, "1", "other") is TokenStatus.UNKNOWN
        assert await rotate(storage, "next", "other") is TokenStatus.UNKNOWN
        assert await rotate(storage, "2", "other") is TokenStatus.REVOKED

    async def test_a_session_lives_as_long_as_its_last_token(self, storage: Storage) -> None:
        """However long ago the first one has expired."""
        await begin(storage, 1, expires_at=NOW + SECOND)
        await begin(storage, 2, expires_at=NOW + SECOND)
        assert await rotate(storage, "1", "next", expires_at=NOW + 30 * DAY) is TokenStatus.ROTATED
        delete = storage.housekeeping.delete_sessions
        assert await steps(lambda: delete(before=NOW + 10 * DAY, limit=10), limit=10) == 2
        assert await rotate(storage, "2", "other") is TokenStatus.UNKNOWN
        assert await rotate(storage, "next", "last", expires_at=NOW + 60 * DAY) is TokenStatus.ROTATED

    async def test_a_second_use_is_noticed_as_long_as_the_session_lives(self, storage: Storage) -> None:
        """Although the used token has long expired."""
        await begin(storage, 1, expires_at=NOW + SECOND)
        await rotate(storage, "1", "next", expires_at=NOW + 30 * DAY)
        delete = storage.housekeeping.delete_sessions
        assert await steps(lambda: delete(before=NOW + 30 * DAY, limit=10), limit=10) == 0
        assert await rotate(storage, "1", "thief") is TokenStatus.USED

    async def test_a_session_with_many_tokens_is_deleted_in_steps(self, storage: Storage) -> None:
        """No step deletes more than a few rows."""
        await begin(storage, 1, expires_at=NOW + SECOND)
        for number in range(1, 12):
            await rotate(storage, str(number), str(number + 1), expires_at=NOW + SECOND)
        await begin(storage, 100, expires_at=NOW + DAY)
        delete = storage.housekeeping.delete_sessions
        assert await steps(lambda: delete(before=NOW + 2 * SECOND, limit=2), limit=6) == 13
        assert await rotate(storage, "12", "other") is TokenStatus.UNKNOWN
        assert await rotate(storage, "100", "other") is TokenStatus.ROTATED

    async def test_old_login_failures_are_deleted(self, storage: Storage) -> None:
        """By the time of the last failure."""
        for number in range(1, 6):
            await fail(storage, f"account:{number}", now=NOW + number * SECOND)
        await fail(storage, "account:1", now=NOW + 9 * SECOND)
        delete = storage.housekeeping.delete_login_failures
        assert await steps(lambda: delete(before=NOW + 5 * SECOND, limit=2), limit=2) == 3
        found = await storage.login_failures.of([f"account:{number}" for number in range(1, 6)])
        assert found.keys() == {"account:1", "account:5"}

    async def test_an_empty_storage_has_nothing_to_delete(self, storage: Storage) -> None:
        """And the first step says so."""
        housekeeping, nothing = storage.housekeeping, Deleted(count=0, is_last=True)
        assert await housekeeping.delete_answers(before=NOW, limit=1) == nothing
        assert await housekeeping.delete_events(before=NOW, until=BEHIND_ALL, limit=1) == nothing
        assert await housekeeping.delete_quotes(before=NOW, limit=1) == nothing
        assert await housekeeping.delete_sessions(before=NOW, limit=1) == nothing
        assert await housekeeping.delete_login_failures(before=NOW, limit=1) == nothing

    async def test_several_workers_delete_each_row_once(self, storage: Storage) -> None:
        """And no step fails because of another."""
        await several_days(storage)
        numbers = range(1, 13)
        await commit(storage, Changes(quotes_new=[a_quote(number) for number in numbers]))
        await commit(storage, Changes(answers_new=[an_answer(f"key-{number}") for number in numbers]))
        for number in numbers:
            await begin(storage, number, expires_at=NOW + SECOND)
            await fail(storage, f"account:{number}")
        later, housekeeping = NOW + 9 * DAY, storage.housekeeping

        async def worker() -> list[int]:
            counts = [0] * 5
            for _ in range(8):
                done = [
                    await housekeeping.delete_answers(before=later, limit=3),
                    await housekeeping.delete_events(before=later, until=BEHIND_ALL, limit=3),
                    await housekeeping.delete_quotes(before=later, limit=3),
                    await housekeeping.delete_sessions(before=later, limit=3),
                    await housekeeping.delete_login_failures(before=later, limit=3),
                ]
                counts = [count + deleted.count for count, deleted in zip(counts, done, strict=True)]
            return counts

        async with asyncio.timeout(60):
            counts = await asyncio.gather(*(worker() for _ in range(4)))
        answers, of_events, quotes, sessions, failures = (sum(each) for each in zip(*counts, strict=True))
        assert (answers, quotes, sessions, failures) == (12, 12, 24, 12)
        assert of_events == 12 - len(await storage.events.read(after=0, limit=100))


async def steps(step: Callable[[], Awaitable[Deleted]], *, limit: int) -> int:
    """Repeat a step until it is the last. Returns how many rows were deleted; no step deletes more than `limit`."""
    count = 0
    for _ in range(STEPS_MAX):
        deleted = await step()
        assert deleted.count <= limit
        count += deleted.count
        if deleted.is_last:
            return count
    raise AssertionError("There is no end of it.")


async def keys(storage: Storage) -> set[str]:
    """The keys among `key-1` … `key-9` that have an answer."""
    wanted = Wanted(answers=[an_answer(f"key-{number}").key for number in range(1, 10)])
    return {answer.key.key for answer in (await load(storage, wanted)).answers}


async def several_days(storage: Storage) -> None:
    """Twelve events: two on each of six days, as one transaction."""
    for day in range(6):
        await commit(storage, Changes(events_new=[event_of(2 * day + 1, day), event_of(2 * day + 2, day)]))


def event_of(number: int, day: int) -> Event:
    """Event `number`, created `day` days after `NOW`."""
    moment = NOW + day * DAY
    return an_event(number, a_payment(number), EventType.PAYMENT_CAPTURED, created_at=moment)


def waiting(number: int, *, position: int) -> Delivery:
    """A delivery to endpoint 1 that waits."""
    return Delivery(
        id=DeliveryId(identifier("dlv", number)),
        endpoint_id=endpoint_id(1),
        event_id=events(number)[0].id,
        position=position,
        event_type=EventType.PAYMENT_CAPTURED,
        object_id=payment_id(number),
        created_at=NOW,
        due_at=NOW,
    )


def a_replay(number: int, created_from: datetime) -> Replay:
    """A replay to endpoint 1 that has not begun."""
    return Replay(
        id=ReplayId(identifier("rpl", number)),
        endpoint_id=endpoint_id(1),
        created_from=created_from,
        created_to=NOW,
        created_at=NOW,
    )


def session_id(number: int) -> SessionId:
    """The id of session `number`."""
    return SessionId(identifier("ses", number))


def a_token(name: str, expires_at: datetime) -> StoredToken:
    """The refresh token that the test calls `name`."""
    return StoredToken(token_hash=name.encode().ljust(32, b"\xff"), expires_at=expires_at)


async def begin(storage: Storage, number: int, *, expires_at: datetime = NOW + 30 * DAY) -> None:
    """Session `number` of a user of the same number; its token is called the same."""
    await commit(storage, Changes(users_new=[a_user(number)]))
    await start(storage, number, user=number, token=a_token(str(number), expires_at))


async def rotate(storage: Storage, name: str, into: str, *, expires_at: datetime = NOW + 30 * DAY) -> TokenStatus:
    """Present the token `name` at `NOW`. Its successor is called `into`."""
    successor = Successor(token=a_token(into, expires_at), sealed=b"sealed")
    return (await storage.sessions.rotate(a_token(name, NOW).token_hash, successor, now=NOW)).status
