"""The gateway beside the tables of a program, in a schema of its own in the same Postgres."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]  # asyncpg ships no types.
import pytest

from gateway import (
    Gateway,
    InvalidInput,
    MakeDeposit,
    Money,
    Pay,
    PaymentOrder,
    Settings,
    SettingsRefused,
    StartRefused,
    open_gateway,
)
from gateway.adapters.memory import memory_storage
from gateway.adapters.sql import roles
from gateway.adapters.sql.migrations import newest_revision
from gateway.bootstrap.schema import grant_database_roles, migrate_database, planned_migration, require_schema
from gateway.bootstrap.storage import open_audit
from gateway.testing import assert_sound
from support.postgres import PostgresServer, copy_database, temporary_database


@pytest.fixture
async def program(empty_postgres_url: str) -> AsyncIterator[Any]:
    """A connection of a program whose tables have names of the gateway's, and its own versions of them."""
    connection = await asyncpg.connect(empty_postgres_url)
    await connection.execute("CREATE TABLE accounts (number INT); CREATE TABLE alembic_version (version_num TEXT)")
    await connection.execute("INSERT INTO accounts VALUES (7); INSERT INTO alembic_version VALUES ('ae1027a6acf')")
    yield connection
    await connection.close()


async def pay(gateway: Gateway, amount_minor: int) -> Pay:
    ada = await gateway.accounts.open_customer("ada", "EUR")
    shop = await gateway.accounts.open_merchant("shop", "EUR")
    await gateway.execute(MakeDeposit(account_id=ada.id, amount=Money(1_000, "EUR"), owner_id=None))
    amount = Money(amount_minor, "EUR")
    return Pay(order=PaymentOrder(customer_id=ada.owner_id, merchant_id=shop.owner_id, amount=amount))


async def available(gateway: Gateway) -> int:
    return (await gateway.accounts.open_customer("ada", "EUR")).available


async def test_a_gateway_pays_in_its_schema_and_in_transactions_of_the_program(
    empty_postgres_url: str, program: Any
) -> None:
    async with open_gateway(empty_postgres_url, schema="payments") as gateway:
        command = await pay(gateway, 10)
        await gateway.execute(command)
        async with program.transaction():
            await program.execute("INSERT INTO accounts VALUES (8)")
            await gateway.execute_in(program, command)
            await program.execute("INSERT INTO accounts VALUES (9)")
        assert await available(gateway) == 980
        await assert_sound(gateway)
        events = await gateway.events.read()
        assert [event.type for event in events[-2:]] == ["payment.captured"] * 2
    assert [row["number"] for row in await program.fetch("SELECT number FROM public.accounts")] == [7, 8, 9]
    assert await program.fetchval("SELECT version_num FROM public.alembic_version") == "ae1027a6acf"
    assert await program.fetchval("SELECT version_num FROM payments.alembic_version") == newest_revision()


async def test_two_schemas_of_one_database_are_two_ledgers(empty_postgres_url: str, program: Any) -> None:
    async with (
        open_gateway(empty_postgres_url, schema="one") as one,
        open_gateway(Settings(database_url=empty_postgres_url, database_schema="two")) as two,
    ):
        command = await pay(one, 10)
        await pay(two, 10)
        await one.execute(command)
        assert (await available(one), await available(two)) == (990, 1_000)
        async with program.transaction():
            await two.execute_in(program, command)
            await one.execute_in(program, command)
        assert (await available(one), await available(two)) == (980, 990)


async def test_one_of_two_schemas_is_dumped_and_restored_as_a_ledger_of_its_own(
    postgres_server: PostgresServer, empty_postgres_url: str
) -> None:
    async with (
        open_gateway(empty_postgres_url, schema="one") as one,
        open_gateway(empty_postgres_url, schema="two") as two,
    ):
        await one.execute(await pay(one, 10), idempotency_key="order-1")
        await two.execute(await pay(two, 20))
    async with temporary_database(postgres_server) as name:
        restored = postgres_server.url(name)
        copy_database(empty_postgres_url, restored, schema="one")
        async with open_gateway(restored, schema="one") as gateway:
            assert await available(gateway) == 990
            await assert_sound(gateway)
            again = await gateway.execute(await pay(gateway, 10), idempotency_key="order-1")
            assert again.payment.amount == Money(10, "EUR")
            assert await available(gateway) == 1_990  # The deposit of `pay`, and no second payment.
        connection = await asyncpg.connect(restored)
        assert await connection.fetchval("SELECT to_regnamespace('two') IS NULL")
        await connection.close()


async def test_a_schema_of_others_or_of_another_version_is_a_sentence(empty_postgres_url: str, program: Any) -> None:
    settings = Settings(database_url=empty_postgres_url, database_schema="payments")
    with pytest.raises(StartRefused, match="There is no ledger"):
        await require_schema(settings)
    assert len((await planned_migration(settings)).steps) > 1
    assert await program.fetchval("SELECT to_regnamespace('payments') IS NULL")  # A plan makes nothing.
    await migrate_database(settings)
    await require_schema(settings)
    for version, sentence in (("0099", "newer version"), ("0001", "older"), ("ae1027a6acf", "another application")):
        await program.execute(f"UPDATE payments.alembic_version SET version_num = '{version}'")  # noqa: S608 - ours.
        with pytest.raises(StartRefused, match=sentence):
            await require_schema(settings)
    with pytest.raises(StartRefused, match="GATEWAY_DATABASE_SCHEMA"):
        async with open_gateway(empty_postgres_url):
            pass


async def test_a_role_of_the_gateway_serves_and_an_audit_reads_in_the_schema(
    empty_postgres_url: str, program: Any
) -> None:
    settings = Settings(database_url=empty_postgres_url, database_schema="payments")
    await migrate_database(settings)
    await grant_database_roles(settings)
    role = f"{empty_postgres_url}?options=-c%20role%3D{roles.SERVE}"
    assert await program.fetchval(f"SELECT has_schema_privilege('{roles.SERVE}', 'payments', 'USAGE')")
    async with open_gateway(Settings(database_url=role, database_schema="payments")) as gateway:
        await gateway.execute(await pay(gateway, 10))
        assert await available(gateway) == 990
    async with open_audit(settings) as audit:
        assert (await audit.size()).transactions == 2


@pytest.mark.parametrize("name", ["Payments", "pg_payments", "1st", "a-b", 'a"b', "x" * 64, "a b", "public,other"])
def test_what_is_no_name_of_a_schema_is_refused(name: str) -> None:
    with pytest.raises(SettingsRefused, match="GATEWAY_DATABASE_SCHEMA"):
        Settings(database_schema=name)


async def test_a_schema_needs_postgres_without_a_pooler(tmp_path: Path, empty_postgres_url: str) -> None:
    for url, sentence in (
        (str(tmp_path / "shop.db"), "SQLite has no schemas"),
        (f"{empty_postgres_url}?pgbouncer=true", "ALTER ROLE name SET search_path"),
    ):
        with pytest.raises(SettingsRefused, match=sentence):
            async with open_gateway(url, schema="payments"):
                pass
    with pytest.raises(SettingsRefused, match="GATEWAY_DATABASE_SCHEMA"):
        async with open_gateway(empty_postgres_url, schema="no schema"):
            pass
    with pytest.raises(InvalidInput, match="not both"):
        async with open_gateway(storage=memory_storage(), schema="payments"):
            pass
