"""SQLite files as they are found: read without changing anything, and tried out before anything is written."""

import os
import sqlite3
import threading
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL

from gateway.adapters.sql.errors import SQLITE_PRIMARY_CODE
from gateway.application.ports.unit_of_work import StorageUnavailable

READ: Final = {"mode": "ro"}
RECOVER: Final = {"mode": "rw"}
"""Whatever was writing the file was killed: to read what is committed, SQLite takes back what is not."""
READ_UNLOCKED: Final = {"mode": "ro", "immutable": "1"}
"""For a write-ahead log in a folder where its files cannot be made. Locks nothing, and so nobody may be writing."""

Query = dict[str, str]

_MODE: Final = 0o600
_making: Final = threading.Lock()


def make_private(path: str) -> None:
    """Make an SQLite file that only this user can read, if there is none. An existing one is not touched.

    SQLite gives its journal and its write-ahead log the mode of the file. What cannot be made, SQLite cannot make
    either: it says why.
    """
    # With O_EXCL a link is not followed, and an existing file never opened: closing it would release the locks that
    # SQLite holds on it in this process. For the same reason nobody connects between these two calls.
    with _making, suppress(OSError):
        os.close(os.open(os.path.realpath(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE))


def read_only(url: URL) -> URL | None:
    """The URL that reads an SQLite file and changes nothing; `None` if there is no such file.

    Raises:
        StorageUnavailable: The file cannot be read, or is none of SQLite.
    """
    path = Path(str(url.database)).resolve()
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StorageUnavailable(f"The file {path} cannot be looked at.") from error
    return url.set(database=path.as_uri(), query={**_how_to_read(path), "uri": "true"})


def try_to_write(cursor: Any) -> None:
    """Change nothing, but as a change begins: a file or a folder that is read-only is noticed, before money is moved.

    Args:
        cursor: Of a connection outside a transaction.

    Raises:
        sqlite3.OperationalError: Nothing can be written.
    """
    try:
        cursor.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & SQLITE_PRIMARY_CODE == sqlite3.SQLITE_BUSY:
            return  # Another process is writing: so can this one, afterwards.
        raise
    try:
        cursor.execute("PRAGMA user_version")
        [version] = cursor.fetchone()
        cursor.execute(f"PRAGMA user_version = {version}")
    finally:
        cursor.execute("ROLLBACK")


def _how_to_read(path: Path) -> Query:
    try:
        _look_into(path, READ)
    except sqlite3.Error as error:
        if _can_be_read(path, RECOVER):
            return READ
        if not _is_unfinished(path) and _can_be_read(path, READ_UNLOCKED):
            return READ_UNLOCKED
        raise StorageUnavailable(f"The file {path} cannot be read as a database.") from error
    return READ


def _can_be_read(path: Path, query: Query) -> bool:
    try:
        _look_into(path, query)
    except sqlite3.Error:
        return False
    return True


def _look_into(path: Path, query: Query) -> None:
    words = "&".join(f"{name}={value}" for name, value in query.items())
    with closing(sqlite3.connect(f"{path.as_uri()}?{words}", uri=True)) as connection:
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()


def _is_unfinished(path: Path) -> bool:
    """Whether a part of the database is in a journal or a log beside the file."""
    beside = [path.with_name(f"{path.name}-{suffix}") for suffix in ("journal", "wal")]
    return any(file.exists() and file.stat().st_size for file in beside)
