"""Migrated databases have exactly the tables that the code knows, on Postgres and on SQLite."""

import asyncio
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from gateway.adapters.sql import open_sql_storage
from gateway.adapters.sql.engine import POSTGRES
from gateway.adapters.sql.migrations import Schema, migrate, schema_of
from gateway.adapters.sql.tables import metadata
from gateway.application.ports.batch_records import AnswerKey
from gateway.application.ports.unit_of_work import StorageUnavailable, Wanted
from gateway.contracts.records import load
from gateway.domain.user import UserId
from support.migrations import execute, on_connection, to_revision

POSTGRES_SCHEMA = text(
    """
    SELECT 'column', table_name || '.' || column_name, concat_ws(' ', data_type, is_nullable, collation_name)
    FROM information_schema.columns WHERE table_schema = 'public'
    UNION ALL SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT 'constraint', conname, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT 'option', relname, array_to_string(reloptions, ' ')
    FROM pg_class WHERE relnamespace = 'public'::regnamespace
    ORDER BY 1, 2
    """
)
WRITTEN_BY_0002 = """
    INSERT INTO payments (id, status, amount, currency, capture, customer_id, merchant_id, amount_captured,
        amount_refunded, fee_amount, reference, metadata, version, created_at, updated_at, fee_refunded,
        amount_refunded_with_fee, captures, refunds)
    VALUES ('pay_1', 'captured', 7, 'USD', 'automatic', 'usr_3', 'usr_4', 7,
        0, 0, 'order_1', '{}', 1, NOW, NOW, 0,
        0, 0, 0)
"""
WRITTEN_BY_0003 = """
    INSERT INTO answers (owner_id, key, fingerprint, body, created_at)
    VALUES ('usr_1', 'key-1', CAST('' AS BYTEA), CAST('201{}' AS BYTEA), NOW)
"""
PAYMENTS = text("SELECT id, amount, reference, quote_id FROM payments ORDER BY id")
SQLITE_SCHEMA = text("SELECT type, name, sql FROM sqlite_schema ORDER BY 1, 2")


async def test_a_migrated_database_is_what_the_tables_say(empty_url: str) -> None:
    await migrate(empty_url)
    migrated = await schema(empty_url)
    await make_anew(empty_url)
    assert migrated == await schema(empty_url)
    assert len(migrated) > len(metadata.tables)


async def test_alembic_finds_nothing_left_to_migrate(empty_url: str) -> None:
    await migrate(empty_url)
    assert await on_connection(empty_url, lambda connection: compare_metadata(context_of(connection), metadata)) == []


async def test_migrating_again_changes_nothing(empty_url: str) -> None:
    await migrate(empty_url)
    before = await schema(empty_url)
    await migrate(empty_url)
    assert await schema(empty_url) == before


async def test_several_may_migrate_at_once(empty_url: str) -> None:
    await asyncio.gather(*(migrate(empty_url) for _ in range(4)))
    assert await schema_of(empty_url) is Schema.CURRENT


async def test_a_database_that_is_behind_is_noticed(empty_url: str) -> None:
    assert await schema_of(empty_url) is Schema.NONE
    await migrate(empty_url)
    assert await schema_of(empty_url) is Schema.CURRENT


async def test_a_database_of_an_older_version_is_noticed(empty_url: str) -> None:
    await migrate(empty_url)
    await execute(empty_url, "UPDATE alembic_version SET version_num = '0001'")
    assert await schema_of(empty_url) is Schema.OLDER


def test_looking_at_the_schema_makes_no_file(tmp_path: Path) -> None:
    assert asyncio.run(schema_of(f"sqlite:///{tmp_path}/typo/ledger.db")) is Schema.NONE
    assert list(tmp_path.iterdir()) == []


async def test_a_database_of_a_newer_version_is_noticed(empty_url: str) -> None:
    await migrate(empty_url)
    await execute(empty_url, "UPDATE alembic_version SET version_num = '9999'")
    assert await schema_of(empty_url) is Schema.NEWER


async def test_a_migration_that_breaks_leaves_nothing_behind(empty_url: str) -> None:
    await execute(empty_url, "CREATE TABLE refunds_payment_id_id_idx (mine TEXT)")  # The name of an index to be.
    with pytest.raises(Exception, match="refunds_payment_id_id_idx"):
        await migrate(empty_url)
    assert "users" not in {row[1] for row in await schema(empty_url)}


async def test_payments_of_the_version_before_are_kept_and_may_still_be_written(empty_url: str) -> None:
    written_before = WRITTEN_BY_0002.replace("NOW", "0" if empty_url.startswith("sqlite") else "now()")
    await on_connection(empty_url, to_revision("0002"))
    await execute(empty_url, written_before)
    await migrate(empty_url)
    await execute(empty_url, written_before.replace("_1", "_2"))
    rows = await on_connection(empty_url, lambda connection: connection.execute(PAYMENTS).all())
    assert rows == [("pay_1", 7, "order_1", None), ("pay_2", 7, "order_2", None)]


async def test_answers_of_the_version_before_are_kept_and_may_still_be_written(empty_url: str) -> None:
    written_before = WRITTEN_BY_0003
    for name, meant in {"NOW": "0", "BYTEA": "BLOB"}.items() if empty_url.startswith("sqlite") else [("NOW", "now()")]:
        written_before = written_before.replace(name, meant)
    await on_connection(empty_url, to_revision("0003"))
    await execute(empty_url, written_before)
    await migrate(empty_url)
    await execute(empty_url, written_before.replace("key-1", "key-2"))
    keys = [AnswerKey(UserId("usr_1"), key) for key in ("key-1", "key-2")]
    async with open_sql_storage(empty_url) as storage:
        found = (await load(storage, Wanted(answers=keys))).answers
    assert {answer.key: answer.body for answer in found} == dict.fromkeys(keys, b"201{}")


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(StorageUnavailable):
        await migrate("postgresql://gateway@127.0.0.1:1/gateway")


def context_of(connection: Connection) -> MigrationContext:
    return MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})


async def make_anew(url: str) -> None:
    """The same tables, but straight from the metadata; Alembic's own stays."""

    def work(connection: Connection) -> None:
        metadata.drop_all(connection)
        metadata.create_all(connection)

    await on_connection(url, work)


async def schema(url: str) -> list[tuple[str, ...]]:
    """Everything that the database itself says about its tables, columns, indexes and constraints."""

    def work(connection: Connection) -> list[tuple[str, ...]]:
        question = POSTGRES_SCHEMA if connection.dialect.name == POSTGRES else SQLITE_SCHEMA
        return [tuple(row) for row in connection.execute(question)]

    found: list[tuple[str, ...]] = await on_connection(url, work)
    return found
