"""The statements of deliveries on Postgres look rows up by index, and cost the same however many deliveries wait."""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Executable, text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.adapters.sql import SqlLimits, open_sql_storage
from gateway.adapters.sql import delivery_fan_out as fan_out
from gateway.adapters.sql import delivery_plans as plans
from gateway.adapters.sql import delivery_statements as queues
from gateway.adapters.sql.deliveries import BACKLOG, PURGE, list_statement
from gateway.adapters.sql.engine import POSTGRES, deliveries_engine
from gateway.adapters.sql.rows.deliveries import NEW_DELIVERY, RECORDING, given_rows
from gateway.application.ports.deliveries import AHEAD_MAX
from gateway.application.ports.delivery_records import DeliveryOutcome
from gateway.contracts.records import NOW
from gateway.domain.webhook_endpoint import EndpointId

WAITING = 100_000
ENDPOINTS = 100
ENDPOINT = "whe_1"
PAGES_MAX = 400
"""Of 8 KiB, that a statement may look at, whatever it returns: some hundred deliveries with their events are spread."""

FILL = (
    """INSERT INTO webhook_endpoints
       SELECT 'whe_' || n, 'usr_' || n, 0, 'https://shop.example', '["*"]', NULL, NULL, 'whsec_', NULL, NULL, 0,
           now(), now(), 0
       FROM generate_series(1, :endpoints) n""",
    """INSERT INTO webhook_queues SELECT 'whe_' || n, CAST(:now AS timestamptz), 0
       FROM generate_series(1, :endpoints) n""",
    """INSERT INTO events
       SELECT 'evt_' || n, 'payment.captured', 'pay_' || n, 1, NULL, 'usr_1', :now, '{}', n, 0
       FROM generate_series(1, :rows / 10) n""",
    """INSERT INTO event_batches SELECT n, n, 'evt_' || n, 'evt_' || n, 1 FROM generate_series(1, :rows / 10) n""",
    # Nine of ten wait for one endpoint. All of its deliveries are due, and half of them are of one object.
    """INSERT INTO webhook_deliveries
       SELECT 'dlv_' || n, 'whe_' || CASE WHEN n % 10 = 0 THEN n % :endpoints ELSE 1 END, 'evt_' || n % (:rows / 10), n,
           'payment.captured', 'pay_' || CASE WHEN n % 2 = 0 THEN 1 ELSE n END, :now, :now, NULL, NULL, '[]',
           CAST(:now AS timestamptz) + CASE WHEN n % 10 = 0 THEN interval '1 day' ELSE interval '0' END
       FROM generate_series(1, :rows) n""",
    """INSERT INTO webhook_deliveries
       SELECT 'end_' || n, 'whe_1', 'evt_' || n, n, 'payment.captured', 'pay_' || n, :now, NULL, :now,
           (ARRAY['delivered', 'failed', 'canceled'])[n % 3 + 1], '[]'
       FROM generate_series(1, :rows) n""",
)


