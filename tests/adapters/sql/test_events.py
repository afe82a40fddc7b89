"""The event feed on Postgres, where transactions end in another order than they begin."""

import asyncio

import asyncpg  # type: ignore[import-untyped]  # asyncpg ships no types.
import pytest

from gateway.adapters.sql import events as sql_events
from gateway.adapters.sql import open_sql_storage
from gateway.application.ports.unit_of_work import Changes
from gateway.contracts.events import events, ids_of
from gateway.contracts.records import commit

LATE = 1
OTHERS = range(2, 302)
INSERT_BATCH = "INSERT INTO event_batches_unnumbered SELECT nextval('event_batch_ids'), $1, $1, 1 RETURNING batch_id"
INSERT_EVENT = (
    "INSERT INTO events (id, type, object_id, sequence, created_at, data, batch_id, batch_index)"
    " VALUES ($1, 'payment.captured', 'pay_1', 1, now(), '{}', $2, 0)"
)


async def test_a_transaction_that_commits_late_is_behind_all_that_were_committed_meanwhile(postgres_url: str) -> None:
    """It holds nobody up, and no reader that has gone on misses it."""
    [late] = events(LATE)
    connection = await asyncpg.connect(postgres_url)
    try:
        async with open_sql_storage(postgres_url) as storage:
            async with connection.transaction():
                batch_id = await connection.fetchval(INSERT_BATCH, late.id)
                await connection.execute(INSERT_EVENT, late.id, batch_id)
                for number in OTHERS:
                    await commit(storage, Changes(events_new=events(number)))
                seen = list(await storage.events.read(after=0, limit=1000))
                assert ids_of(seen) == ids_of(events(*OTHERS))
            assert ids_of(await storage.events.read(after=seen[-1].position, limit=1000)) == [late.id]
            again = await storage.events.read(after=0, limit=1000)
            assert ids_of(again) == [*ids_of(seen), late.id]
            assert list(again[:-1]) == seen
    finally:
        await connection.close()


async def test_readers_in_several_processes_number_each_batch_once(postgres_url: str) -> None:
    async with open_sql_storage(postgres_url) as first, open_sql_storage(postgres_url) as second:
        for number in range(1, 21):
            await commit(first, Changes(events_new=events(number, 100 + number)))
        feeds = [storage.events for storage in (first, second) for _ in range(4)]
        pages = await asyncio.gather(*(feed.read(after=0, limit=1000) for feed in feeds))
        newest = await first.events.read(after=0, limit=1000)
        assert len(newest) == 40
        assert len({event.position for event in newest}) == 40
        assert all(list(page) == list(newest) for page in pages)


async def test_many_batches_are_numbered_in_several_steps(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql_events, "NUMBER", sql_events.NUMBER.bindparams(limit=3))
    async with open_sql_storage(postgres_url) as storage:
        for number in range(1, 11):
            await commit(storage, Changes(events_new=events(number)))
        found: list[str] = []
        after = 0
        while page := await storage.events.read(after=after, limit=3):
            found.extend(ids_of(page))
            after = page[-1].position
    assert found == ids_of(events(*range(1, 11)))
