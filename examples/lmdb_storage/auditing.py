"""The audit log with its chain, and the audit of the whole ledger."""

from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from itertools import islice
from typing import TypeVar

from gateway import Account, AccountId, AuditFilter, AuditId, AuditRecord, Payment, PaymentId, Transaction
from gateway.ports import (
    FIRST_HASH,
    ChainedRecord,
    ChainEnd,
    FeedEvent,
    LedgerSize,
    Listed,
    StatusChange,
    StrayRecord,
    UsedQuote,
    chained,
)
from lmdb_storage.database import Database, first
from lmdb_storage.listing import listed
from lmdb_storage.records import (
    ACCOUNTS,
    AUDIT_CHAIN,
    AUDIT_DELETED,
    AUDIT_HEAD,
    AUDIT_LOG,
    AUDIT_UNLINKED,
    EVENTS,
    EVENTS_KEPT_SINCE,
    PAYMENTS,
    QUOTES,
    TRANSACTIONS,
    Unlinked,
)
from lmdb_storage.tables import Txn, is_empty, name, number

Record = TypeVar("Record")

PAGE_MAX = 1_000
NO_LINKS = ChainEnd(0, FIRST_HASH)


class LmdbAuditLog:
    """The port `AuditLog`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, record: AuditRecord) -> None:
        """As the port says."""
        await self._database.write(lambda txn: append(txn, record))

    async def records(self, where: AuditFilter, *, before: AuditId | None, limit: int) -> Listed[AuditRecord]:
        """As the port says."""

        def matches(record: AuditRecord) -> bool:
            return (
                where.owner_id in (None, record.note.owner_id)
                and where.actor in (None, record.origin.actor.id)
                and where.action in (None, record.note.action)
                and where.object_id in (None, record.note.object_id)
                and (where.created_after is None or record.created_at >= where.created_after)
                and (where.created_before is None or record.created_at < where.created_before)
            )

        with self._database.snapshot() as txn:
            if where.owner_id is None:
                return listed(AUDIT_LOG.newest(txn, before), matches, limit)
            return listed(AUDIT_LOG.newest_of(txn, "owner", name(where.owner_id), before), matches, limit)

    async def link(self, *, limit: int) -> int:
        """As the port says. It takes a turn as short as any other."""
        return await self._database.write(lambda txn: link(txn, limit))


def append(txn: Txn, record: AuditRecord | None) -> None:
    """Add a record to the audit log, if there is one. It waits for its place in the chain."""
    if record is not None:
        AUDIT_LOG.add(txn, record)
        AUDIT_UNLINKED.add(txn, Unlinked(record.id))


def link(txn: Txn, limit: int) -> int:
    """Give the first records that wait their places in the chain."""
    last = next(AUDIT_CHAIN.newest(txn), None)
    position, previous = (0, FIRST_HASH) if last is None else (last.position, last.hash)
    waiting = (AUDIT_LOG.get(txn, each.audit_id) for each in AUDIT_UNLINKED.all(txn))
    # A record that is missing, or cannot be read, keeps its mark: the audit tells.
    records = first((record for record in waiting if record is not None), limit)
    links = list(chained(records, position=position, previous=previous))
    for place in links:
        AUDIT_CHAIN.add(txn, place)
        AUDIT_UNLINKED.delete(txn, Unlinked(place.audit_id))
    if links and head_is_there(txn):
        AUDIT_HEAD.put(txn, ChainEnd(links[-1].position, links[-1].hash))
    return len(links)


def begin_chain(txn: Txn) -> None:
    """Write down the end of a chain without links, where the file is new."""
    if is_empty(txn):
        AUDIT_HEAD.put(txn, NO_LINKS)


def head_is_there(txn: Txn) -> bool:
    """Whether the chain still has the end that was written down: what was cut off stays missing."""
    head = AUDIT_HEAD.get(txn)
    if head is None or head == NO_LINKS:
        return head is not None
    place = AUDIT_CHAIN.get(txn, number(head.position))
    return place is not None and place.hash == head.hash


class LmdbAudit:
    """The port `Audit`, over one snapshot."""

    def __init__(self, txn: Txn) -> None:
        self._txn = txn

    async def size(self) -> LedgerSize:
        """As the port says."""
        return LedgerSize(accounts=ACCOUNTS.count(self._txn), transactions=TRANSACTIONS.count(self._txn))

    async def accounts(self) -> AsyncIterator[Collection[Account]]:
        """As the port says."""
        for page in pages(ACCOUNTS.all(self._txn)):
            yield page

    async def transactions(self) -> AsyncIterator[Collection[Transaction]]:
        """As the port says."""
        for page in pages(TRANSACTIONS.all(self._txn)):
            yield page

    async def status_changes(self) -> AsyncIterator[Collection[StatusChange]]:
        """As the port says."""
        for page in pages(self._events_of("account")):
            yield [StatusChange(AccountId(event.object_id), event.sequence) for event in page]

    async def payments(self) -> AsyncIterator[Collection[Payment]]:
        """As the port says."""
        for page in pages(PAYMENTS.all(self._txn)):
            yield page

    async def used_quotes(self) -> AsyncIterator[Collection[UsedQuote]]:
        """As the port says."""
        for page in pages(QUOTES.all(self._txn)):
            yield [
                UsedQuote(quote, PAYMENTS.get(self._txn, quote.payment_id))
                for quote in page
                if quote.payment_id is not None
            ]

    async def events_kept_since(self) -> datetime | None:
        """As the port says."""
        return EVENTS_KEPT_SINCE.get(self._txn)

    async def audit_deleted(self) -> ChainEnd | None:
        """As the port says."""
        return AUDIT_DELETED.get(self._txn)

    async def audit_head(self) -> ChainEnd | None:
        """As the port says."""
        return AUDIT_HEAD.get(self._txn)

    async def audit_chain(self) -> AsyncIterator[Collection[ChainedRecord]]:
        """As the port says."""
        for page in pages(AUDIT_CHAIN.all(self._txn)):
            yield [ChainedRecord(place, AUDIT_LOG.get(self._txn, place.audit_id)) for place in page]

    async def stray_audit_records(self) -> AsyncIterator[Collection[StrayRecord]]:
        """As the port says."""
        for page in pages(AUDIT_LOG.keys(self._txn)):
            ids = [AuditId(key.decode(errors="replace")) for key in page]
            unlinked = [each for each in ids if AUDIT_CHAIN.one(self._txn, "record", name(each)) is None]
            yield [StrayRecord(each, exists=self._can_be_read(each), waits=self._waits(each)) for each in unlinked]
        for waiting in pages(AUDIT_UNLINKED.all(self._txn)):
            gone = [each.audit_id for each in waiting if not AUDIT_LOG.has_key(self._txn, each.audit_id)]
            yield [StrayRecord(each, exists=False, waits=True) for each in gone]

    async def payment_events(self) -> AsyncIterator[Mapping[PaymentId, Collection[int]]]:
        """As the port says."""
        for page in pages(self._events_of("payment")):
            sequences: defaultdict[PaymentId, list[int]] = defaultdict(list)
            for event in page:
                sequences[PaymentId(event.object_id)].append(event.sequence)
            yield sequences

    def _events_of(self, kind: str) -> Iterator[FeedEvent]:
        return (event for event in EVENTS.all(self._txn) if event.type.partition(".")[0] == kind)

    def _can_be_read(self, audit_id: AuditId) -> bool:
        return AUDIT_LOG.get(self._txn, audit_id) is not None

    def _waits(self, audit_id: AuditId) -> bool:
        return AUDIT_UNLINKED.get(self._txn, audit_id) is not None


@asynccontextmanager
async def open_audit(database: Database) -> AsyncGenerator[LmdbAudit]:
    """The audit of what is committed now."""
    with database.snapshot() as txn:
        yield LmdbAudit(txn)


def pages(records: Iterator[Record]) -> Iterator[list[Record]]:
    """The records, some at a time."""
    while page := list(islice(records, PAGE_MAX)):
        yield page