def rows_for_postgres(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> dict[str, Any]:
    given = given_rows(POSTGRES, names, rows)
    assert isinstance(given, dict)
    return given


_LEASING = {"now": NOW, "ahead": NOW + AHEAD_MAX, "void_after": NOW + timedelta(seconds=60)}
_PLANNING = {"now": NOW, "ahead": NOW + AHEAD_MAX, "limit": 100}
_HELD = {"worker": "wrk_1", "endpoint_ids": [f"whe_{n}" for n in range(1, 33)]}
STATEMENTS: Mapping[str, tuple[Executable, dict[str, Any]]] = {
    "whether there is work": (queues.ANY_LEASABLE, _LEASING),
    "lease": (
        queues.LEASE,
        {**_LEASING, "fast_max": 16, "slow_max": 16, "worker": "wrk_1", "until": NOW + timedelta(seconds=30)},
    ),
    "renew": (queues.RENEW[POSTGRES], {**_HELD, "until": NOW}),
    "release": (queues.RELEASE[POSTGRES], {**_HELD, "now": NOW}),
    "due": (queues.DUE[POSTGRES], {"endpoint_id": ENDPOINT, "now": NOW, "limit": 256}),
    "record": (
        queues.RECORD[POSTGRES],
        rows_for_postgres(RECORDING, [(f"dlv_{n}", NOW, NOW, NOW, None, None, "[]") for n in range(1, 257)]),
    ),
    "whether a clock was ahead": (plans.ANY_AHEAD, {"ahead": NOW + AHEAD_MAX}),
    "plan deliveries anew": (plans.PLAN_DELIVERIES[POSTGRES], _PLANNING),
    "plan endpoints anew": (plans.PLAN_QUEUES[POSTGRES], _PLANNING),
    "cancel": (queues.CANCEL[POSTGRES], {"endpoint_id": ENDPOINT, "now": NOW, "limit": 100}),
    "candidates": (fan_out.CANDIDATES[POSTGRES], {"after": 500, "limit": 100}),
    "backlog": (BACKLOG, {}),
    "purge": (PURGE, {"ended_before": NOW, "limit": 100}),
    "list": (
        list_statement(frozenset([None, *(each.value for each in DeliveryOutcome)])),
        {"endpoint_id": ENDPOINT, "before": "~", "limit": 100},
    ),
    "list of failures": (
        list_statement(frozenset(["failed"])),
        {"endpoint_id": ENDPOINT, "before": "~", "limit": 100},
    ),
}
WRITING_PAGES = {"record": 40, "cancel": 40, "plan deliveries anew": 40}
"""Statements that write look at the pages of seven indexes for each row."""


@pytest.fixture(scope="module")
async def full(postgres_server: Any, migrated_template: str) -> AsyncIterator[str]:
    """A database with many waiting deliveries."""
    from support.postgres import temporary_database  # noqa: PLC0415 - as the fixtures of all tests.

    async with temporary_database(postgres_server, template=migrated_template) as database:
        url = postgres_server.url(database)
        engine = deliveries_engine(url, SqlLimits(command_timeout_seconds=100, statement_timeout_seconds=100))
        async with engine.begin() as connection:
            for statement in FILL:
                parameters = {"rows": WAITING, "endpoints": ENDPOINTS, "now": NOW}
                used = {name: value for name, value in parameters.items() if f":{name}" in statement}
                await connection.execute(text(statement), used)
        await engine.dispose()
        yield url


@pytest.fixture
async def connection(full: str) -> AsyncIterator[AsyncConnection]:
    """As deliveries have it. Nobody has analyzed the tables."""
    engine = deliveries_engine(full, SqlLimits())
    try:
        async with engine.connect() as opened:
            yield opened
            await opened.rollback()
    finally:
        await engine.dispose()


@pytest.mark.parametrize("name", STATEMENTS)
async def test_a_statement_reads_few_pages_however_many_deliveries_wait(connection: AsyncConnection, name: str) -> None:
    statement, parameters = STATEMENTS[name]
    plan = await explained(connection, statement, parameters)
    assert "Seq Scan" not in plan, plan
    found = re.search(r"Buffers: shared hit=(\d+)(?: read=(\d+))?", plan)
    assert found is not None, plan
    pages = int(found[1]) + int(found[2] or 0)
    rows = max(int(rows) for rows in re.findall(r"actual rows=(\d+)", plan))
    assert pages <= PAGES_MAX + WRITING_PAGES.get(name, 12) * rows, plan


async def explained(connection: AsyncConnection, statement: Executable, parameters: dict[str, Any]) -> str:
    """How Postgres has run the statement."""
    compiled = statement.compile(dialect=connection.dialect)  # type: ignore[attr-defined]
    names = compiled.positiontup or ()
    given = compiled.construct_params(parameters)
    raw = await connection.get_raw_connection()
    driver = raw.driver_connection
    assert driver is not None
    await connection.execute(text("SELECT 1"))
    query = f"EXPLAIN (ANALYZE, BUFFERS, TIMING off) {compiled}"
    rows = await driver.fetch(query, *[given[name] for name in names])
    return "\n".join(row[0] for row in rows)


async def test_adding_deliveries_looks_for_those_that_wait_by_index(connection: AsyncConnection) -> None:
    row = ("new", ENDPOINT, "evt_1", 2, "payment.captured", "pay_1", NOW, NOW)
    given = rows_for_postgres(NEW_DELIVERY, [row])
    plan = await explained(connection, fan_out.ADD_UNLESS_WAITING[POSTGRES], given)
    assert "Seq Scan" not in plan, plan
    assert "webhook_deliveries_object_idx" in plan, plan


async def test_a_window_of_a_large_backlog_is_loaded(full: str) -> None:
    """Each delivery with the one before it of the same object."""
    async with open_sql_storage(full) as storage:
        due = await storage.deliveries.due(EndpointId(ENDPOINT), now=NOW, limit=256)
    assert len(due) == 256
    positions = [each.delivery.position for each in due]
    assert positions == sorted(positions)
    shared = [each for each in due if each.delivery.object_id == "pay_1"]
    assert [each.predecessor and each.predecessor.id for each in shared] == [
        None if earlier is None else earlier.delivery.id for earlier in (None, *shared[:-1])
    ]
