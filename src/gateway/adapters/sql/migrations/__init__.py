"""Bringing a database to the tables that this version needs: one history, for Postgres and SQLite alike."""

from typing import Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, bindparam, func, select

from gateway.adapters.sql.connection import Transaction
from gateway.adapters.sql.engine import POSTGRES, audit_engine
from gateway.adapters.sql.limits import SqlLimits

_LOCK: Final = select(func.pg_advisory_xact_lock(bindparam("number", 0x67617465776179)))
"""Whoever holds it migrates. The number spells "gateway", so that no other program on the server picks the same."""


async def migrate(url: str) -> None:
    """Bring a database to the newest revision. Several may try at once; one migrates, and the others find it done.

    Args:
        url: `postgresql://…` or `sqlite:///path`; an SQLite file is made if there is none.

    Raises:
        StorageUnavailable: It cannot be reached.
        ValueError: The URL is neither.
    """
    engine = audit_engine(url, SqlLimits())
    try:
        # All revisions in one transaction, which both databases can: either the tables are there, or nothing is.
        async with Transaction(engine) as transaction:
            if engine.dialect.name == POSTGRES:
                await transaction.rows(_LOCK)
            await transaction.run(_upgrade)
            await transaction.commit()
    finally:
        await engine.dispose()


async def pending(url: str) -> bool:
    """Whether a database is not at the newest revision: `migrate` has work to do, or a newer version has done its own.

    Raises:
        StorageUnavailable: It cannot be reached.
        ValueError: As for `migrate`.
    """
    engine = audit_engine(url, SqlLimits())
    try:
        async with Transaction(engine, writes=False) as transaction:
            return await transaction.run(_is_behind)
    finally:
        await engine.dispose()


def _upgrade(connection: Connection) -> None:
    command.upgrade(_config(connection), "head")


def _is_behind(connection: Connection) -> bool:
    newest = ScriptDirectory.from_config(_config(connection)).get_heads()
    return MigrationContext.configure(connection).get_current_heads() != tuple(newest)


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", "gateway.adapters.sql:migrations")
    config.attributes["connection"] = connection
    return config
