"""What an error of the database means: every SQLSTATE as Postgres raises it, and what SQLite says."""

import sqlite3
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.adapters.sql.engine import postgres_engine
from gateway.adapters.sql.errors import port_error
from gateway.adapters.sql.limits import SqlLimits
from gateway.adapters.sql.sqlalchemy_transaction import DatabaseTransaction
from gateway.application.ports.busy import RecordBusy
from gateway.application.ports.unit_of_work import (
    KeyTaken,
    StorageReadOnly,
    StorageRefused,
    StorageUnavailable,
    TryAgain,
)

RUN_AGAIN = {
    "08000": "connection exception",
    "08003": "the connection does not exist",
    "08006": "the connection failed",
    "40001": "serialization failure",
    "40P01": "deadlock",
    "57014": "statement timeout, or cancelled by an operator",
    "57P01": "terminated by an operator",
    "57P02": "the server crashed",
    "25006": "read-only since a failover",
    "25P03": "lay idle in its transaction",
    "25P04": "transaction timeout",
}
AWAY = {
    "53300": "too many connections",
    "53100": "disk full",
    "53200": "out of memory",
    "58030": "I/O error",
}
BUGS = {
    "23502": "not null",
    "23503": "foreign key",
    "23505": "a unique key that no two batches can both want",
    "23514": "check",
    "22003": "a number out of range",
    "22021": "NUL in text",
    "42601": "syntax",
    "42P01": "no such table",
    "25P02": "the transaction had failed before",
    "XX001": "corrupted data",
}


@pytest.fixture
async def engine(empty_postgres_url: str) -> AsyncIterator[AsyncEngine]:
    opened = postgres_engine(empty_postgres_url, SqlLimits())
    yield opened
    await opened.dispose()


@pytest.mark.parametrize("state", RUN_AGAIN)
async def test_what_ended_the_transaction_alone_is_run_again(engine: AsyncEngine, state: str) -> None:
    with pytest.raises(TryAgain) as caught:
        await raise_in(engine, state)
    assert caught.type is TryAgain


async def test_a_lock_of_another_transaction_is_told_apart(engine: AsyncEngine) -> None:
    with pytest.raises(RecordBusy):
        await raise_in(engine, "55P03")


@pytest.mark.parametrize("state", AWAY)
async def test_what_running_again_would_meet_again_is_unavailable(engine: AsyncEngine, state: str) -> None:
    with pytest.raises(StorageUnavailable):
        await raise_in(engine, state)


@pytest.mark.parametrize("state", BUGS)
async def test_a_bug_is_refused_and_tells_its_cause(engine: AsyncEngine, state: str) -> None:
    with pytest.raises(StorageRefused) as caught:
        await raise_in(engine, state)
    assert isinstance(caught.value.__cause__, DBAPIError)
    assert getattr(caught.value.__cause__.orig, "sqlstate", None) == state


async def test_after_any_error_the_connection_is_good_again(engine: AsyncEngine) -> None:
    for state in (*RUN_AGAIN, *AWAY, *BUGS):
        with pytest.raises((TryAgain, StorageUnavailable, StorageRefused)):
            await raise_in(engine, state)
        async with DatabaseTransaction(engine) as transaction:
            assert (await transaction.rows(text("SELECT 1")))[0][0] == 1


async def test_after_a_failover_no_connection_to_the_old_server_is_used(engine: AsyncEngine) -> None:
    before = await backend_of(engine)
    with pytest.raises(TryAgain):
        await raise_in(engine, "40001")
    assert await backend_of(engine) == before
    with pytest.raises(TryAgain):
        await raise_in(engine, "25006")
    assert await backend_of(engine) != before


@pytest.mark.parametrize("broken", [ConnectionResetError(), BrokenPipeError(), TimeoutError(), OSError()])
def test_a_connection_that_broke_leaves_the_outcome_open(broken: OSError) -> None:
    assert isinstance(port_error(broken), TryAgain)


@pytest.mark.parametrize(
    ("code", "meant"),
    [
        (sqlite3.SQLITE_BUSY, TryAgain),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, TryAgain),
        (sqlite3.SQLITE_LOCKED, TryAgain),
        (sqlite3.SQLITE_FULL, StorageUnavailable),
        (sqlite3.SQLITE_IOERR_FSYNC, StorageUnavailable),
        (sqlite3.SQLITE_CANTOPEN, StorageUnavailable),
        (sqlite3.SQLITE_READONLY, StorageReadOnly),
        (sqlite3.SQLITE_READONLY_DIRECTORY, StorageReadOnly),
    ],
)
def test_what_sqlite_says(code: int, meant: type[Exception]) -> None:
    assert type(port_error(sqlite_error(code, "said"))) is meant


@pytest.mark.parametrize(
    "code", [sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT_CHECK, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_MISMATCH]
)
def test_a_bug_on_sqlite_is_refused_and_not_tried_again(code: int) -> None:
    assert type(port_error(sqlite_error(code, "said"))) is StorageRefused


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("users.email", KeyTaken),
        ("accounts.owner_id, accounts.currency, accounts.kind", KeyTaken),
        ("payments.merchant_id, payments.reference, payments.reference_held_by", KeyTaken),
        ("answers.owner_id, answers.key", KeyTaken),
        ("payments.id", StorageRefused),
        ("transfers.reverses", KeyTaken),
        ("refunds.id", StorageRefused),
    ],
)
def test_only_keys_that_two_batches_may_want_are_taken(key: str, meant: type[object]) -> None:
    error = sqlite_error(sqlite3.SQLITE_CONSTRAINT_UNIQUE, f"UNIQUE constraint failed: {key}")
    assert type(port_error(error)) is meant


async def raise_in(engine: AsyncEngine, state: str) -> None:
    async with DatabaseTransaction(engine) as transaction:
        await transaction.change(text(f"DO $$ BEGIN RAISE EXCEPTION 'said' USING ERRCODE = '{state}'; END $$"))


async def backend_of(engine: AsyncEngine) -> int:
    async with DatabaseTransaction(engine) as transaction:
        found: int = (await transaction.rows(text("SELECT pg_backend_pid()")))[0][0]
    return found


def sqlite_error(code: int, message: str) -> DBAPIError:
    error = sqlite3.OperationalError(message)
    error.sqlite_errorcode = code
    return DBAPIError("SELECT 1", None, error)
