"""A storage adapter of your own, tested by the contracts.

Run it with `pytest examples/prove_your_own_adapter.py` after `pip install gateway[contracts]`.

A storage is the ports of `gateway.application.ports.storage`; several adapters may supply them. This adapter
keeps the ledger in memory and in a journal on disk: it appends every commit to a file, and reads the file after a
restart. Only the unit of work is new. `gateway.contracts` tests it as it tests the gateway's own adapters.
"""

import os
import pickle
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import fields, replace
from itertools import count
from pathlib import Path

import pytest

from gateway.adapters.memory import MemoryDatabase, MemoryUnitOfWork, memory_storage
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Changes
from gateway.contracts.audit import AuditContract
from gateway.contracts.event_search import EventSearchContract
from gateway.contracts.events import EventFeedContract
from gateway.contracts.history import HistoryContract, OpenStorage
from gateway.contracts.reader import ReaderContract
from gateway.contracts.records import a_payment, an_account, an_answer, commit
from gateway.contracts.unit_of_work import UnitOfWorkContract


class JournalUnitOfWork(MemoryUnitOfWork):
    """A unit of work that is durable once its commit returns."""

    def __init__(self, database: MemoryDatabase, journal: Path) -> None:
        super().__init__(database)
        self._journal = journal

    async def commit(self, changes: Changes) -> None:
        """As `UnitOfWork.commit`. The journal comes second: changes that the memory refuses are not written."""
        await super().commit(changes)
        append(self._journal, changes)


def append(journal: Path, changes: Changes) -> None:
    """Append changes to the journal, and sync it."""
    # Lists, since a batch's collections are views of dictionaries, which cannot be pickled.
    values = ((field.name, getattr(changes, field.name)) for field in fields(Changes))
    entry = {name: list(value) if isinstance(value, Iterable) else value for name, value in values}
    with journal.open("ab") as file:
        pickle.dump(entry, file)
        file.flush()
        os.fsync(file.fileno())


def entries(journal: Path) -> Iterator[Changes]:
    """The changes in the journal, oldest first."""
    with journal.open("ab+") as file:
        file.seek(0)
        while file.peek(1):
            yield Changes(**pickle.load(file))  # noqa: S301 - we wrote it ourselves.


@asynccontextmanager
async def open_journal(path: Path) -> AsyncGenerator[Storage]:
    """The storage whose journal is at `path`; a new one if there is none. One process at a time."""
    database = MemoryDatabase()
    for changes in entries(path):
        async with MemoryUnitOfWork(database) as work:
            await work.commit(changes)
    yield replace(memory_storage(database), unit_of_work=lambda: JournalUnitOfWork(database, path))


# The tests: the contracts, the fixture that they need, and one test of this adapter's own promise.


@pytest.fixture
def open_storage(tmp_path: Path) -> OpenStorage:
    """Opens an empty journal each time."""
    numbers = count()
    return lambda: open_journal(tmp_path / f"{next(numbers)}.journal")


@pytest.fixture
async def storage(open_storage: OpenStorage) -> AsyncGenerator[Storage]:
    """An empty journal."""
    async with open_storage() as opened:
        yield opened


class TestUnitOfWork(UnitOfWorkContract):
    """The contract of the unit of work."""


class TestReader(ReaderContract):
    """The contract of the reader."""


class TestEventFeed(EventFeedContract):
    """The contract of the event feed."""


class TestEventSearch(EventSearchContract):
    """The contract of searches of the event feed."""


class TestAudit(AuditContract):
    """The contract of the audit."""


class TestHistory(HistoryContract):
    """The same commands have the same outcomes as on other adapters."""


async def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    """The promise of this adapter alone."""
    path = tmp_path / "ledger.journal"
    async with open_journal(path) as before:
        await commit(before, Changes(accounts_new=[an_account(1)], answers_new=[an_answer("key-1")]))
        await commit(before, Changes(payments_new=[a_payment(1)]))
    async with open_journal(path) as after:
        assert await after.reader.account(an_account(1).id) == an_account(1)
        assert await after.reader.payment(a_payment(1).id) == a_payment(1)
