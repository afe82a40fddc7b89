"""Look-ups and lists. A list goes down an index from where its last page ended: page 1,000 costs what page 1 does."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, FromClause, bindparam, case, func, select, text
from typing_extensions import override

from gateway.adapters.sql.bounded_lists import BoundedList
from gateway.adapters.sql.engine import SQLITE
from gateway.adapters.sql.payment_lists import payment_query
from gateway.adapters.sql.rows.accounts import to_account
from gateway.adapters.sql.rows.payments import to_payment, to_refund
from gateway.adapters.sql.rows.quotes import to_quote
from gateway.adapters.sql.rows.transactions import to_transactions
from gateway.adapters.sql.short_transactions import ShortTransactions
from gateway.adapters.sql.subqueries import REVERSED_BY
from gateway.adapters.sql.tables.exchange import quotes
from gateway.adapters.sql.tables.ledger import accounts, ids_ahead, payments, refunds, transfers
from gateway.adapters.sql.transaction_lists import transaction_query
from gateway.application.ports.reader import (
    AccountFilter,
    CurrencyTotals,
    Listed,
    PaymentFilter,
    Reader,
    TransactionFilter,
)
from gateway.application.ports.unit_of_work import StorageReadOnly
from gateway.domain.account import MAY_BE_NEGATIVE, Account, AccountId
from gateway.domain.payment import Payment, PaymentId, QuoteId
from gateway.domain.payment_status import UNFINISHED
from gateway.domain.quote import Quote
from gateway.domain.refund import Refund, RefundId
from gateway.domain.transaction import Transaction, TransactionId

WHY_NOT_WRITABLE: Final = text("""
    SELECT CASE
        WHEN pg_is_in_recovery() THEN 'the server is a standby'
        WHEN current_setting('transaction_read_only') = 'on' THEN 'the database is read-only'
        WHEN NOT has_table_privilege(to_regclass('transfers'), 'INSERT') THEN 'the role may not insert'
    END
""")
"""Why this process cannot write to Postgres, or NULL."""

ACCOUNT: Final = select(accounts).where(accounts.c.id == bindparam("id"))
PAYMENT: Final = select(payments).where(payments.c.id == bindparam("id"))
QUOTE: Final = select(quotes).where(quotes.c.id == bindparam("id"))
REFUND: Final = select(refunds).where(refunds.c.id == bindparam("id"))
_UNFINISHED: Final = [status.value for status in sorted(UNFINISHED)]
PAYMENTS_DUE: Final = (
    select(payments.c.id)
    .where(
        payments.c.status.in_(_UNFINISHED),
        payments.c.expires_at <= bindparam("now"),
    )
    .order_by(payments.c.expires_at, payments.c.id)
    .limit(bindparam("limit"))
)

SECONDS_AHEAD: Final = select(func.max(ids_ahead.c.seconds))

TRANSACTION: Final = (
    select(transfers, REVERSED_BY).where(transfers.c.transaction_id == bindparam("id")).order_by(transfers.c.position)
)

ACCOUNTS_OF_OWNER_MAX: Final = 1_000
"""More than there are currencies and kinds: all accounts of an owner, the system's too."""

