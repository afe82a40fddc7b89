"""The statements of a unit of work on Postgres: what they lock, in which order, and that they look rows up by index."""

import re
from collections.abc import AsyncIterator, Mapping
from typing import cast

import pytest
from sqlalchemy import ClauseElement, Executable, text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.adapters.sql import postgres
from gateway.adapters.sql.engine import write_engine
from gateway.adapters.sql.limits import SqlLimits
from gateway.adapters.sql.tables import metadata

ROWS = 20_000
"""Enough that a planner who knows of them would never scan, and who does not know might."""

FILL = (
    """INSERT INTO users SELECT 'usr_' || n, n || '@example.com', 'customer', NULL, now(), 'hash'
       FROM generate_series(1, :rows) n""",
    """INSERT INTO accounts SELECT 'acc_' || n, 'usr_' || n, 'customer', 'USD', 0, 0, 0, 0, 'open', 1, now(), 0, 0
       FROM generate_series(1, :rows) n""",
    """INSERT INTO payments SELECT 'pay_' || n, 'captured', 1, 'USD', 'automatic', 'usr_' || n % 100, 'usr_' || n % 10,
       1, 0, 0, 'order-' || n, NULL, '{}', NULL, NULL, 1, now(), now(), 0, 0, 0, 0 FROM generate_series(1, :rows) n""",
    """INSERT INTO transfers SELECT 'txn_' || n, 0, 'deposit', NULL, 'usr_1', NULL, NULL, NULL, now(), 'post', 1, 'USD',
       'acc_1', 0, 0, 1, 'acc_2', 1, 0, 1 FROM generate_series(1, :rows) n""",
    """INSERT INTO quotes SELECT 'quo_' || n, 'usr_1', 1, 'EUR', 1, 'USD', 0, '1', 0, now(), now(), NULL, 1
       FROM generate_series(1, :rows) n""",
    """INSERT INTO answers SELECT 'system', 'key_' || n, '', '', now() FROM generate_series(1, :rows) n""",
)

READS: Mapping[str, Executable] = {
    "payments": postgres.LOCK_PAYMENTS,
    "quotes": postgres.LOCK_QUOTES,
    "accounts": postgres.LOCK_ACCOUNTS,
    "answers": postgres.FIND_ANSWERS,
    "references": postgres.FIND_REFERENCES,
    "emails": postgres.FIND_EMAILS,
    "holders": postgres.FIND_HOLDERS,
    "transactions": postgres.FIND_TRANSACTIONS,
}
WRITE_ALL = postgres.write_statement(tuple(postgres.PARTS))


@pytest.fixture
async def connection(postgres_url: str) -> AsyncIterator[AsyncConnection]:
    """As a unit of work has it, to tables whose statistics are never renewed."""
    engine = write_engine(postgres_url, SqlLimits())
    try:
        async with engine.connect() as opened:
            for table in metadata.tables:
                await opened.execute(text(f"ALTER TABLE {table} SET (autovacuum_enabled = off)"))
            await opened.commit()
            yield opened
    finally:
        await engine.dispose()


def test_payments_are_locked_in_the_order_of_their_ids() -> None:
    assert tail_of(postgres.LOCK_PAYMENTS) == (
        'FROM payments WHERE payments.id = ANY ($1::TEXT[] COLLATE "C") ORDER BY payments.id FOR UPDATE'
    )


def test_quotes_are_locked_in_the_order_of_their_ids() -> None:
    assert tail_of(postgres.LOCK_QUOTES) == (
        'FROM quotes WHERE quotes.id = ANY ($1::TEXT[] COLLATE "C") ORDER BY quotes.id FOR UPDATE'
    )


