"""The roles of Postgres: what they may not do. The contracts show what they may do: they run with these rights."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from gateway.adapters.sql import grant_roles, role_statements
from gateway.adapters.sql.roles import READ, ROLES, SERVE, WORKER
from gateway.adapters.sql.tables import metadata

APPEND_ONLY = ("transfers", "refunds", "events", "event_batches", "answers")
NOBODY_MAY = (
    *(f"UPDATE {table} SET {metadata.tables[table].columns[0].name} = NULL" for table in APPEND_ONLY),  # noqa: S608
    *(f"DELETE FROM {table}" for table in ("transfers", "refunds", "accounts", "payments", "users")),  # noqa: S608
    *(f"TRUNCATE {table}" for table in metadata.tables),
    "UPDATE accounts SET owner_id = ''",
    "UPDATE accounts SET currency = 'EUR'",
    "UPDATE payments SET amount = 1",
    "UPDATE payments SET merchant_id = ''",
    "UPDATE quotes SET target_amount = 1",
    "UPDATE users SET role = 'operator'",
    "UPDATE alembic_version SET version_num = '9999'",
    "CREATE TABLE more (id int)",
)
A_SERVER_MAY_NOT = (
    "DELETE FROM events",
    "DELETE FROM event_batches",
    "DELETE FROM event_index",
    "DELETE FROM answers",
    "DELETE FROM quotes",
    "DELETE FROM sessions",
)
A_READER_MAY_NOT = (
    "INSERT INTO transfers DEFAULT VALUES",
    "UPDATE accounts SET version = 1",
    "SELECT password_hash FROM users",
    "SELECT secret FROM webhook_endpoints",
    "SELECT * FROM refresh_tokens",
)
ASKED = (
    *((role, action) for role in ROLES for action in NOBODY_MAY),
    *((role, action) for role in (READ, SERVE) for action in A_SERVER_MAY_NOT),
    *((READ, action) for action in A_READER_MAY_NOT),
)


@pytest.fixture
async def owner(postgres_url: str) -> AsyncIterator[AsyncConnection]:
    """A connection of the owner to a database with roles."""
    engine = create_async_engine(postgres_url.replace("postgresql://", "postgresql+asyncpg://"), poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.execute(text("REVOKE CREATE ON SCHEMA public FROM PUBLIC"))  # As from Postgres 15 on.
        yield connection


async def test_no_role_may_rewrite_the_ledger_or_read_secrets_that_it_does_not_need(owner: AsyncConnection) -> None:
    for role, action in ASKED:
        await owner.execute(text(f"SET ROLE {role}"))
        async with owner.begin_nested() as attempt:
            with pytest.raises(ProgrammingError, match="permission denied"):
                await owner.execute(text(action))
            await attempt.rollback()
        await owner.execute(text("RESET ROLE"))


async def test_a_right_that_was_given_by_hand_is_taken_back(postgres_url: str, owner: AsyncConnection) -> None:
    await owner.execute(text(f"GRANT UPDATE, DELETE ON transfers TO {WORKER}"))
    await owner.execute(text(f"GRANT UPDATE (amount) ON payments TO {SERVE}"))
    await owner.commit()
    await grant_roles(postgres_url)
    rights = "SELECT has_table_privilege(:worker, 'transfers', 'UPDATE, DELETE'), "
    rights += "has_column_privilege(:serve, 'payments', 'amount', 'UPDATE')"
    [given] = await owner.execute(text(rights), {"worker": WORKER, "serve": SERVE})
    assert tuple(given) == (False, False)


def test_each_table_has_rights_of_its_own() -> None:
    statements = [*role_statements()]
    for table in metadata.tables:
        assert any(
            f"public.{table} TO" in statement for statement in statements if statement.startswith("GRANT SELECT")
        )
        is_written = any(f"public.{table} TO" in statement for statement in statements if "INSERT" in statement)
        # The owner marks the database; the end of the audit log is one row, which the migration makes.
        assert is_written is (table not in {"production", "audit_head"}), table


def test_the_schema_is_quoted() -> None:
    assert any('"My schema".transfers' in statement for statement in role_statements("My schema"))
