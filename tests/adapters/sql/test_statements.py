"""Statements of units of work and logins on Postgres: what they lock, in which order, and that they go by index."""

import re
from collections.abc import AsyncIterator, Mapping
from typing import cast

import pytest
from sqlalchemy import ClauseElement, Executable, text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.adapters.sql import postgres_reads as reads
from gateway.adapters.sql import postgres_statements as postgres
from gateway.adapters.sql.constant_columns import Constant, ConstantColumns
from gateway.adapters.sql.engine import PLANNING_BY_INDEX, POSTGRES, postgres_engine
from gateway.adapters.sql.event_statements import events_between
from gateway.adapters.sql.limits import SqlLimits
from gateway.adapters.sql.login_failures import OF
from gateway.adapters.sql.tables import metadata
from gateway.adapters.sql.users import AT_LOGIN

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
    """INSERT INTO sessions SELECT 'ses_' || n, 'usr_' || n % 100, now(), NULL, '192.0.2.' || n % 200
       FROM generate_series(1, :rows) n""",
    """INSERT INTO login_failures SELECT 'account:' || n, 1, now() FROM generate_series(1, :rows) n""",
    """INSERT INTO answers SELECT 'system', 'key_' || n, '', '', now() FROM generate_series(1, :rows) n""",
)

READS: Mapping[str, Executable] = {
    "users": reads.LOCK_USERS,
    "accounts of owners": reads.FIND_ACCOUNTS_OF,
    "payments": reads.LOCK_PAYMENTS,
    "quotes": reads.LOCK_QUOTES,
    "accounts": reads.LOCK_ACCOUNTS,
    "accounts, unlocked": reads.READ_ACCOUNTS,
    "accounts by key, unlocked": reads.READ_ACCOUNTS_BY_KEY,
    "answers": reads.FIND_ANSWERS,
    "references": reads.FIND_REFERENCES,
    "emails": reads.FIND_EMAILS,
    "account_holders": reads.FIND_ACCOUNT_HOLDERS,
    "transactions": reads.FIND_TRANSACTIONS,
    "users at login": AT_LOGIN[POSTGRES],
    "failed logins": OF[POSTGRES],
}
ALL_DIFFER = tuple((name, Constant()) for name in postgres.PARTS)
WRITES = {
    "within a transaction": postgres.write_statement(ALL_DIFFER, checked=False),
    "alone": postgres.write_statement(ALL_DIFFER, checked=True),
    "alone, of rows that are nearly the same": postgres.write_statement(
        tuple((name, Constant(range(1, len(part.columns)))) for name, part in postgres.PARTS.items()), checked=True
    ),
}


@pytest.fixture
async def connection(postgres_url: str) -> AsyncIterator[AsyncConnection]:
    """As a unit of work has it, to tables whose statistics are never renewed."""
    engine = postgres_engine(postgres_url, SqlLimits())
    try:
        async with engine.connect() as opened:
            for name, value in PLANNING_BY_INDEX.items():
                await opened.execute(text(f"SET {name} = {value}"))
            for table in metadata.tables:
                await opened.execute(text(f"ALTER TABLE {table} SET (autovacuum_enabled = off)"))
            await opened.commit()
            yield opened
    finally:
        await engine.dispose()


def test_payments_are_locked_in_the_order_of_their_ids() -> None:
    assert tail_of(reads.LOCK_PAYMENTS) == (
        'FROM payments WHERE payments.id = ANY ($1::TEXT[] COLLATE "C") ORDER BY payments.id FOR UPDATE'
    )


def test_quotes_are_locked_in_the_order_of_their_ids() -> None:
    assert tail_of(reads.LOCK_QUOTES) == (
        'FROM quotes WHERE quotes.id = ANY ($1::TEXT[] COLLATE "C") ORDER BY quotes.id FOR UPDATE'
    )


def test_accounts_are_locked_in_the_order_of_their_ids() -> None:
    statement = sql_of(reads.LOCK_ACCOUNTS)
    assert statement[statement.rindex(" FROM accounts WHERE accounts.id = ANY") :] == (
        " FROM accounts WHERE accounts.id = ANY (array((SELECT row.id FROM "
        'unnest($3::TEXT[] COLLATE "C", $4::TEXT[] COLLATE "C", $5::TEXT[] COLLATE "C") '
        "AS given(owner_id, currency, kind) JOIN LATERAL (SELECT accounts.id AS id FROM accounts "
        "WHERE accounts.owner_id = given.owner_id AND accounts.currency = given.currency "
        "AND accounts.kind = given.kind LIMIT 1) AS row ON true)) "
        '|| $6::TEXT[] COLLATE "C") ORDER BY accounts.id FOR UPDATE OF accounts'
    )


