"""Bringing a database to the tables that this version needs: one history, for Postgres and SQLite alike."""

import asyncio
from collections.abc import Callable
from enum import Enum
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, bindparam, func, inspect, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.adapters.sql.connection import Transaction
from gateway.adapters.sql.engine import POSTGRES, audit_engine, reading_engine
from gateway.adapters.sql.limits import SqlLimits
from gateway.adapters.sql.migrations.lock_holders import MIGRATION_LOCK, lock_holders
from gateway.adapters.sql.tables import metadata
from gateway.application.ports.unit_of_work import StorageUnavailable, TryAgain

LOCK_SECONDS_MAX: Final = 1.0
"""How long a migration waits for a lock. Everybody who asks for the same table meanwhile waits behind it."""
ATTEMPTS_MAX: Final = 15
PAUSE_SECONDS: Final = 2.0
"""How often a migration is tried that does not get its locks, and how long the others have the tables in between."""

_LOCK: Final = select(func.pg_advisory_xact_lock(bindparam("number", MIGRATION_LOCK)))
"""The session that holds it migrates."""
_LOCK_TIMEOUT: Final = text(f"SET LOCAL lock_timeout = {int(LOCK_SECONDS_MAX * 1000)}")


class Schema(Enum):
    """What the tables of a database are to this version.

    Attributes:
        NONE: There is no database, or none of the gateway's tables in it.
        OLDER: `migrate` has work to do.
        CURRENT: They are this version's.
        NEWER: They are of a newer version of the gateway.
        FOREIGN: They are of another application.
    """

    NONE = "none"
    OLDER = "older"
    CURRENT = "current"
    NEWER = "newer"
    FOREIGN = "foreign"


class SchemaRefused(Exception):  # noqa: N818 - names what happened, as every refusal of the gateway does.
    """The database has tables that `migrate` must leave alone."""

    def __init__(self, schema: Schema) -> None:
        """What they are to this version: `NEWER` or `FOREIGN`."""
        super().__init__(schema.value)
        self.schema = schema


async def migrate(
    url: str,
    limits: SqlLimits | None = None,
    *,
    tell: Callable[[str], None] | None = None,
    pause_seconds: float = PAUSE_SECONDS,
) -> None:
    """Bring a database to the newest revision. Several may try at once; one migrates, and the others find it done.

    Locks are waited for briefly and often, so that nobody else waits long behind the migration.

    Args:
        url: `postgresql://…` or `sqlite:///path`; an SQLite file is made if there is none.
        limits: How long connecting and each statement may take; the defaults unless given.
        tell: Called with a sentence whenever the migration has to wait, which says for whom.
        pause_seconds: How long to wait before the next attempt.

    Raises:
        SchemaRefused: Its tables are of a newer version, or of another application.
        StorageUnavailable: It cannot be reached, or others do not give up their locks.
        ValueError: The URL is neither.
    """
    engine = audit_engine(url, limits or SqlLimits())
    try:
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                await _migrate(engine)
            except TryAgain as busy:
                holders = await lock_holders(engine)
                if attempt == ATTEMPTS_MAX:
                    raise StorageUnavailable(f"The migration has changed nothing: it waited for {holders}.") from busy
            else:
                return
            if tell is not None:
                tell(f"The migration waits for {holders}.")
            await asyncio.sleep(pause_seconds)
    finally:
        await engine.dispose()


async def _migrate(engine: AsyncEngine) -> None:
    # All revisions in one transaction, which both databases can: either the tables are there, or nothing is.
    async with Transaction(engine) as transaction:
        if engine.dialect.name == POSTGRES:
            # Nobody but another migration waits for this lock, and that one may take its time.
            await transaction.rows(_LOCK)
            await transaction.change(_LOCK_TIMEOUT)
        schema = await transaction.run(_schema)
        if schema in {Schema.NEWER, Schema.FOREIGN}:
            raise SchemaRefused(schema)
        if schema is not Schema.CURRENT:
            await transaction.run(_upgrade)
            await transaction.commit()


async def schema_of(url: str, limits: SqlLimits | None = None) -> Schema:
    """Look at a database's schema. Nothing is made or changed, not even an SQLite file.

    Raises:
        StorageUnavailable: It cannot be reached.
        ValueError: As for `migrate`.
    """
    engine = await asyncio.to_thread(reading_engine, url, limits or SqlLimits())
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
        tables = inspect(connection).get_table_names()
        return Schema.FOREIGN if metadata.tables.keys() & set(tables) else Schema.NONE
    heads = scripts.get_heads()
    if current == tuple(heads):
        return Schema.CURRENT
    known = {script.revision for script in scripts.walk_revisions()}
    if known.issuperset(current):
        return Schema.OLDER
    # The gateway's revisions are numbers that grow; those of other applications are usually hexadecimal.
    newest = max(heads)
    ours = all(len(each) == len(newest) and each.isdecimal() for each in current)
    return Schema.NEWER if ours and max(current) > newest else Schema.FOREIGN


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", "gateway.adapters.sql:migrations")
    config.attributes["connection"] = connection
    return config
