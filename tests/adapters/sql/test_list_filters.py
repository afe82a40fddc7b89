"""Every filter of every list of the API looks at a bounded number of rows, also when nothing matches.

The filters are those of the OpenAPI document: a new one fails until `support/list_filters.py` has values for it.
"""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, event, insert, select, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import Pool

from gateway.adapters.sql import (
    bounded_lists,
    event_search,
    migrate,
    open_sql_storage,
    payment_lists,
    transaction_lists,
)
from gateway.adapters.sql.engine import audit_engine, postgres_engine
from gateway.adapters.sql.limits import SqlLimits
from gateway.adapters.sql.tables import audit, events, ledger, webhooks
from gateway.application.ports.storage import Storage
from gateway.contracts.records import NOW
from support.api_client import World, open_world
from support.list_filters import DAYS, LEDGER, Question, declared_filters, filters, ids_of, questions

PAYMENTS = 5_000
BEGUN = NOW - timedelta(days=DAYS + 1)
"""All events are shown: they are of the last 90 days."""

ROWS_PER_STEP = 100
ROWS_MAX = 500
"""Rows that a part of a statement may look at, of 5,000 that there are."""
INSTRUCTIONS_MAX = 25_000
"""Instructions of SQLite's virtual machine in a statement; going through 5,000 rows takes more."""

