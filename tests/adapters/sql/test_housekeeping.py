"""Deletion in SQL: the index of events follows, and answers are found without an index of their own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import asyncpg  # type: ignore[import-untyped]  # asyncpg ships no types.
import pytest
from sqlalchemy import text

from gateway.adapters.sql import answer_deletion, event_search, events, migrate, open_sql_storage
from gateway.adapters.sql import housekeeping_statements as statements
from gateway.adapters.sql.engine import POSTGRES, audit_engine, deliveries_engine
from gateway.adapters.sql.limits import SqlLimits
from gateway.application.ports.events import EventFilter
from gateway.application.ports.housekeeping import Deleted
from gateway.contracts.event_search import FILTERS, ascending, descending, whole_feed, write_feed
from gateway.contracts.housekeeping import steps
from gateway.contracts.records import NOW

LATER = NOW + timedelta(days=9_999)
FILL = """
    INSERT INTO answers
    SELECT 'usr_' || n % 7, 'key_' || n, '', convert_to(repeat('x', 100), 'UTF8'),
        $1::timestamptz - n % 2 * interval '9 days'
    FROM generate_series(1, 2000) n
"""
FILL_OTHERS = (
    """INSERT INTO events SELECT 'evt_' || n, 'payment.captured', 'pay_' || n, 1, NULL, 'usr_1', now(), '{}', n, 0
       FROM generate_series(1, 3000) n""",
    "INSERT INTO event_batches SELECT n, n, 'evt_' || n, 'evt_' || n, 1 FROM generate_series(1, 3000) n",
    "INSERT INTO event_index SELECT n * 128 + 1, n * 128 + 128, now(), now(), '' FROM generate_series(0, 3000) n",
    """INSERT INTO quotes SELECT 'quo_' || n, 'usr_1', 1, 'EUR', 1, 'USD', 0, '1', 0, now(), now(), NULL, 1
       FROM generate_series(1, 3000) n""",
    "INSERT INTO sessions SELECT 'ses_' || n, 'usr_1', now(), now() FROM generate_series(1, 3000) n",
    """INSERT INTO refresh_tokens SELECT sha256(n::text::bytea), 'ses_' || n, now()
       FROM generate_series(1, 3000) n""",
    "INSERT INTO login_failures SELECT 'account:' || n, 1, now() FROM generate_series(1, 3000) n",
)
OLD = {"before": NOW, "limit": 100}
RANGE = {"first": 1, "last": 100}
STATEMENTS: dict[str, tuple[Any, dict[str, Any]]] = {
    "answers": (statements.DELETE_ANSWERS, {**OLD, "first": "(3,0)", "behind": "(9,0)"}),
    "first batches": (statements.FIRST_BATCHES, {"until": 900, "newest": 3000, "limit": 100}),
    "newest events": (statements.NEWEST_EVENTS[POSTGRES], RANGE),
    "events": (statements.DELETE_EVENTS[POSTGRES], RANGE),
    "batches": (statements.DELETE_BATCHES, {"last": 100}),
    "blocks": (statements.DELETE_BLOCKS, {"until": 1_000}),
    "next quotes": (statements.NEXT_QUOTES, {"after": "quo_1", "limit": 100}),
    "quotes": (statements.DELETE_QUOTES, {"after": "quo_1", "until": "quo_2", "before": NOW}),
    "revoked sessions": (statements.REVOKED_SESSIONS[POSTGRES], OLD),
    "expired tokens": (statements.EXPIRED_TOKENS, OLD),
    "login failures": (statements.OLD_FAILURES[POSTGRES], OLD),
}


async def rows(url: str, statement: str) -> list[tuple[Any, ...]]:
    engine = audit_engine(url, SqlLimits())
    try:
        async with engine.connect() as connection:
            return [tuple(row) for row in await connection.execute(text(statement))]
    finally:
        await engine.dispose()


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def test_blocks_of_deleted_events_leave_the_index(empty_url: str) -> None:
    await migrate(empty_url)
    async with open_sql_storage(empty_url) as storage:
        await write_feed(storage)
        while await storage.housekeeping.index_events(blocks_max=4):
            pass
        everything = await whole_feed(storage)
        blocks = await rows(empty_url, "SELECT first_position, last_position FROM event_index ORDER BY first_position")
        assert len(blocks) > 3
        until = blocks[1][1] + 5
        delete = storage.housekeeping.delete_events
        await steps(lambda: delete(before=LATER, until=until, limit=50), limit=50)
        [first, *_] = await storage.events.read(after=0, limit=1)
        left = await rows(empty_url, "SELECT first_position, last_position FROM event_index ORDER BY first_position")
        assert left == [block for block in blocks if block[1] >= first.position]
        assert len(left) == len(blocks) - 2
        kept = [event for event in everything if event.position >= first.position]
        for where in FILTERS.values():
            wanted = [event for event in kept if where.matches(event)]
            assert await ascending(storage, where, 1_000) == wanted
            assert await descending(storage, where, 1_000) == wanted[::-1]


async def test_an_index_without_any_block_is_begun_again(empty_url: str) -> None:
    await migrate(empty_url)
    async with open_sql_storage(empty_url) as storage:
        await write_feed(storage)
        delete = storage.housekeeping.delete_events
        await steps(lambda: delete(before=LATER, until=300, limit=500), limit=500)
        while await storage.housekeeping.index_events(blocks_max=1):
            pass
        everything = await whole_feed(storage)
        assert await rows(empty_url, "SELECT min(first_position) FROM event_index") == [(1,)]
        wanted = [event for event in everything if FILTERS["a hot merchant"].matches(event)]
        assert await ascending(storage, FILTERS["a hot merchant"], 1_000) == wanted
        assert await descending(storage, FILTERS["a hot merchant"], 1_000) == wanted[::-1]


async def test_a_search_passes_over_deleted_positions_at_once(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_search, "SEARCH_SECONDS_MAX", 0.0)
    monkeypatch.setattr(event_search, "UNINDEXED_STEP", 10)
    monkeypatch.setattr(events, "INDEXED_PER_SEARCH_MAX", 0)
    await migrate(empty_url)
    async with open_sql_storage(empty_url) as storage:
        await write_feed(storage)
        await steps(lambda: storage.housekeeping.delete_events(before=LATER, until=100, limit=500), limit=500)
        found = await storage.events.find_after(EventFilter(), after=0, limit=1)
        assert list(found.events) == list(await storage.events.read(after=0, limit=1))


async def test_a_pass_comes_to_all_pages(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_deletion, "PAGES_PER_STEP", 3)
    before = NOW - timedelta(days=1)
    async with open_sql_storage(postgres_url) as storage, connected(postgres_url) as connection:
        await connection.execute(FILL, NOW)
        delete = storage.housekeeping.delete_answers
        first = await delete(before=before, limit=20)
        assert first == Deleted(count=20, is_last=False)
        oldest = await storage.housekeeping.oldest_answer()
        assert oldest is not None
        assert oldest < before
        assert await steps(lambda: delete(before=before, limit=20), limit=20) == 1_000 - 20
        assert await connection.fetchval("SELECT count(*) FROM answers WHERE created_at < $1", before) == 0
        assert await storage.housekeeping.oldest_answer() == before
        assert await connection.fetchval("SELECT count(*) FROM answers") == 1_000


async def test_a_pass_begins_anew_when_the_table_is_rewritten(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer_deletion, "PAGES_PER_STEP", 3)
    before = NOW - timedelta(days=1)
    async with open_sql_storage(postgres_url) as storage, connected(postgres_url) as connection:
        await connection.execute(FILL, NOW)
        # New rows at the beginning, old ones at the end: a rewrite moves old rows to pages that were passed.
        await connection.execute("DELETE FROM answers WHERE ctid < '(10,0)'::tid")
        delete = storage.housekeeping.delete_answers
        for _ in range(3):
            assert await delete(before=before, limit=500) == Deleted(count=0, is_last=False)
        await connection.execute("VACUUM FULL answers")
        await steps(lambda: delete(before=before, limit=500), limit=500)
        assert await connection.fetchval("SELECT count(*) FROM answers WHERE created_at < $1", before) == 0


async def test_statements_find_their_rows_without_reading_whole_tables(postgres_url: str) -> None:
    """Also without statistics."""
    engine = deliveries_engine(postgres_url, SqlLimits())
    try:
        async with engine.connect() as connection:
            for fill in FILL_OTHERS:
                await connection.execute(text(fill))
            driver = (await connection.get_raw_connection()).driver_connection
            assert driver is not None
            await driver.execute(FILL, NOW)
            for name, (statement, parameters) in STATEMENTS.items():
                compiled = statement.compile(dialect=connection.dialect)
                given = compiled.construct_params(parameters)
                arguments = [given[each] for each in compiled.positiontup or ()]
                plan = "\n".join(row[0] for row in await driver.fetch(f"EXPLAIN {compiled}", *arguments))
                assert "Seq Scan" not in plan, (name, plan)
                assert name != "answers" or "Tid Range Scan" in plan, plan
    finally:
        await engine.dispose()


async def test_what_another_worker_is_deleting_is_passed_by(postgres_url: str) -> None:
    async with open_sql_storage(postgres_url) as storage, connected(postgres_url) as connection:
        await connection.execute(FILL, NOW)
        assert (await storage.housekeeping.delete_answers(before=NOW, limit=1)).count == 1
        async with connection.transaction(), asyncio.timeout(1.0):
            await connection.execute("SELECT FROM retention WHERE name = 'answers' FOR UPDATE")
            assert await storage.housekeeping.delete_answers(before=NOW, limit=1) == Deleted(count=0, is_last=True)
        assert (await storage.housekeeping.delete_answers(before=NOW, limit=1)).count == 1