@pytest.mark.parametrize(
    "name",
    [
        "accounts, unlocked",
        "accounts by key, unlocked",
        "answers",
        "references",
        "emails",
        "account_holders",
        "transactions",
        "users at login",
        "failed logins",
    ],
)
def test_what_is_only_looked_at_is_not_locked(name: str) -> None:
    assert "FOR " not in sql_of(READS[name])


@pytest.mark.parametrize("name", WRITES)
def test_answers_are_written_last(name: str) -> None:
    statement = sql_of(WRITES[name])
    assert list(postgres.PARTS)[-1] == "answers_new"
    # Postgres runs them in the order in which their rows are counted.
    assert statement.rindex("FROM answers_new") > max(
        statement.rindex(f"FROM {part}") for part in postgres.PARTS if part != "answers_new"
    )


def test_within_a_transaction_answers_wait_for_whoever_wrote_their_keys() -> None:
    statement = sql_of(WRITES["within a transaction"])
    assert statement.count("ON CONFLICT DO NOTHING") == 1
    assert statement.index("INSERT INTO answers") < statement.index("ON CONFLICT DO NOTHING")


@pytest.mark.parametrize("name", ["alone", "alone, of rows that are nearly the same"])
def test_a_statement_that_stands_alone_writes_all_or_fails(name: str) -> None:
    statement = sql_of(WRITES[name])
    assert "ON CONFLICT" not in statement
    assert "SELECT 1 / CAST(" in statement
    for part in postgres.PARTS:
        # A user may have any number of sessions.
        all_rows = ">= $" if part == "sessions_ended" else "= cardinality("
        assert re.search(rf"FROM {part}\) {re.escape(all_rows)}", statement), part


def test_nothing_is_replaced_but_what_was_loaded() -> None:
    statement = sql_of(WRITES["alone"])
    for table in ("accounts", "payments"):
        assert f"WHERE {table}.id = after.id AND {table}.version = after.version_before" in statement


def test_a_column_that_is_alike_in_all_rows_travels_once() -> None:
    constant_columns = ConstantColumns()
    differing = {name: [tuple(range(3))] * len(part.columns) for name, part in postgres.PARTS.items()}
    same = {name: [(0, 1, 2), *[(7, 7, 7)] * (len(part.columns) - 1)] for name, part in postgres.PARTS.items()}
    for name, part in postgres.PARTS.items():
        assert constant_columns.of(name, same[name]) == set(range(1, len(part.columns)))
        assert constant_columns.of(name, differing[name]) == set()
        assert constant_columns.of(name, same[name]) == set(), "what once differed stays an array"


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


@pytest.mark.parametrize("name", WRITES)
async def test_writes_find_what_they_change_by_index_in_the_order_in_which_it_is_given(
    connection: AsyncConnection, name: str
) -> None:
    await fill(connection)
    plan = await plan_of(connection, WRITES[name])
    # From the given rows to the table, one after the other: so rows are locked in the order of their ids.
    for table in ("accounts", "payments"):
        steps = rf"Update on {table} .*?Nested Loop .*?Function Scan on (unnest )?given.*?Index Scan using {table}_pkey"
        assert re.search(steps, plan, re.DOTALL), plan
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
    dialect = postgres_engine("postgresql://gateway@localhost/gateway", SqlLimits()).dialect
    return re.sub(r"\s+", " ", str(cast("ClauseElement", statement).compile(dialect=dialect)))


def tail_of(statement: Executable) -> str:
    """All but the list of columns."""
    return sql_of(statement).partition(" FROM ")[1].strip() + " " + sql_of(statement).partition(" FROM ")[2]


async def test_the_newest_events_are_read_by_index_also_where_reading_all_batches_looks_cheap(
    connection: AsyncConnection,
) -> None:
    """As it does with three million batches: a limit without an order let the planner read the table from its start."""
    await connection.execute(
        text("INSERT INTO event_batches SELECT n, n, 'a', 'a', 1 FROM generate_series(1, 20000) AS n")
    )
    await connection.commit()
    await connection.execution_options(isolation_level="AUTOCOMMIT")
    await connection.execute(text("VACUUM ANALYZE event_batches"))
    costs = {
        "seq_page_cost": "0.01",
        "random_page_cost": "10",
        "cpu_tuple_cost": "0.0001",
        "cpu_operator_cost": "0.0001",
    }
    for name, value in {**costs, "enable_seqscan": "on", "enable_sort": "on"}.items():
        await connection.execute(text(f"SET {name} = {value}"))

    plan = await plan_of(connection, events_between(POSTGRES, frozenset(), descending=True, in_blocks=False))

    assert "Index Scan using event_batches_pkey" in plan, plan
    assert "Seq Scan on event_batches" not in plan, plan


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
