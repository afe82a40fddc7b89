"""Migration 0018: users of before are active, and processes of before go on registering users beside it."""

from datetime import UTC, datetime

from gateway.adapters.sql import migrate, open_sql_storage
from gateway.domain.user import Role, User, UserId
from support.migrations import execute, on_connection, to_revision

WRITTEN_BY_0016 = """
    INSERT INTO users (id, email, role, name, created_at, password_hash)
    VALUES ('{id}', '{id}@example.com', 'customer', NULL, {now}, '$argon2id$')
"""
NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


async def register_as_0016_did(url: str, user_id: str) -> None:
    microseconds = int(NOW.timestamp()) * 1_000_000 + NOW.microsecond
    now = str(microseconds) if url.startswith("sqlite") else f"'{NOW.isoformat()}'"
    await execute(url, WRITTEN_BY_0016.format(id=user_id, now=now))


async def test_users_of_before_and_those_whom_processes_of_before_register_are_active(empty_url: str) -> None:
    await on_connection(empty_url, to_revision("0016"))
    await register_as_0016_did(empty_url, "usr_1")
    await migrate(empty_url)
    await register_as_0016_did(empty_url, "usr_2")
    async with open_sql_storage(empty_url) as storage:
        for user_id in (UserId("usr_1"), UserId("usr_2")):
            found = await storage.users.by_id(user_id)
            assert found is not None
            assert found.user == User(
                id=user_id,
                email=f"{user_id}@example.com",
                role=Role.CUSTOMER,
                name=None,
                created_at=NOW,
                disabled_at=None,
                version=1,
            )
