"""The mark of production's database: a sandbox, in which owners make money, does not serve it."""

from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection, bindparam, inspect, select
from sqlalchemy.dialects import postgresql, sqlite

from gateway.adapters.sql.engine import POSTGRES, SQLITE, audit_engine, reading_engine
from gateway.adapters.sql.limits import SqlLimits
from gateway.adapters.sql.sqlalchemy_transaction import DatabaseTransaction
from gateway.adapters.sql.tables.production import production

_ROW: Final = {"id": 1, "marked_at": bindparam("now", type_=production.c.marked_at.type)}
MARK: Final = {
    POSTGRES: postgresql.insert(production).values(_ROW).on_conflict_do_nothing(),
    SQLITE: sqlite.insert(production).values(_ROW).on_conflict_do_nothing(),
}


async def mark_as_production(url: str, limits: SqlLimits | None = None) -> None:
    """Mark a migrated database as production's. The mark stays until somebody deletes the row.

    Raises:
        StorageUnavailable: The database cannot be reached.
        ValueError: The URL is neither of Postgres nor of SQLite.
    """
    engine = audit_engine(url, limits or SqlLimits())
    try:
        async with DatabaseTransaction(engine) as transaction:
            await transaction.change(MARK[engine.dialect.name], {"now": datetime.now(UTC)})
            await transaction.commit()
    finally:
        await engine.dispose()


async def is_production(url: str, limits: SqlLimits | None = None) -> bool:
    """Whether a database is marked as production's. It may be of any version, or not exist; nothing is changed.

    Raises:
        StorageUnavailable: The database cannot be reached.
        ValueError: The URL is neither of Postgres nor of SQLite.
    """
    engine = reading_engine(url, limits or SqlLimits())
    if engine is None:
        return False
    try:
        async with DatabaseTransaction(engine, writes=False) as transaction:
            return await transaction.run(_is_marked)
    finally:
        await engine.dispose()


def _is_marked(connection: Connection) -> bool:
    return inspect(connection).has_table(production.name) and connection.scalar(select(production.c.id)) is not None
