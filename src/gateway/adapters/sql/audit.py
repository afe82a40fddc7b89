"""The whole ledger as of one moment, read a page at a time on a connection of its own."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Executable, Table, bindparam, exists, func, select, text
from sqlalchemy.ext.asyncio import AsyncEngine
from typing_extensions import override

from gateway.adapters.sql.engine import audit_engine, is_sqlite, reading_engine, sqlite_url
from gateway.adapters.sql.limits import SqlLimits
from gateway.adapters.sql.rows.accounts import to_account
from gateway.adapters.sql.rows.audit import to_audit_record, to_chained_record
from gateway.adapters.sql.rows.payments import to_payment
from gateway.adapters.sql.rows.quotes import to_quote
from gateway.adapters.sql.rows.transactions import to_transactions
from gateway.adapters.sql.sqlalchemy_transaction import DatabaseTransaction
from gateway.adapters.sql.tables.audit import audit_chain, audit_head, audit_log, audit_unlinked
from gateway.adapters.sql.tables.events import events, retention
from gateway.adapters.sql.tables.exchange import quotes
from gateway.adapters.sql.tables.ledger import accounts, payments, transfers
from gateway.adapters.sql.types import Found
from gateway.application.ports.audit_records import ChainedRecord, ChainEnd, StrayRecord
from gateway.application.ports.reader import Audit, LedgerSize, StatusChange, UsedQuote
from gateway.application.ports.unit_of_work import StorageUnavailable, TryAgain
from gateway.domain.account import Account, AccountId
from gateway.domain.event_type import EventType
from gateway.domain.payment import Payment, PaymentId
from gateway.domain.transaction import Transaction as LedgerTransaction

PAGE_ROWS: Final = 5_000
"""Enough that round trips do not count, few enough to be held in memory."""

Rows = Sequence[Found]


def _page(of: Table, key: Column[str], *where: ColumnElement[bool], then: Sequence[Column[Any]] = ()) -> Executable:
    """The next rows in the order of `key`, after the one called `after`."""
    return select(of).where(key > bindparam("after"), *where).order_by(key, *then).limit(PAGE_ROWS)


def _events_of(kind: str) -> Executable:
    types = [each.value for each in EventType if each.value.startswith(f"{kind}.")]
    return _page(events, events.c.id, events.c.type.in_(types))


FIRST_READ: Final = select(1)
COPY_INTO: Final = text("VACUUM INTO :path")
SIZE: Final = select(
    select(func.count()).select_from(accounts).scalar_subquery(),
    select(func.count()).select_from(transfers).where(transfers.c.position == 0).scalar_subquery(),
)
ACCOUNTS: Final = _page(accounts, accounts.c.id)
TRANSFERS: Final = _page(transfers, transfers.c.transaction_id, then=[transfers.c.position])
PAYMENTS: Final = _page(payments, payments.c.id)
USED_QUOTES: Final = (
    select(quotes, payments)
    .outerjoin(payments, payments.c.id == quotes.c.payment_id)
    .where(quotes.c.id > bindparam("after"), quotes.c.payment_id.is_not(None))
    .order_by(quotes.c.id)
    .limit(PAGE_ROWS)
)
STATUS_CHANGES: Final = _events_of("account")
PAYMENT_EVENTS: Final = _events_of("payment")
AUDIT_DELETED: Final = select(retention.c.deleted_until).where(
    retention.c.name == "audit", retention.c.deleted_until != ""
)
AUDIT_HEAD: Final = select(audit_head.c.position, audit_head.c.hash)
AUDIT_CHAIN: Final = (
    select(audit_chain, *audit_log.c)
    .outerjoin(audit_log, audit_log.c.id == audit_chain.c.audit_id)
    .where(audit_chain.c.position > bindparam("after"))
    .order_by(audit_chain.c.position)
    .limit(PAGE_ROWS)
)
UNCHAINED: Final = (
    select(audit_log, audit_unlinked.c.audit_id)
    .outerjoin(audit_unlinked, audit_unlinked.c.audit_id == audit_log.c.id)
    .where(audit_log.c.id > bindparam("after"), ~exists().where(audit_chain.c.audit_id == audit_log.c.id))
    .order_by(audit_log.c.id)
    .limit(PAGE_ROWS)
)
WAITING_FOR_NOTHING: Final = (
    select(audit_unlinked.c.audit_id)
    .where(audit_unlinked.c.audit_id > bindparam("after"), ~exists().where(audit_log.c.id == audit_unlinked.c.audit_id))
    .order_by(audit_unlinked.c.audit_id)
    .limit(PAGE_ROWS)
)
EVENTS_KEPT_SINCE: Final = select(retention.c.kept_since).where(
    retention.c.name == "events", retention.c.deleted_until != ""
)


class SqlAudit(Audit):
    """See the port."""

    def __init__(self, transaction: DatabaseTransaction) -> None:
        self._transaction = transaction

    @override
    async def size(self) -> LedgerSize:
        [row] = await self._rows(SIZE)
        return LedgerSize(accounts=row[0], transactions=row[1])

    @override
    async def accounts(self) -> AsyncIterator[Collection[Account]]:
        async for rows in self._pages(ACCOUNTS):
            yield [to_account(row) for row in rows]

    @override
    async def transactions(self) -> AsyncIterator[Collection[LedgerTransaction]]:
        after, more = "", True
        while more:
            rows = await self._rows(TRANSFERS, after)
            more = len(rows) == PAGE_ROWS
            if more:
                # The last transaction may go on behind the end of the page: it is left to the next one.
                rows = [row for row in rows if row[0] != rows[-1][0]]
            if rows:
                yield to_transactions(rows)
                after = rows[-1][0]

    @override
    async def status_changes(self) -> AsyncIterator[Collection[StatusChange]]:
        async for rows in self._pages(STATUS_CHANGES):
            yield [StatusChange(AccountId(row.object_id), row.sequence) for row in rows]

    @override
    async def payments(self) -> AsyncIterator[Collection[Payment]]:
        async for rows in self._pages(PAYMENTS):
            yield [to_payment(row) for row in rows]

    @override
    async def used_quotes(self) -> AsyncIterator[Collection[UsedQuote]]:
        width = len(quotes.c)
        async for rows in self._pages(USED_QUOTES):
            yield [
                UsedQuote(to_quote(row), None if row[width] is None else to_payment(row[width:]))  # type: ignore[arg-type]  # A part of a row is a tuple.
                for row in rows
            ]

    @override
    async def events_kept_since(self) -> datetime | None:
        rows = await self._rows(EVENTS_KEPT_SINCE)
        return rows[0].kept_since if rows else None

    @override
    async def payment_events(self) -> AsyncIterator[Mapping[PaymentId, Collection[int]]]:
        """In the order of the events: the events of one payment may be spread over pages."""
        async for rows in self._pages(PAYMENT_EVENTS):
            sequences: dict[PaymentId, list[int]] = defaultdict(list)
            for row in rows:
                sequences[PaymentId(row.object_id)].append(row.sequence)
            yield sequences

    @override
    async def audit_deleted(self) -> ChainEnd | None:
        rows = await self._rows(AUDIT_DELETED)
        if not rows:
            return None
        position, _, digits = rows[0].deleted_until.partition(" ")
        try:
            return ChainEnd(int(position), bytes.fromhex(digits))
        except ValueError:
            return None  # Changed by hand: the chain does not begin where it should, and is found to be broken.

    @override
    async def audit_head(self) -> ChainEnd | None:
        rows = await self._rows(AUDIT_HEAD)
        return ChainEnd(rows[0].position, bytes(rows[0].hash)) if rows else None

    @override
    async def audit_chain(self) -> AsyncIterator[Collection[ChainedRecord]]:
        after, more = 0, True
        while more:
            rows = await self._rows(AUDIT_CHAIN, after)
            more = len(rows) == PAGE_ROWS
            if rows:
                yield [to_chained_record(row) for row in rows]
                after = rows[-1].position

    @override
    async def stray_audit_records(self) -> AsyncIterator[Collection[StrayRecord]]:
        async for rows in self._pages(UNCHAINED):
            yield [
                StrayRecord(row[0], exists=to_audit_record(row) is not None, waits=row.audit_id is not None)
                for row in rows
            ]
        async for rows in self._pages(WAITING_FOR_NOTHING):
            yield [StrayRecord(row[0], exists=False, waits=True) for row in rows]

    async def _pages(self, statement: Executable) -> AsyncIterator[Rows]:
        after, more = "", True
        while more:
            rows = await self._rows(statement, after)
            more = len(rows) == PAGE_ROWS
            if rows:
                yield rows
                after = rows[-1][0]

    async def _rows(self, statement: Executable, after: str | int | None = None) -> Rows:
        try:
            return await self._transaction.rows(statement, None if after is None else {"after": after})
        except TryAgain as broken:
            raise StorageUnavailable("The audit lost its snapshot.") from broken


@asynccontextmanager
async def sql_audit(url: str, limits: SqlLimits) -> AsyncGenerator[Audit]:
    """The audit of what is committed now. Nobody waits for it."""
    if is_sqlite(url):
        async with (
            _copy(url, limits) as copied,
            _opened(audit_engine(copied, limits)) as engine,
            DatabaseTransaction(engine, writes=False) as transaction,
        ):
            yield SqlAudit(transaction)
    else:
        async with _opened(audit_engine(url, limits)) as engine:
            snapshot = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            async with DatabaseTransaction(snapshot, writes=False) as transaction:
                # The snapshot is of the moment of the first read.
                await transaction.rows(FIRST_READ)
                yield SqlAudit(transaction)


@asynccontextmanager
async def _copy(url: str, limits: SqlLimits) -> AsyncGenerator[str]:
    """The URL of a copy of an SQLite database: with a rollback journal, a long read blocks writers."""
    reading = await asyncio.to_thread(reading_engine, url, limits)
    if reading is None:
        raise StorageUnavailable("There is no such database.")
    with _room_beside(Path(str(sqlite_url(url).database))) as temporary:
        copied = Path(temporary, "ledger.db")
        async with _opened(reading) as engine, DatabaseTransaction(engine, writes=False) as transaction:
            await transaction.change(COPY_INTO, {"path": str(copied)})
        yield f"sqlite:///{copied}"


def _room_beside(file: Path) -> TemporaryDirectory[str]:
    """A folder for the copy: on the disk of the file, or with temporary files if nothing can be made there."""
    try:
        return TemporaryDirectory(prefix="audit-", dir=file.parent)
    except OSError:
        return TemporaryDirectory(prefix="gateway-audit-")


@asynccontextmanager
async def _opened(engine: AsyncEngine) -> AsyncGenerator[AsyncEngine]:
    try:
        yield engine
    finally:
        await engine.dispose()
