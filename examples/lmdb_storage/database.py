"""The file: snapshots for readers, and turns for writers. One process has it open at a time."""

import asyncio
import fcntl
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import lmdb

from gateway.ports import StorageReadOnly, StorageRefused, StorageUnavailable
from lmdb_storage.tables import Txn

Result = TypeVar("Result")
Record = TypeVar("Record")

LIMIT_MAX = 2**31


class Database:
    """An LMDB file. Readers see what was committed before; writers take turns, and commit in a thread of their own."""

    def __init__(self, path: Path, *, bytes_max: int, sync: bool) -> None:
        """Open the file, or make it.

        Args:
            path: The file.
            bytes_max: How large it may become. It takes no more room than it needs.
            sync: Whether commits wait for the disk.

        Raises:
            StorageUnavailable: It cannot be opened, or another process has it open.
        """
        with port_errors():
            self._environment = lmdb.open(str(path), subdir=False, map_size=bytes_max, sync=sync)
        # LMDB lets several processes write by turns. Here a turn begins before the loading, where LMDB has no lock yet.
        self._mine = path.open("rb")
        try:
            fcntl.flock(self._mine, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self.close()
            raise StorageUnavailable("Another process has the file open.") from error
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="lmdb")
        self.turns = asyncio.Lock()

    @contextmanager
    def snapshot(self) -> Generator[Txn]:
        """What is committed now, for as long as it is read."""
        with port_errors(), self._environment.begin() as txn:
            yield txn

    async def write(self, change: Callable[[Txn], Result]) -> Result:
        """Wait for a turn, and make a change."""
        async with Turn(self) as turn:
            return await turn.write(change)

    def begin_to_write(self, change: Callable[[Txn], Result]) -> asyncio.Future[Result]:
        """Commit what a function writes, or nothing if it raises. Only who has the turn may call this."""
        return asyncio.get_running_loop().run_in_executor(self._writer, self._commit, change)

    def _commit(self, change: Callable[[Txn], Result]) -> Result:
        with port_errors(), self._environment.begin(write=True) as txn:
            return change(txn)

    def close(self) -> None:
        """Close it. Commits that have begun are waited for."""
        if hasattr(self, "_writer"):
            self._writer.shutdown()
        self._environment.close()
        self._mine.close()


class Turn:
    """The right to write, once; used as `async with`. It ends when the commit has, also if its task is cancelled."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._writing: asyncio.Future[Any] | None = None

    async def write(self, change: Callable[[Txn], Result]) -> Result:
        """Make a change. Cancelling does not stop it once it has begun."""
        writing = self._database.begin_to_write(change)
        self._writing = writing
        return await asyncio.shield(writing)

    async def __aenter__(self) -> Self:
        """Wait for the turn."""
        await self._database.turns.acquire()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Give the turn to the next one, once nothing is being written."""
        if self._writing is None or self._writing.done():
            self._database.turns.release()
        else:
            self._writing.add_done_callback(self._ended)

    def _ended(self, writing: asyncio.Future[Any]) -> None:
        writing.exception()  # Nobody waits for it any more.
        self._database.turns.release()


@contextmanager
def port_errors() -> Generator[None]:
    """Let no error of LMDB out, and none of what cannot be encoded."""
    try:
        yield
    except (UnicodeEncodeError, OverflowError, lmdb.BadValsizeError) as error:
        raise StorageRefused("This cannot be kept.") from error
    except lmdb.ReadonlyError as error:
        raise StorageReadOnly("The file can only be read.") from error
    except lmdb.Error as error:
        raise StorageUnavailable(str(error)) from error


def first(records: Iterator[Record], limit: int) -> list[Record]:
    """The first records, at most `limit`."""
    return list(islice(records, min(max(limit, 0), LIMIT_MAX)))
