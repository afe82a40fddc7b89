"""What an error of the database means to the application: the one place that looks at SQLSTATEs and SQLite's codes.

SQLSTATEs: https://www.postgresql.org/docs/current/errcodes-appendix.html; SQLite: https://www.sqlite.org/rescode.html.
"""

import sqlite3
from typing import Final

from asyncpg import (  # type: ignore[import-untyped]  # asyncpg ships no types.
    InterfaceError,
    InternalClientError,
    InvalidCachedStatementError,
    PostgresError,
)
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from gateway.adapters.sql.tables.events import answers
from gateway.adapters.sql.tables.keys import KEYS_TAKEN
from gateway.application.ports.busy import RecordBusy
from gateway.application.ports.unit_of_work import (
    Conflict,
    KeyBusy,
    KeyTaken,
    StorageReadOnly,
    StorageRefused,
    StorageUnavailable,
    TryAgain,
)

CONNECTION_ERRORS: Final[tuple[type[Exception], ...]] = (InterfaceError, InternalClientError, OSError)
"""Errors of asyncpg after which the state of the connection is unknown: for example if Postgres ended the session while
this process was suspended."""

VALUE_ERRORS: Final[tuple[type[Exception], ...]] = (OverflowError, UnicodeEncodeError)
"""What Python's own driver of SQLite says, past SQLAlchemy, of an integer beyond 64 bits and of a lone surrogate."""

DATABASE_ERRORS: Final[tuple[type[Exception], ...]] = (
    SQLAlchemyError,
    PostgresError,
    *CONNECTION_ERRORS,
    *VALUE_ERRORS,
)
"""All that a statement may raise. asyncpg raises plain `OSError`s (`TimeoutError` is one) past SQLAlchemy."""

CONNECTION_EXCEPTION: Final = "08"
"""The class of the SQLSTATEs of broken connections."""
READ_ONLY: Final = "25006"
UNIQUE_VIOLATION: Final = "23505"
LOCK_NOT_AVAILABLE: Final = "55P03"
DIVISION_BY_ZERO: Final = "22012"
"""Raised on purpose by a checked write when a row no longer has the expected version. No other statement divides."""

# The transaction is over and may be run again: connection lost, serialization failure, deadlock, cancelled or shut down
# by an operator or a time limit, read-only after a failover, lain idle too long, taken too long.
RUN_AGAIN: Final = (CONNECTION_EXCEPTION, "40001", "40P01", "57", READ_ONLY, "25P03", "25P04")
# Running it again at once would not help: out of connections, disk or memory; an I/O error below the database.
AWAY: Final = ("53", "58")

# The database is not set up for the gateway, and somebody has to do so.
NOT_SET_UP: Final = {
    "42501": "The role of the gateway lacks a right in the database. Run `gateway migrate --roles` as the owner, and "
    "make the login a member of gateway_serve or gateway_worker.",
    "3F000": "The schema that the gateway is to use does not exist. Make it: CREATE SCHEMA.",
}

SQLITE_RUN_AGAIN: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_INTERRUPT})
SQLITE_AWAY: Final = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_CANTOPEN,
    }
)
SQLITE_UNIQUE: Final = frozenset({sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY})
SQLITE_PRIMARY_CODE: Final = 0xFF
"""The low byte of an extended result code says what kind it is."""


def port_error(error: Exception) -> Exception:
    """The port's error for an error that a statement or a COMMIT raised. An unknown error is a bug: `StorageRefused`.

    Args:
        error: One of `DATABASE_ERRORS`.
    """
    return known_error(error) or StorageRefused("The database refused what it was given.")


def known_error(error: Exception) -> Exception | None:
    """As `port_error`, but nothing for a bug."""
    if isinstance(error, CONNECTION_ERRORS):
        return TryAgain("The connection to the database broke.")
    if isinstance(error, PostgresError):
        return _postgres_error(error)
    if not isinstance(error, DBAPIError) or error.orig is None:
        return None
    if isinstance(error.orig, sqlite3.Error):
        return _sqlite_error(error.orig)
    # What asyncpg said, with fields that SQLAlchemy does not hand on.
    meant = _postgres_error(error.orig.__cause__ or error.orig)
    if meant is None and error.connection_invalidated:
        meant = TryAgain("The connection to the database broke.")
    return meant


def sqlstate(error: BaseException) -> str:
    """The five characters in which Postgres says what is wrong; none if it did not."""
    return getattr(error, "sqlstate", None) or ""


def _postgres_error(original: BaseException) -> Exception | None:
    state = sqlstate(original)
    if state == UNIQUE_VIOLATION and getattr(original, "constraint_name", None) in KEYS_TAKEN:
        return KeyTaken("Another transaction committed a unique key first.")
    # Postgres says which table it was inserting into when it waited; the name stands in it in every language.
    if state == LOCK_NOT_AVAILABLE and answers.name in (getattr(original, "context", None) or ""):
        return KeyBusy("Another transaction holds one of the idempotency keys.")
    if state == LOCK_NOT_AVAILABLE:
        return RecordBusy("Another transaction holds a record that is needed.")
    if state == DIVISION_BY_ZERO:
        return Conflict("Another transaction has changed what was loaded.")
    # A column's type has changed since the statement was prepared. It is prepared anew.
    if isinstance(original, InvalidCachedStatementError) or state.startswith(RUN_AGAIN):
        return TryAgain(f"The transaction did not commit ({state}).")
    return _unavailable(state)


def _unavailable(state: str) -> StorageUnavailable | None:
    if state in NOT_SET_UP:
        return StorageUnavailable(NOT_SET_UP[state])
    if state.startswith(AWAY):
        return StorageUnavailable(f"The database is out of resources ({state}).")
    return None


def _sqlite_error(error: sqlite3.Error) -> Exception | None:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    if code in SQLITE_UNIQUE:
        taken = str(error).removeprefix("UNIQUE constraint failed: ") in KEYS_TAKEN.values()
        return KeyTaken("Another transaction committed a unique key first.") if taken else None
    if code & SQLITE_PRIMARY_CODE in SQLITE_RUN_AGAIN:
        return TryAgain("Another transaction holds the database.")
    if code & SQLITE_PRIMARY_CODE == sqlite3.SQLITE_READONLY:
        return StorageReadOnly("This process cannot write: the database's file or its folder is read-only.")
    if code & SQLITE_PRIMARY_CODE in SQLITE_AWAY:
        return StorageUnavailable(f"The database file cannot be used: {error}.")
    return None
