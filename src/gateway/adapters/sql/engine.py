"""Connections to Postgres and SQLite, set so that neither loses money nor waits for ever."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Final, cast

from sqlalchemy import URL, ExceptionContext, event, make_url
from sqlalchemy.exc import ArgumentError, InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from gateway.adapters.sql.errors import READ_ONLY, SQLITE_PRIMARY_CODE
from gateway.adapters.sql.event_keys import get_bit
from gateway.adapters.sql.limits import SqlLimits
from gateway.adapters.sql.postgres_connections import SEARCH_PATH, CheckedConnection, Connector
from gateway.adapters.sql.sqlite_file import make_private, read_only, try_to_write

POSTGRES: Final = "postgresql"
SQLITE: Final = "sqlite"
SCHEMES: Final = frozenset({POSTGRES, "postgres", SQLITE})

SQLITE_VERSION_MIN: Final = (3, 38, 0)
"""STRICT tables need 3.37; JSON functions that are always there need 3.38."""

WAL_VERSION_MIN: Final = (3, 51, 3)
"""Until then a checkpoint could reset the write-ahead log under a second connection, and lose what was committed
(https://www.sqlite.org/wal.html). Such versions keep a rollback journal instead: slower, and sound."""


# Set-shaped statements must look rows up by index however stale the statistics are: a plan made while a table was empty
# would otherwise be a scan, and stay one while the table grows. Costs count a scan as forbidden, hence no JIT either
# (it starts at high costs). One plan for every batch size, made once per connection.
PLANNING_BY_INDEX: Final = {
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "plan_cache_mode": "force_generic_plan",
}

# Lists go down an index that has their order. A planner that takes a long list for a short one, because it has grown
# since the last statistics, would collect all of it and sort it, or go through a whole table for a join.
PLANNING_IN_ORDER: Final = {"enable_bitmapscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off"}


def sqlite_engine(url: str, limits: SqlLimits) -> AsyncEngine:
    """The engine of everything on SQLite. It has one connection in all: writers take turns anyway."""
    return _sqlite_engine(sqlite_url(url), limits.lock_timeout_seconds, pool_size=1, **_pool(limits))


def postgres_engine(url: str, limits: SqlLimits) -> AsyncEngine:
    """The engine of everything on Postgres but units of work, access and deliveries."""
    connector = Connector(url, limits, postgres_settings(limits) | PLANNING_IN_ORDER)
    return _postgres_engine(connector, pool_size=limits.pool_size, **_pool(limits))


def access_engine(url: str, limits: SqlLimits) -> AsyncEngine:
    """The engine of logins, sessions and readiness on Postgres: slow look-ups do not hold them up."""
    connector = Connector(url, limits, postgres_settings(limits) | PLANNING_BY_INDEX)
    return _postgres_engine(connector, pool_size=limits.access_pool_size, **_pool(limits))


def deliveries_engine(url: str, limits: SqlLimits) -> AsyncEngine:
    """The engine of deliveries on Postgres: their statements look rows up by index, on connections of their own."""
    connector = Connector(url, limits, postgres_settings(limits) | PLANNING_BY_INDEX)
    return _postgres_engine(connector, pool_size=limits.webhook_pool_size, **_pool(limits))


def audit_engine(url: str, limits: SqlLimits) -> AsyncEngine:
    """An engine of which every connection is new, and may take its time, for an audit or a migration."""
    if is_sqlite(url):
        return _sqlite_engine(sqlite_url(url), limits.audit_timeout_seconds, poolclass=NullPool)
    patient = SqlLimits(
        connect_timeout_seconds=limits.connect_timeout_seconds,
        command_timeout_seconds=limits.audit_timeout_seconds,
        statement_timeout_seconds=limits.audit_timeout_seconds,
        lock_timeout_seconds=limits.audit_timeout_seconds,
        idle_timeout_seconds=limits.audit_timeout_seconds,
        schema=limits.schema,
    )
    return _postgres_engine(Connector(url, patient, postgres_settings(patient)), poolclass=NullPool)


def reading_engine(url: str, limits: SqlLimits) -> AsyncEngine | None:
    """As `audit_engine`, to read alone: it makes no SQLite file and changes none; `None` if there is no such file.

    Raises:
        StorageUnavailable: There is a file, but it cannot be read, or is none of SQLite.
    """
    if not is_sqlite(url):
        return audit_engine(url, limits)
    readable = read_only(sqlite_url(url))
    arguments = {"timeout": limits.audit_timeout_seconds, "isolation_level": None}
    return None if readable is None else create_async_engine(readable, connect_args=arguments, poolclass=NullPool)


def check_url(url: str, *, schema: str = "") -> None:
    """Look whether a URL is one that can be used. Nothing is connected.

    Raises:
        ValueError: It is not. The message says what to do, and never repeats the URL, which may hold a password.
    """
    if is_sqlite(url):
        sqlite_url(url)
    else:
        Connector(url, SqlLimits(), {SEARCH_PATH: schema} if schema else {})


def is_sqlite(url: str) -> bool:
    """Whether a URL is one of SQLite.

    Raises:
        ValueError: It is neither that nor one of Postgres.
    """
    scheme = url.partition("://")[0].partition("+")[0]
    if scheme not in SCHEMES:
        raise ValueError("A database URL begins with postgresql:// or sqlite:///.")
    return scheme == SQLITE


SQLITE_DRIVERS: Final = frozenset({SQLITE, "sqlite+aiosqlite"})


def sqlite_url(url: str) -> URL:
    """`sqlite:///path`, with the driver that we use.

    Raises:
        ValueError: It names no file on this machine, or a driver or parameters.
    """
    form = "An SQLite URL names a file: sqlite:///gateway.db, or sqlite:////var/lib/gateway/gateway.db."
    if ":memory:" in url:
        raise ValueError(f"SQLite in memory is not supported. memory:// is a ledger without a database. {form}")
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ValueError(form) from None
    elsewhere = (parsed.host, parsed.username, parsed.password) != (None, None, None)
    if parsed.database in (None, "", ":memory:") or elsewhere:
        raise ValueError(form)
    if parsed.drivername not in SQLITE_DRIVERS or parsed.query:
        raise ValueError(f"The gateway chooses the driver and its parameters itself. {form}")
    return parsed.set(drivername="sqlite+aiosqlite")


def _pool(limits: SqlLimits) -> dict[str, Any]:
    return {"max_overflow": 0, "pool_timeout": limits.pool_timeout_seconds}


def postgres_settings(limits: SqlLimits) -> dict[str, str]:
    """What each session is told when it connects, without a round trip of its own."""
    return {
        "application_name": "gateway",
        "timezone": "UTC",
        "synchronous_commit": "on",
        "default_transaction_isolation": "read committed",
        "lock_timeout": _milliseconds(limits.lock_timeout_seconds),
        "statement_timeout": _milliseconds(limits.statement_timeout_seconds),
        "idle_in_transaction_session_timeout": _milliseconds(limits.idle_timeout_seconds),
        # Compiling a plan takes longer than running any of ours.
        "jit": "off",
        **({SEARCH_PATH: limits.schema} if limits.schema else {}),
    }


def write_settings(limits: SqlLimits) -> dict[str, str]:
    """As `postgres_settings`, for units of work: those that wait for locks for longer say so when they begin."""
    return postgres_settings(limits) | PLANNING_BY_INDEX | {"lock_timeout": _milliseconds(limits.brief_lock_seconds)}


def _milliseconds(seconds: float) -> str:
    return str(max(1, int(seconds * 1000)))


def _postgres_engine(connector: Connector, **pool: Any) -> AsyncEngine:
    size = connector.statement_cache_size
    caches = {} if size is None else {"prepared_statement_cache_size": size}

    def connect() -> Any:
        return cast("Any", engine.sync_engine.dialect).dbapi.connect(async_creator_fn=connector.connect, **caches)

    engine = create_async_engine("postgresql+asyncpg://", creator=connect, hide_parameters=True, **pool)
    event.listen(engine.sync_engine, "handle_error", _notice_lost_connections)
    event.listen(engine.sync_engine, "checkout", _check_if_idle)
    event.listen(engine.sync_engine, "checkin", _note_use)
    return engine


def _check_if_idle(connection: Any, record: Any, _proxy: object) -> None:
    """Replace a connection that has died while it was idle, and all others that were idle as well."""
    if record.driver_connection.may_be_dead and not connection.run_async(CheckedConnection.is_alive):
        raise InvalidatePoolError


def _note_use(_connection: Any, record: Any) -> None:
    if record.driver_connection is not None:
        record.driver_connection.touch()


def _notice_lost_connections(context: ExceptionContext) -> None:
    """Tell SQLAlchemy of lost connections that it would put back into the pool."""
    if isinstance(context.original_exception, OSError):
        # No answer in time, or a broken socket. Nobody knows what the connection would answer next.
        context.is_disconnect = True
        context.invalidate_pool_on_disconnect = False
    elif getattr(context.original_exception, "sqlstate", None) == READ_ONLY:
        # After a failover the server is a standby: for every other connection in the pool as well.
        context.is_disconnect = True


def _notice_files_that_cannot_be_written(context: ExceptionContext) -> None:
    """Open the file anew next time: that tells whether it can be written, and writes again as soon as it can."""
    code = getattr(context.original_exception, "sqlite_errorcode", 0) & SQLITE_PRIMARY_CODE
    broken = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR}
    if code in broken and context.connection is not None:
        # Softly, for its transaction is rolled back first: a connection that is closed within one keeps its locks
        # until its statements are garbage.
        context.connection.connection.invalidate(soft=True)