TABLES = (
    ledger.accounts,
    ledger.payments,
    ledger.transfers,
    ledger.refunds,
    events.events,
    events.event_batches,
    audit.audit_log,
    webhooks.webhook_endpoints,
    webhooks.webhook_deliveries,
)


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds in proportion to 5,000 payments."""
    monkeypatch.setattr(bounded_lists, "ROWS_FIRST", ROWS_PER_STEP)
    monkeypatch.setattr(payment_lists, "ROWS_PER_STEP", ROWS_PER_STEP)
    monkeypatch.setattr(transaction_lists, "ROWS_PER_STEP", ROWS_PER_STEP)
    monkeypatch.setattr(transaction_lists, "ROWS_WITH_LOOK_UP_PER_STEP", ROWS_PER_STEP)
    monkeypatch.setattr(bounded_lists, "UNORDERED_ROWS_MAX", ROWS_PER_STEP)
    monkeypatch.setattr(event_search, "BLOCKS_PER_STEP_MAX", 2)
    monkeypatch.setattr(event_search, "UNINDEXED_STEP", ROWS_PER_STEP)


async def filled(url: str) -> None:
    """Make the ledger, whose statistics stay those of empty tables."""
    engine = audit_engine(url, SqlLimits())
    async with engine.begin() as connection:
        for table in TABLES:
            await connection.execute(text(f"ALTER TABLE {table} SET (autovacuum_enabled = off)"))
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None
        await driver.execute(LEDGER.read_text())
        await driver.execute("SELECT one.fill($1, $2)", PAYMENTS, BEGUN)
    await engine.dispose()


async def copied(source: str, target: str) -> None:
    """Copy the ledger into another database."""
    await migrate(target)
    reading, writing = (
        postgres_engine(source, SqlLimits()),
        create_async_engine(target.replace("sqlite:", "sqlite+aiosqlite:")),
    )
    async with reading.connect() as rows, writing.begin() as there:
        for table in TABLES:
            found = (await rows.execute(select(table))).mappings().all()
            await there.execute(insert(table), [dict(row) for row in found])
    await reading.dispose()
    await writing.dispose()


async def indexed(storage: Storage) -> None:
    """Bring the search index of events up to date."""
    while await storage.housekeeping.index_events(blocks_max=64):
        pass


async def asked(world: World, storage: Storage) -> AsyncIterator[tuple[Question, httpx.Response]]:
    """Ask everything over HTTP."""
    ids = await ids_of(storage.reader)
    for question in questions(filters(BEGUN, ids), ids):
        token = world.gateway.access.tokens.issue(
            subject=question.caller, role=question.role, token_id="ses_1.1", now=world.clock()
        )
        yield question, await world.anyone.http.get(question.path, headers={"Authorization": f"Bearer {token}"})


@pytest.fixture
async def full_postgres(postgres_url: str) -> str:
    """The ledger on Postgres."""
    await filled(postgres_url)
    return postgres_url


async def test_every_filter_of_the_document_is_asked_for() -> None:
    async with open_world() as world:
        declared = declared_filters(world.anyone.contract.document)
    ids = dict.fromkeys(("oldest", "dollars", "euros", "yen"), "x")
    assert declared == {name: set(values) for name, values in filters(BEGUN, ids).items()}


async def test_every_filter_finds_its_rows_within_a_bound_on_postgres(full_postgres: str) -> None:
    engine, seen = postgres_engine(full_postgres, SqlLimits()), set[str]()
    async with open_sql_storage(full_postgres) as storage, open_world(storage=storage) as world:
        await indexed(storage)
        with statements_sent() as statements:
            async for question, response in asked(world, storage):
                assert response.status_code in {200, 404}, f"{question.title}: {response.text}"
                for sql, parameters in statements:
                    if (key := f"{sql} {parameters}") not in seen and sql.lstrip().startswith(("SELECT", "WITH")):
                        seen.add(key)
                        rows, plan = await most_rows(engine, sql, parameters)
                        assert rows <= ROWS_MAX, f"{question.title}: {sql} {parameters} {plan}"
                        # Made of all rows of a table, whatever its node says of the rows that it found.
                        assert "hashed SubPlan" not in plan, f"{question.title}: {sql} {parameters} {plan}"
                statements.clear()
    await engine.dispose()


async def test_every_filter_finds_its_rows_within_a_bound_on_sqlite(full_postgres: str, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    await copied(full_postgres, url)
    with instructions_counted() as counts:
        async with open_sql_storage(url) as storage, open_world(storage=storage) as world:
            await indexed(storage)
            counts.clear()
            async for question, response in asked(world, storage):
                assert response.status_code in {200, 404}, f"{question.title}: {response.text}"
                for sql, instructions in counts:
                    assert instructions <= INSTRUCTIONS_MAX, f"{question.title}: {sql}"
                counts.clear()


async def test_a_statement_that_goes_through_everything_is_noticed(full_postgres: str, tmp_path: Path) -> None:
    sql = "SELECT id FROM payments WHERE merchant_id = 'usr_merchant' AND currency = 'JPY' ORDER BY id DESC LIMIT 21"
    engine = postgres_engine(full_postgres, SqlLimits())
    rows, _ = await most_rows(engine, sql, ())
    assert rows > ROWS_MAX
    await engine.dispose()
    url = f"sqlite:///{tmp_path}/ledger.db"
    await copied(full_postgres, url)
    with instructions_counted() as counts:
        async with open_sql_storage(url) as storage:
            await storage.reader.totals()
    assert max(instructions for _, instructions in counts) > INSTRUCTIONS_MAX


@contextmanager
def statements_sent() -> Iterator[list[tuple[str, Any]]]:
    """The statements that are sent meanwhile, with their parameters."""
    statements: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, sql: str, parameters: Any, *_: object) -> None:
        statements.append((sql, parameters))

    with listening(Engine, "before_cursor_execute", note):
        yield statements


@contextmanager
def instructions_counted() -> Iterator[list[tuple[str, int]]]:
    """The statements that SQLite runs meanwhile, with the instructions that each took, in hundreds."""
    counts: list[tuple[str, int]] = []
    done = 0

    def count() -> int:
        nonlocal done
        done += 100
        return 0

    def prepare(connection: Any, _record: object) -> None:
        connection.run_async(lambda driver: driver.set_progress_handler(count, 100))

    def begin(*_: object) -> None:
        nonlocal done
        done = 0

    def end(_connection: object, _cursor: object, sql: str, *_: object) -> None:
        counts.append((sql, done))

    with (
        listening(Pool, "connect", prepare),
        listening(Engine, "before_cursor_execute", begin),
        listening(Engine, "after_cursor_execute", end),
    ):
        yield counts


@contextmanager
def listening(target: type, name: str, listener: Callable[..., None]) -> Iterator[None]:
    """Hear of events of all engines."""
    event.listen(target, name, listener)
    try:
        yield
    finally:
        event.remove(target, name, listener)


async def most_rows(engine: AsyncEngine, sql: str, parameters: Any) -> tuple[int, str]:
    """How many rows that part of a statement looks at that looks at most, and the plan by which it was run."""
    async with engine.connect() as connection:
        explain = f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {sql}"
        [[found]] = (await connection.exec_driver_sql(explain, parameters)).all()
    top = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
    return max(map(_looked_at, _nodes(top))), json.dumps(top, indent=1)


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)


def _looked_at(node: dict[str, Any]) -> int:
    removed = sum(number for name, number in node.items() if name.startswith("Rows Removed by"))
    return int((node["Actual Rows"] + removed) * node["Actual Loops"])
