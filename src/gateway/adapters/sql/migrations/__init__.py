"""Bringing a database to the tables that this version needs: one history, for Postgres and SQLite alike.

Alembic is imported when a database is not of this version's revision: it takes a tenth of the time of a start.
"""

import asyncio
from collections.abc import Callable
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, func, inspect, select, text
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.schema import CreateSchema

from gateway.adapters.sql.engine import POSTGRES, audit_engine, reading_engine
from gateway.adapters.sql.limits import SqlLimits
from gateway.adapters.sql.migrations.lock_holders import MIGRATION_LOCK, lock_holders
from gateway.adapters.sql.sqlalchemy_transaction import DatabaseTransaction
from gateway.adapters.sql.tables import metadata
from gateway.application.ports.unit_of_work import StorageUnavailable, TryAgain

LOCK_SECONDS_MAX: Final = 1.0
"""How long a migration waits for a lock. Statements on the same table queue behind it meanwhile."""
ATTEMPTS_MAX: Final = 15
PAUSE_SECONDS: Final = 2.0
"""How often a migration is tried that does not get its locks, and how long the others have the tables in between."""

_LOCK: Final = select(func.pg_advisory_xact_lock(bindparam("number", MIGRATION_LOCK)))
"""The session that holds it migrates."""
_FIND_SCHEMA: Final = text("SELECT to_regnamespace(:name) IS NOT NULL")
_ENCODING: Final = text("SHOW server_encoding")
_REVISION_TABLE: Final = "alembic_version"
_REVISIONS: Final = text(f"SELECT version_num FROM {_REVISION_TABLE}")  # noqa: S608 - a constant.
_LOCK_TIMEOUT: Final = text(f"SET LOCAL lock_timeout = {int(LOCK_SECONDS_MAX * 1000)}")


class Schema(Enum):
    """What the tables of a database are to this version.

    Attributes:
        NONE: There is no database, or none of the gateway's tables in it.
        OLDER: `migrate` has work to do.
        CURRENT: They are this version's.
        NEWER: They are of a newer version of the gateway.
        FOREIGN: They are of another application.
        NOT_UTF_8: The database keeps texts in another encoding, which has not all characters.
    """

    NONE = "none"
    OLDER = "older"
    CURRENT = "current"
    NEWER = "newer"
    FOREIGN = "foreign"
    NOT_UTF_8 = "not UTF-8"


class Step(NamedTuple):
    """One revision: its number, and what it is for."""

    revision: str
    title: str


class Plan(NamedTuple):
    """What a migration does, or did.

    Attributes:
        before: The revision of the database; empty if there is none.
        after: This version's.
        steps: The revisions between them, the oldest first.
    """

    before: str
    after: str
    steps: tuple[Step, ...]


class SchemaRefused(Exception):  # noqa: N818 - names what happened, as every refusal of the gateway does.
    """The database has tables that `migrate` must leave alone."""

    def __init__(self, schema: Schema) -> None:
        """What they are to this version: `NEWER`, `FOREIGN` or `NOT_UTF_8`."""
        super().__init__(schema.value)
        self.schema = schema


async def migrate(
    url: str,
    limits: SqlLimits | None = None,
    *,
    tell: Callable[[str], None] | None = None,
    pause_seconds: float = PAUSE_SECONDS,
) -> Plan:
    """Bring a database to the newest revision. Several may try at once; one migrates, and the others find it done.

    Locks are waited for briefly and often, so that nobody else waits long behind the migration.

    Args:
        url: `postgresql://…` or `sqlite:///path`; an SQLite file is made if there is none.
        limits: How long connecting and each statement may take; the defaults unless given.
        tell: Called with a sentence whenever the migration has to wait, which says for whom.
        pause_seconds: How long to wait before the next attempt.

    Returns:
        What was done.

    Raises:
        SchemaRefused: Its tables are of a newer version, or of another application; or it is not in UTF-8.
        StorageUnavailable: It cannot be reached, or others do not give up their locks.
        ValueError: The URL is neither.
    """
    engine = audit_engine(url, limits or SqlLimits())
    try:
        attempt = 1
        while True:
            try:
                return await _migrate(engine, limits.schema if limits else "")
            except TryAgain as busy:
                holders = await lock_holders(engine)
                if attempt == ATTEMPTS_MAX:
                    raise StorageUnavailable(f"The migration has changed nothing: it waited for {holders}.") from busy
            if tell is not None:
                tell(f"The migration waits for {holders}.")
            await asyncio.sleep(pause_seconds)
            attempt += 1
    finally:
        await engine.dispose()