_COUNTERS: Final = (
    accounts.c.debits_posted,
    accounts.c.credits_posted,
    accounts.c.debits_pending,
    accounts.c.credits_pending,
)
_HALF: Final = 2**32
_overdrawn: Final = accounts.c.kind.not_in([kind.value for kind in MAY_BE_NEGATIVE]) & (
    accounts.c.credits_posted - accounts.c.debits_posted < accounts.c.debits_pending
)
TOTALS: Final = (
    select(
        accounts.c.currency,
        func.count(),
        # Upper and lower halves apart: SQLite cannot add up to more than 64 bits.
        *(func.sum(counter // _HALF) for counter in _COUNTERS),
        *(func.sum(counter % _HALF) for counter in _COUNTERS),
        func.sum(case((_overdrawn, 1), else_=0)),
    )
    .group_by(accounts.c.currency)
    .order_by(accounts.c.currency)
)


class SqlReader(Reader):
    """See the port."""

    def __init__(self, transactions: ShortTransactions, readiness: ShortTransactions) -> None:
        """Read with `transactions`; check with `readiness`, whose connections slow look-ups cannot take."""
        self._transactions = transactions
        self._readiness = readiness

    @override
    async def account(self, account_id: AccountId) -> Account | None:
        rows = await self._transactions.read(ACCOUNT, {"id": account_id})
        return to_account(rows[0]) if rows else None

    @override
    async def accounts(self, where: AccountFilter, *, before: AccountId | None, limit: int) -> Sequence[Account]:
        found: FromClause = accounts
        if where.owner_id is not None:
            # They are few, and sorted: no index on all accounts must be gone through for its order.
            of_owner = select(accounts).where(accounts.c.owner_id == where.owner_id).limit(ACCOUNTS_OF_OWNER_MAX)
            found = of_owner.subquery("of_owner")
        statement = (
            select(found)
            .where(*_equal((found.c.currency, where.currency)), *_older(found.c.id, before))
            .order_by(found.c.id.desc())
            .limit(limit)
        )
        return [to_account(row) for row in await self._transactions.read(statement)]

    @override
    async def payment(self, payment_id: PaymentId) -> Payment | None:
        rows = await self._transactions.read(PAYMENT, {"id": payment_id})
        return to_payment(rows[0]) if rows else None

    @override
    async def payments(self, where: PaymentFilter, *, before: PaymentId | None, limit: int) -> Listed[Payment]:
        query = payment_query(where, await self._ahead(where.created_before))
        rows, stopped_at = await BoundedList(self._transactions, query, limit).before(before)
        return Listed([to_payment(row) for row in rows], stopped_at)

    @override
    async def payments_due(self, now: datetime, *, limit: int) -> Sequence[PaymentId]:
        rows = await self._transactions.read(PAYMENTS_DUE, {"now": now, "limit": limit})
        return [PaymentId(row[0]) for row in rows]

    @override
    async def quote(self, quote_id: QuoteId) -> Quote | None:
        rows = await self._transactions.read(QUOTE, {"id": quote_id})
        return to_quote(rows[0]) if rows else None

    @override
    async def refund(self, refund_id: RefundId) -> Refund | None:
        rows = await self._transactions.read(REFUND, {"id": refund_id})
        return to_refund(rows[0]) if rows else None

    @override
    async def refunds(self, payment_id: PaymentId, *, before: RefundId | None, limit: int) -> Sequence[Refund]:
        statement = (
            select(refunds)
            .where(refunds.c.payment_id == payment_id, *_older(refunds.c.id, before))
            .order_by(refunds.c.id.desc())
            .limit(limit)
        )
        return [to_refund(row) for row in await self._transactions.read(statement)]

    @override
    async def transaction(self, transaction_id: TransactionId) -> Transaction | None:
        found = to_transactions(await self._transactions.read(TRANSACTION, {"id": transaction_id}))
        return found[0] if found else None

    @override
    async def transactions(
        self, where: TransactionFilter, *, before: TransactionId | None, limit: int
    ) -> Listed[Transaction]:
        query = transaction_query(where, await self._ahead(where.created_before))
        rows, stopped_at = await BoundedList(self._transactions, query, limit).before(before)
        return Listed(to_transactions(rows), stopped_at)

    async def _ahead(self, created_before: datetime | None) -> timedelta:
        """How far ids may be ahead of `created_at`. It matters to lists that end at a time."""
        if created_before is None:
            return timedelta()
        [[seconds]] = await self._transactions.read(SECONDS_AHEAD)
        return timedelta(seconds=seconds or 0)

    @override
    async def totals(self) -> Sequence[CurrencyTotals]:
        return [_totals(row) for row in await self._transactions.read(TOTALS)]

    @override
    async def check(self) -> None:
        if self._readiness.dialect_name == SQLITE:
            await self._readiness.try_to_write()
            return
        [[reason]] = await self._readiness.read(WHY_NOT_WRITABLE)
        if reason is not None:
            raise StorageReadOnly(f"This process cannot write: {reason}.")


def _equal(*wanted: tuple[ColumnElement[Any], str | None]) -> list[ColumnElement[bool]]:
    """That columns have these values; `None` does not limit."""
    return [column == str(value) for column, value in wanted if value is not None]


def _older(id_column: ColumnElement[str], before: str | None) -> list[ColumnElement[bool]]:
    return [] if before is None else [id_column < before]


def _totals(row: Sequence[Any]) -> CurrencyTotals:
    currency, count, *halves, overdrawn = row
    upper, lower = halves[: len(_COUNTERS)], halves[len(_COUNTERS) :]
    debits_posted, credits_posted, debits_pending, credits_pending = (
        int(high) * _HALF + int(low) for high, low in zip(upper, lower, strict=True)
    )
    return CurrencyTotals(
        currency=currency,
        accounts=count,
        debits_posted=debits_posted,
        credits_posted=credits_posted,
        debits_pending=debits_pending,
        credits_pending=credits_pending,
        overdrawn=overdrawn,
    )
