"""A storage adapter of your own, tested by the contracts.

Run it with `pytest examples/prove_your_own_adapter.py` after `pip install gateway[contracts]`.

A storage is the value `gateway.ports.Storage`; several adapters may supply its parts. This adapter
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
from types import TracebackType
from typing import Self

import pytest

from gateway import MakeDeposit, MemoryDatabase, Money, open_gateway
from gateway.adapters.memory import MemoryUnitOfWork, memory_storage
from gateway.contracts.history import OpenStorage
from gateway.contracts.records import a_payment, an_account, an_answer, commit
from gateway.contracts.storage import StorageContract
from gateway.ports import Changes, Records, Storage, Wanted


class JournalUnitOfWork:
    """A unit of work that is durable once its commit returns. It inherits nothing: the port is a Protocol."""

    def __init__(self, database: MemoryDatabase, journal: Path) -> None:
        self._in_memory = MemoryUnitOfWork(database)
        self._journal = journal

    async def load(self, wanted: Wanted) -> Records:
        """As `UnitOfWork.load`."""
        return await self._in_memory.load(wanted)

    async def commit(self, changes: Changes) -> None:
        """As `UnitOfWork.commit`. The journal comes second: changes that the memory refuses are not written."""
        await self._in_memory.commit(changes)
        append(self._journal, changes)

    async def __aenter__(self) -> Self:
        await self._in_memory.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._in_memory.__aexit__(kind, error, traceback)


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


# The tests: all contracts of a storage, the fixture that they need, and two tests of this adapter's own promise.


@pytest.fixture
def open_storage(tmp_path: Path) -> OpenStorage:
    """Opens an empty journal each time."""
    numbers = count()
    return lambda: open_journal(tmp_path / f"{next(numbers)}.journal")


class TestJournal(StorageContract):
    """Every contract."""


async def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    """The promise of this adapter alone."""
    path = tmp_path / "ledger.journal"
    async with open_journal(path) as before:
        await commit(before, Changes(accounts_new=[an_account(1)], answers_new=[an_answer("key-1")]))
        await commit(before, Changes(payments_new=[a_payment(1)]))
    async with open_journal(path) as after:
        assert await after.reader.account(an_account(1).id) == an_account(1)
        assert await after.reader.payment(a_payment(1).id) == a_payment(1)


async def test_a_gateway_opens_on_a_journal(tmp_path: Path) -> None:
    """The storage is given by keyword."""
    deposit = Money(5_000, "EUR")
    async with open_journal(tmp_path / "ledger.journal") as storage, open_gateway(storage=storage) as gateway:
        ada = await gateway.accounts.open_customer("ada", "EUR")
        await gateway.execute(MakeDeposit(account_id=ada.id, amount=deposit, owner_id=None))
    async with open_journal(tmp_path / "ledger.journal") as storage, open_gateway(storage=storage) as gateway:
        assert (await gateway.accounts.open_customer("ada", "EUR")).available == deposit.amount_minor