def _sqlite_engine(url: URL, busy_timeout_seconds: float, **pool: Any) -> AsyncEngine:
    if sqlite3.sqlite_version_info < SQLITE_VERSION_MIN:
        raise ValueError(f"This Python brings SQLite {sqlite3.sqlite_version}; 3.38 or newer is needed.")
    # Only its owner may look into a folder that holds password hashes.
    Path(str(url.database)).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Without an isolation level the driver leaves BEGIN to us: its own would let two writers lose an update.
    engine = create_async_engine(
        url, connect_args={"timeout": busy_timeout_seconds, "isolation_level": None}, hide_parameters=True, **pool
    )
    journal_mode = "WAL" if sqlite3.sqlite_version_info >= WAL_VERSION_MIN else "TRUNCATE"

    def make(_dialect: object, _record: object, arguments: tuple[str, ...], _named: object) -> None:
        make_private(arguments[0])

    def prepare(connection: Any, _record: object) -> None:
        connection.create_function("get_bit", 2, get_bit, deterministic=True)
        with closing(connection.cursor()) as cursor:
            cursor.execute(f"PRAGMA journal_mode = {journal_mode}")
            cursor.execute("PRAGMA synchronous = FULL")
            cursor.execute("PRAGMA foreign_keys = ON")
            # SQLite would make an index of a whole table for one statement, where it expects the table to be short.
            cursor.execute("PRAGMA automatic_index = OFF")
            try_to_write(cursor)

    event.listen(engine.sync_engine, "do_connect", make)
    event.listen(engine.sync_engine, "connect", prepare)
    event.listen(engine.sync_engine, "handle_error", _notice_files_that_cannot_be_written)
    return engine
