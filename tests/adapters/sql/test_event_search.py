"""Searches of the event feed: the index is complete whoever builds it, and one request does bounded work."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg  # type: ignore[import-untyped]  # asyncpg ships no types.
import pytest

from gateway.adapters.sql import event_search, events, migrate, open_sql_storage
from gateway.adapters.sql.event_index import BLOCK_EVENTS
from gateway.adapters.sql.event_keys import BITS_PER_KEY, FILTER_BYTES, bits_of, filter_of, get_bit
from gateway.application.ports.events import EventFilter
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Changes
from gateway.contracts.event_search import FILTERS, HOT, RARE, ascending, descending, feed, whole_feed, write_feed
from gateway.contracts.records import commit

INDEX = "SELECT first_position, last_position FROM event_index ORDER BY first_position"


@pytest.fixture
async def storage(empty_url: str) -> AsyncIterator[Storage]:
    """An empty storage, on Postgres and on SQLite."""
    await migrate(empty_url)
    async with open_sql_storage(empty_url) as opened:
        yield opened


def test_a_filter_has_every_key_and_few_others() -> None:
    keys = [f"usr_{number}" for number in range(3 * BLOCK_EVENTS)]
    content = filter_of(keys)
    assert len(content) == FILTER_BYTES
    assert all(has(content, key) for key in keys)
    assert sum(has(content, f"pay_{number}") for number in range(10_000)) < 100
    assert len(bits_of("usr_1")) == BITS_PER_KEY


async def test_postgres_numbers_bits_as_sqlite_does(postgres_url: str) -> None:
    content = filter_of(["usr_1"])
    connection = await asyncpg.connect(postgres_url)
    try:
        for bit in (*bits_of("usr_1"), 0, 7, 8, FILTER_BYTES * 8 - 1):
            found = await connection.fetchval("SELECT get_bit($1::bytea, $2::int)", content, bit)
            assert found == get_bit(content, bit)
    finally:
        await connection.close()


async def test_a_search_that_takes_too_long_ends_early_and_goes_on_where_it_ended(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_search, "SEARCH_SECONDS_MAX", 0.0)
    monkeypatch.setattr(event_search, "INDEXED_STEP", 100)
    monkeypatch.setattr(event_search, "UNINDEXED_STEP", 10)
    monkeypatch.setattr(events, "INDEXED_PER_SEARCH_MAX", 1)
    await write_feed(storage)
    everything = await whole_feed(storage)
    for where in (EventFilter(merchant_id=RARE), EventFilter(merchant_id=HOT)):
        first = await storage.events.find_after(where, after=0, limit=1_000)
        assert first.has_more
        assert 0 < first.position <= BLOCK_EVENTS
        last = await storage.events.find_before(where, before=None, limit=1_000)
        assert last.has_more
        wanted = [event for event in everything if where.matches(event)]
        assert await ascending(storage, where, 1_000) == wanted
        assert await descending(storage, where, 1_000) == wanted[::-1]


async def test_several_build_one_index(postgres_url: str) -> None:
    async with open_sql_storage(postgres_url) as first, open_sql_storage(postgres_url) as second:
        await write_feed(first)
        searches = [
            storage.events.find_after(where, after=0, limit=1_000)
            for where in FILTERS.values()
            for storage in (first, second)
        ]
        await asyncio.gather(*searches)
        everything = await whole_feed(first)
        wanted = [event for event in everything if FILTERS["a hot merchant"].matches(event)]
        assert await ascending(second, FILTERS["a hot merchant"], 1_000) == wanted
    connection = await asyncpg.connect(postgres_url)
    try:
        blocks = await connection.fetch(INDEX)
    finally:
        await connection.close()
    assert len(blocks) == len(everything) // BLOCK_EVENTS
    assert [block["first_position"] for block in blocks] == [1, *(block["last_position"] + 1 for block in blocks[:-1])]


async def test_a_search_before_the_index_is_built_finds_everything(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "INDEXED_PER_SEARCH_MAX", 0)
    await write_feed(storage)
    everything = await whole_feed(storage)
    for where in FILTERS.values():
        wanted = [event for event in everything if where.matches(event)]
        assert await ascending(storage, where, 1_000) == wanted
        assert await descending(storage, where, 1_000) == wanted[::-1]


async def test_what_was_committed_just_now_is_found_at_once(storage: Storage) -> None:
    for number, event in enumerate(feed()[: BLOCK_EVENTS + 3], 1):
        await commit(storage, Changes(events_new=[event]))
        newest = await storage.events.find_before(EventFilter(), before=None, limit=1)
        assert [found.id for found in newest.events] == [event.id]
        assert newest.has_more is (number > 1)


def has(content: bytes, key: str) -> bool:
    return all(get_bit(content, bit) for bit in bits_of(key))
