"""Migrations beside others: long reports, other versions, other applications, roles without rights."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import func, make_url, select, text

from gateway.adapters.sql import Schema, SchemaRefused, SqlLimits, migrate, schema_of
from gateway.adapters.sql.engine import audit_engine
from gateway.adapters.sql.migrations import LOCK_SECONDS_MAX
from gateway.adapters.sql.migrations.lock_holders import MIGRATION_LOCK
from gateway.adapters.sql.sqlalchemy_transaction import DatabaseTransaction
from gateway.application.ports.unit_of_work import StorageUnavailable
from support.migrations import execute, on_connection, to_revision
from support.postgres import PostgresServer, temporary_database

REPORT = text("SELECT count(*) FROM answers")
ROLE = "gateway_without_rights"


@pytest.fixture
async def older_url(empty_postgres_url: str) -> str:
    """A database of an earlier version; the next revision changes `answers`."""
    await on_connection(empty_postgres_url, to_revision("0003"))
    return empty_postgres_url


@pytest.fixture
async def report(older_url: str) -> AsyncIterator[DatabaseTransaction]:
    """A transaction that reads `answers` and does not end."""
    engine = audit_engine(f"{older_url}?application_name=report", SqlLimits())
    async with DatabaseTransaction(engine) as transaction:
        await transaction.rows(REPORT)
        yield transaction
    await engine.dispose()


async def test_a_migration_behind_a_long_report_says_what_it_waits_for_and_ends_when_the_report_does(
    older_url: str, report: DatabaseTransaction
) -> None:
    told: asyncio.Queue[str] = asyncio.Queue()
    migrating = asyncio.create_task(migrate(older_url, tell=told.put_nowait, pause_seconds=0.2))
    async with asyncio.timeout(20):
        sentences = [await told.get() for _ in range(2)]
    for sentence in sentences:
        assert sentence.startswith("The migration waits for session ")
        assert "(report, idle in transaction), which has used answers for" in sentence
    await report.commit()
    async with asyncio.timeout(20):
        await migrating
    assert await schema_of(older_url) is Schema.CURRENT


async def test_nobody_else_waits_long_behind_a_migration_that_waits(
    older_url: str, report: DatabaseTransaction
) -> None:
    told: asyncio.Queue[str] = asyncio.Queue()
    migrating = asyncio.create_task(migrate(older_url, tell=told.put_nowait, pause_seconds=0.2))
    engine = audit_engine(older_url, SqlLimits())
    longest_seconds = 0.0
    async with asyncio.timeout(30):
        while told.qsize() < 3:
            began = time.monotonic()
            async with DatabaseTransaction(engine) as somebody:
                await somebody.rows(REPORT)
            longest_seconds = max(longest_seconds, time.monotonic() - began)
    await engine.dispose()
    assert longest_seconds < LOCK_SECONDS_MAX + 1
    await report.commit()
    await migrating


async def test_a_migration_gives_up_and_says_who_was_in_its_way(
    older_url: str, report: DatabaseTransaction, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.adapters.sql.migrations.ATTEMPTS_MAX", 2)
    with pytest.raises(StorageUnavailable, match=r"changed nothing: it waited for session \d+ of Postgres \(report"):
        await migrate(older_url, pause_seconds=0)
    assert await schema_of(older_url) is Schema.OLDER
    await report.commit()


async def test_another_migration_is_named(older_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.adapters.sql.migrations.ATTEMPTS_MAX", 1)
    engine = audit_engine(older_url, SqlLimits())
    async with DatabaseTransaction(engine) as other:
        await other.rows(select(func.pg_advisory_xact_lock(MIGRATION_LOCK)))
        with pytest.raises(StorageUnavailable, match="another migration"):
            await migrate(older_url, SqlLimits(audit_timeout_seconds=0.5))
    await engine.dispose()


async def test_a_database_that_is_up_to_date_is_not_locked(postgres_url: str) -> None:
    engine = audit_engine(postgres_url, SqlLimits())
    async with DatabaseTransaction(engine) as other:
        await other.change(text("LOCK TABLE answers IN ACCESS EXCLUSIVE MODE"))
        async with asyncio.timeout(5):
            await migrate(postgres_url)
    await engine.dispose()


@pytest.mark.parametrize(
    ("revision", "schema"), [("9999", Schema.NEWER), ("ae1027a6acf", Schema.FOREIGN), ("0000", Schema.FOREIGN)]
)
async def test_a_database_of_another_version_or_application_is_left_alone(
    empty_url: str, revision: str, schema: Schema
) -> None:
    await migrate(empty_url)
    await execute(empty_url, f"UPDATE alembic_version SET version_num = '{revision}'")  # noqa: S608 - ours.
    assert await schema_of(empty_url) is schema
    with pytest.raises(SchemaRefused) as refused:
        await migrate(empty_url)
    assert refused.value.schema is schema


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
async def test_a_database_that_has_not_all_characters_is_refused(
    postgres_server: PostgresServer, encoding: str
) -> None:
    latin = f"template0 ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'"
    async with temporary_database(postgres_server, template=latin) as database:
        url = postgres_server.url(database)
        assert await schema_of(url) is Schema.NOT_UTF_8
        with pytest.raises(SchemaRefused) as refused:
            await migrate(url)
    assert refused.value.schema is Schema.NOT_UTF_8


async def test_tables_of_another_application_are_left_alone(empty_url: str) -> None:
    await execute(empty_url, "CREATE TABLE users (mine TEXT)")
    assert await schema_of(empty_url) is Schema.FOREIGN
    with pytest.raises(SchemaRefused):
        await migrate(empty_url)


async def test_tables_of_another_application_with_other_names_do_not_matter(empty_url: str) -> None:
    await execute(empty_url, "CREATE TABLE invoices (mine TEXT)")
    await migrate(empty_url)
    assert await schema_of(empty_url) is Schema.CURRENT


async def test_a_schema_of_its_own_keeps_the_gateway_apart(empty_postgres_url: str) -> None:
    await execute(empty_postgres_url, "CREATE TABLE users (mine TEXT)")
    await execute(empty_postgres_url, "CREATE SCHEMA gateway")
    url = f"{empty_postgres_url}?options=-c%20search_path%3Dgateway"
    await migrate(url)
    assert await schema_of(url) is Schema.CURRENT
    with pytest.raises(StorageUnavailable, match="schema that the gateway is to use does not exist"):
        await migrate(f"{empty_postgres_url}?options=-c%20search_path%3Dnowhere")


@pytest.fixture
async def url_without_rights(empty_postgres_url: str) -> AsyncIterator[str]:
    """The database as a role that may connect, and nothing else."""
    await execute(empty_postgres_url, f"CREATE ROLE {ROLE} LOGIN PASSWORD 'secret'")
    yield make_url(empty_postgres_url).set(username=ROLE, password="secret").render_as_string(hide_password=False)
    await execute(empty_postgres_url, f"DROP OWNED BY {ROLE}")
    await execute(empty_postgres_url, f"DROP ROLE {ROLE}")


async def test_a_role_without_rights_is_told_so(empty_postgres_url: str, url_without_rights: str) -> None:
    with pytest.raises(StorageUnavailable, match="lacks a right"):
        await migrate(url_without_rights)
    await migrate(empty_postgres_url)
    with pytest.raises(StorageUnavailable, match="lacks a right"):
        await schema_of(url_without_rights)
