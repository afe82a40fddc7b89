"""A storage adapter of your own, and its proof.

Run it with `pytest examples/prove_your_own_adapter.py` after `pip install gateway[contracts]`.

A storage is the seven ports of `gateway.application.ports.storage`, and may be put together from several adapters. This
one keeps the ledger in memory and in a journal on disk: every commit is appended to a file, and is read again from
there after a restart. The unit of work is what had to be written for it. `gateway.contracts` then asks it all that it
asks the gateway's own adapters.
"""

import os
import pickle
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import fields
from itertools import count
from pathlib import Path

import pytest

from gateway.adapters.memory import MemoryDatabase, MemoryUnitOfWork, memory_storage
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Changes
from gateway.contracts.audit import AuditContract
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
        """As `UnitOfWork.commit`. The journal comes second: what the memory refuses is not written."""
        await super().commit(changes)
        append(self._journal, changes)


def append(journal: Path, changes: Changes) -> None:
    """Write changes at the end of the journal, down to the disk."""
    # Lists, since the collections of a batch are views of its dictionaries, which cannot be pickled.
    values = ((field.name, getattr(changes, field.name)) for field in fields(Changes))
    entry = {name: list(value) if isinstance(value, Iterable) else value for name, value in values}
    with journal.open("ab") as file:
        pickle.dump(entry, file)
        file.flush()
        os.fsync(file.fileno())


def entries(journal: Path) -> Iterator[Changes]:
    """What stands in the journal, oldest first."""
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
    storage = memory_storage(database)
    yield Storage(
        unit_of_work=lambda: JournalUnitOfWork(database, path),
        users=storage.users,
        sessions=storage.sessions,
        login_failures=storage.login_failures,
        rates=storage.rates,
        reader=storage.reader,
        events=storage.events,
        audit=storage.audit,
    )


# What follows is the proof: the contracts, a fixture for what they ask for, and one test of what is ours alone.


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
    """The unit of work keeps its promises."""


class TestReader(ReaderContract):
    """So does the reader, over what the unit of work committed."""


class TestEventFeed(EventFeedContract):
    """So does the event feed."""


class TestAudit(AuditContract):
    """So does the audit."""


class TestHistory(HistoryContract):
    """The same commands have the same consequences as anywhere else."""


async def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    """What only this adapter promises."""
    path = tmp_path / "ledger.journal"
    async with open_journal(path) as before:
        await commit(before, Changes(accounts_new=[an_account(1)], answers_new=[an_answer("key-1")]))
        await commit(before, Changes(payments_new=[a_payment(1)]))
    async with open_journal(path) as after:
        assert await after.reader.account(an_account(1).id) == an_account(1)
        assert await after.reader.payment(a_payment(1).id) == a_payment(1)