def test_accounts_are_locked_in_the_order_of_their_ids() -> None:
    assert tail_of(postgres.LOCK_ACCOUNTS) == (
        "FROM accounts WHERE accounts.id = ANY (array((SELECT row.id FROM "
        'unnest($1::TEXT[] COLLATE "C", $2::TEXT[] COLLATE "C", $3::TEXT[] COLLATE "C") '
        "AS given(owner_id, currency, kind) JOIN LATERAL (SELECT accounts.id AS id FROM accounts "
        "WHERE accounts.owner_id = given.owner_id AND accounts.currency = given.currency "
        "AND accounts.kind = given.kind LIMIT 1) AS row ON true)) "
        '|| $4::TEXT[] COLLATE "C") ORDER BY accounts.id FOR UPDATE'
    )


@pytest.mark.parametrize("name", ["answers", "references", "emails", "holders"])
def test_what_is_only_looked_at_is_not_locked(name: str) -> None:
    assert "FOR " not in sql_of(READS[name])


def test_answers_are_written_last_and_wait_for_whoever_wrote_their_keys() -> None:
    statement = sql_of(WRITE_ALL)
    assert list(postgres.PARTS)[-1] == "answers_new"
    assert statement.count("ON CONFLICT DO NOTHING") == 1
    assert statement.index("INSERT INTO answers") < statement.index("ON CONFLICT DO NOTHING")
    # Postgres runs them in the order in which their rows are counted.
    assert statement.rindex("FROM answers_new") > max(
        statement.rindex(f"FROM {name}") for name in postgres.PARTS if name != "answers_new"
    )


@pytest.mark.parametrize("name", READS)
async def test_reads_go_by_index_on_tables_that_grew_behind_the_planners_back(
    connection: AsyncConnection, name: str
) -> None:
    before = await plan_of(connection, READS[name])
    await fill(connection)
    after = await plan_of(connection, READS[name])
    for plan in (before, after):
        assert "Seq Scan" not in plan, plan
        assert "Index" in plan, plan


async def test_writes_find_what_they_change_by_index(connection: AsyncConnection) -> None:
    await fill(connection)
    plan = await plan_of(connection, WRITE_ALL)
    assert "Seq Scan" not in plan, plan
    assert "using accounts_pkey" in plan or "on accounts_pkey" in plan, plan
    assert "using payments_pkey" in plan or "on payments_pkey" in plan, plan


async def test_the_planner_alone_would_scan(connection: AsyncConnection) -> None:
    # What the settings of the connection are for. If this fails, they may be needed no longer.
    for setting in ("enable_seqscan", "enable_hashjoin", "enable_mergejoin"):
        await connection.execute(text(f"SET {setting} = on"))
    plans = [await plan_of(connection, statement) for statement in READS.values()]
    assert any("Seq Scan" in plan for plan in plans)


def sql_of(statement: Executable) -> str:
    """As it is sent to Postgres, on one line."""
    dialect = write_engine("postgresql://gateway@localhost/gateway", SqlLimits()).dialect
    return re.sub(r"\s+", " ", str(cast("ClauseElement", statement).compile(dialect=dialect)))


def tail_of(statement: Executable) -> str:
    """All but the list of columns."""
    return sql_of(statement).partition(" FROM ")[1].strip() + " " + sql_of(statement).partition(" FROM ")[2]


async def plan_of(connection: AsyncConnection, statement: Executable) -> str:
    """The plan for every size of batch, which a prepared statement keeps."""
    sql = sql_of(statement)
    parameters = max(int(number) for number in re.findall(r"\$(\d+)", sql))
    # Without the driver's own preparing, which would take the numbered parameters for its.
    raw = await connection.get_raw_connection()
    driver = raw.driver_connection
    assert driver is not None
    await driver.execute(f"PREPARE planned AS {sql}")
    try:
        rows = await driver.fetch(f"EXPLAIN EXECUTE planned({', '.join(['NULL'] * parameters)})")
    finally:
        await driver.execute("DEALLOCATE planned")
    return "\n".join(row[0] for row in rows)


async def fill(connection: AsyncConnection) -> None:
    for statement in FILL:
        await connection.execute(text(statement), {"rows": ROWS})
    await connection.commit()