async def planned(url: str, limits: SqlLimits | None = None) -> Plan:
    """Look at what `migrate` would do. Nothing is made or changed, not even an SQLite file.

    Raises:
        SchemaRefused: As for `migrate`.
        StorageUnavailable: It cannot be reached.
        ValueError: As for `migrate`.
    """
    engine = await asyncio.to_thread(reading_engine, url, limits or SqlLimits())
    if engine is None:
        return _plan("")
    try:
        async with DatabaseTransaction(engine, writes=False) as transaction:
            return await transaction.run(_checked_plan)
    finally:
        await engine.dispose()


async def _migrate(engine: AsyncEngine, schema: str) -> Plan:
    # All revisions in one transaction, which both databases can: either the tables are there, or nothing is.
    async with DatabaseTransaction(engine) as transaction:
        if engine.dialect.name == POSTGRES:
            # Nobody but another migration waits for this lock, and a migration may take its time.
            await transaction.rows(_LOCK)
            await transaction.change(_LOCK_TIMEOUT)
            if schema and not (await transaction.rows(_FIND_SCHEMA, {"name": schema}))[0][0]:
                await transaction.run(lambda connection: connection.execute(CreateSchema(schema)))
        plan = await transaction.run(_checked_plan)
        if plan.steps:
            await transaction.run(_upgrade)
            await transaction.commit()
        return plan


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
        async with DatabaseTransaction(engine, writes=False) as transaction:
            return await transaction.run(_schema)
    finally:
        await engine.dispose()


@cache
def newest_revision() -> str:
    """The revision of this version's schema: `"0008"`."""
    return max(path.name for path in Path(__file__).with_name("versions").glob("[0-9]*_*.py")).partition("_")[0]


def _checked_plan(connection: Connection) -> Plan:
    schema = _schema(connection)
    if schema in {Schema.NEWER, Schema.FOREIGN, Schema.NOT_UTF_8}:
        raise SchemaRefused(schema)
    revisions = _revisions(connection)
    return _plan(",".join(revisions))


def _plan(before: str) -> Plan:
    after = newest_revision()
    if before == after:
        return Plan(before, after, ())
    from gateway.adapters.sql.migrations.history import steps_after

    return Plan(before, after, tuple(Step(revision, title) for revision, title in steps_after(before)))


def _upgrade(connection: Connection) -> None:
    from gateway.adapters.sql.migrations.history import upgrade

    upgrade(connection)


def _schema(connection: Connection) -> Schema:
    if connection.dialect.name == POSTGRES and connection.scalar(_ENCODING) != "UTF8":
        return Schema.NOT_UTF_8
    current, newest = _revisions(connection), newest_revision()
    if not current:
        tables = inspect(connection).get_table_names()
        return Schema.FOREIGN if metadata.tables.keys() & set(tables) else Schema.NONE
    if current == [newest]:
        return Schema.CURRENT
    from gateway.adapters.sql.migrations.history import known_revisions

    if known_revisions().issuperset(current):
        return Schema.OLDER
    # The gateway's revisions are numbers that grow; revisions of other applications are usually hexadecimal.
    ours = all(len(each) == len(newest) and each.isdecimal() for each in current)
    return Schema.NEWER if ours and max(current) > newest else Schema.FOREIGN


def _revisions(connection: Connection) -> list[str]:
    if not inspect(connection).has_table(_REVISION_TABLE):
        return []
    return list(connection.scalars(_REVISIONS))
