"""Bringing a database to the tables that this version needs: one history, for Postgres and SQLite alike."""

import asyncio
from enum import Enum
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, bindparam, func, select

from gateway.adapters.sql.connection import Transaction
from gateway.adapters.sql.engine import POSTGRES, audit_engine, reading_engine
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


class Schema(Enum):
    """What the tables of a database are to this version.

    Attributes:
        NONE: There is no database, or none of the gateway's tables in it.
        OLDER: `migrate` has work to do.
        CURRENT: They are this version's.
        UNKNOWN: They are of a newer version, or of another application.
    """

    NONE = "none"
    OLDER = "older"
    CURRENT = "current"
    UNKNOWN = "unknown"


async def schema_of(url: str) -> Schema:
    """Look at a database's schema. Nothing is made or changed, not even an SQLite file.

    Raises:
        StorageUnavailable: It cannot be reached.
        ValueError: As for `migrate`.
    """
    engine = await asyncio.to_thread(reading_engine, url, SqlLimits())
    if engine is None:
        return Schema.NONE
    try:
        async with Transaction(engine, writes=False) as transaction:
            return await transaction.run(_schema)
    finally:
        await engine.dispose()


def _upgrade(connection: Connection) -> None:
    command.upgrade(_config(connection), "head")


def _schema(connection: Connection) -> Schema:
    scripts = ScriptDirectory.from_config(_config(connection))
    current = MigrationContext.configure(connection).get_current_heads()
    if not current:
        return Schema.NONE
    if current == tuple(scripts.get_heads()):
        return Schema.CURRENT
    known = {script.revision for script in scripts.walk_revisions()}
    return Schema.OLDER if known.issuperset(current) else Schema.UNKNOWN


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", "gateway.adapters.sql:migrations")
    config.attributes["connection"] = connection
    return config
