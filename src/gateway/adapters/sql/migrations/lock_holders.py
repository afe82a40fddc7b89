"""Who holds the locks that a migration waits for."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from sqlalchemy import bindparam, text
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.adapters.sql.engine import POSTGRES
from gateway.adapters.sql.sqlalchemy_transaction import DatabaseTransaction
from gateway.adapters.sql.tables import metadata
from gateway.adapters.sql.types import Found
from gateway.application.ports.unit_of_work import TryAgain

MIGRATION_LOCK: Final = 0x67617465776179
"""The advisory lock of migrations. It spells "gateway", so that no other program on the server picks the same."""

_HOLDERS: Final = text(
    """
    SELECT activity.pid, activity.application_name, activity.state,
        CAST(extract(epoch FROM now() - activity.xact_start) AS int) AS seconds,
        string_agg(DISTINCT class.relname, ', ') AS tables
    FROM pg_locks AS held
    JOIN pg_stat_activity AS activity ON activity.pid = held.pid
    LEFT JOIN pg_class AS class ON class.oid = held.relation AND held.locktype = 'relation'
    WHERE held.granted AND held.pid <> pg_backend_pid() AND activity.datname = current_database()
        AND (class.relname IN :tables
            OR held.locktype = 'advisory' AND held.classid = :lock_high AND held.objid = :lock_low)
    GROUP BY activity.pid, activity.application_name, activity.state, activity.xact_start
    ORDER BY activity.xact_start LIMIT 1
    """
).bindparams(
    bindparam("tables", sorted(metadata.tables), expanding=True),
    # Postgres shows the number of an advisory lock as two halves.
    lock_high=MIGRATION_LOCK >> 32,
    lock_low=MIGRATION_LOCK & 0xFFFF_FFFF,
)


async def lock_holders(engine: AsyncEngine) -> str:
    """The session that has held locks on the gateway's tables for longest, in words that end a sentence.

    Raises:
        StorageUnavailable: The database cannot be reached.
    """
    if engine.dialect.name != POSTGRES:
        return "another process, which writes to the file"
    found: Sequence[Found] = ()
    with suppress(TryAgain):
        async with DatabaseTransaction(engine, writes=False) as transaction:
            found = await transaction.rows(_HOLDERS)
    if not found:
        return "locks that others held until now"
    [[pid, application, state, seconds, tables]] = found
    if tables is None:
        return f"another migration (session {pid} of Postgres)"
    session = f"session {pid} of Postgres ({application or 'no application name'}, {state or 'state hidden'})"
    return f"{session}, which has used {tables} for {seconds or 0} s; SELECT pg_terminate_backend({pid}) ends it"
