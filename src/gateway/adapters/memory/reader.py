"""Look-ups and the audit over the dictionaries."""

from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from typing_extensions import override

from gateway.adapters.memory.database import MemoryDatabase
from gateway.application.ports.audit_records import ChainedRecord, ChainEnd, StrayRecord
from gateway.application.ports.reader import (
    AccountFilter,
    Audit,
    CurrencyTotals,
    LedgerSize,
    Listed,
    PaymentFilter,
    Reader,
    StatusChange,
    TransactionFilter,
    UsedQuote,
)
from gateway.domain.account import MAY_BE_NEGATIVE, Account, AccountId
from gateway.domain.money import CurrencyCode
from gateway.domain.payment import Payment, PaymentId, QuoteId
from gateway.domain.quote import Quote
from gateway.domain.refund import Refund, RefundId
from gateway.domain.transaction import Transaction, TransactionId

Id = TypeVar("Id", bound=str)
Record = TypeVar("Record")


class MemoryReader(Reader):
    """See the port. Lists go through everything: right for tests and small ledgers."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    @override
    async def account(self, account_id: AccountId) -> Account | None:
        return self._database.accounts.get(account_id)

    @override
    async def accounts(self, where: AccountFilter, *, before: AccountId | None, limit: int) -> Sequence[Account]:

        def matches(account: Account) -> bool:
            return where.owner_id in (None, account.owner_id) and where.currency in (None, account.currency)

        return _newest(self._database.accounts, matches, before=before, limit=limit)

    @override
    async def payment(self, payment_id: PaymentId) -> Payment | None:
        return self._database.payments.get(payment_id)

    @override
    async def payments(self, where: PaymentFilter, *, before: PaymentId | None, limit: int) -> Listed[Payment]:

        def matches(payment: Payment) -> bool:
            return (
                where.customer_id in (None, payment.customer_id)
                and where.merchant_id in (None, payment.merchant_id)
                and where.status in (None, payment.status if where.as_of is None else payment.status_at(where.as_of))
                and where.currency in (None, payment.amount.currency)
                and where.reference in (None, payment.reference)
                and _created_within(payment.created_at, where.created_after, where.created_before)
            )

        return Listed(_newest(self._database.payments, matches, before=before, limit=limit))

    @override
    async def payments_due(self, now: datetime, *, limit: int) -> Sequence[PaymentId]:
        due = [
            (payment.expires_at, payment.id)
            for payment in self._database.payments.values()
            if payment.expires_at is not None and payment.status_at(now) is not payment.status
        ]
        return [payment_id for _, payment_id in sorted(due)[:limit]]

    @override
    async def quote(self, quote_id: QuoteId) -> Quote | None:
        return self._database.quotes.get(quote_id)

    @override
    async def refund(self, refund_id: RefundId) -> Refund | None:
        return self._database.refunds.get(refund_id)

    @override
    async def refunds(self, payment_id: PaymentId, *, before: RefundId | None, limit: int) -> Sequence[Refund]:
        return _newest(
            self._database.refunds, lambda refund: refund.payment_id == payment_id, before=before, limit=limit
        )

    @override
    async def transaction(self, transaction_id: TransactionId) -> Transaction | None:
        transaction = self._database.transactions.get(transaction_id)
        return None if transaction is None else self._with_reversal(transaction)

    @override
    async def transactions(
        self, where: TransactionFilter, *, before: TransactionId | None, limit: int
    ) -> Listed[Transaction]:

        def matches(transaction: Transaction) -> bool:
            return (
                where.customer_id in (None, transaction.customer_id)
                and where.merchant_id in (None, transaction.merchant_id)
                and where.type in (None, transaction.type)
                and where.payment_id in (None, transaction.payment_id)
                and (where.account_id is None or _touches(transaction, where.account_id))
                and _created_within(transaction.created_at, where.created_after, where.created_before)
            )

        found = _newest(self._database.transactions, matches, before=before, limit=limit)
        return Listed([self._with_reversal(transaction) for transaction in found])

    def _with_reversal(self, transaction: Transaction) -> Transaction:
        return replace(transaction, reversed_by=self._database.reversals.get(transaction.id))

    @override
    async def totals(self) -> Sequence[CurrencyTotals]:
        by_currency: dict[CurrencyCode, list[Account]] = defaultdict(list)
        for account in self._database.accounts.values():
            by_currency[account.currency].append(account)
        return [_totals(currency, accounts) for currency, accounts in sorted(by_currency.items())]

    async def check(self) -> None:
        """As `Reader.check`: a dictionary is always there."""


class MemoryAudit(Audit):
    """See the port. A copy of what was committed, so that it stays as of one moment."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._accounts = list(database.accounts.values())
        self._transactions = list(database.transactions.values())
        self._payments = list(database.payments.values())
        self._used_quotes = [
            UsedQuote(quote, database.payments.get(quote.payment_id))
            for quote in database.quotes.values()
            if quote.payment_id is not None
        ]
        self._events = list(database.events)
        self._events_kept_since = database.events_kept_since
        self._audit_log = dict(database.audit_log)
        self._audit_unlinked = list(database.audit_unlinked)
        self._audit_chain = list(database.audit_chain)
        self._audit_deleted = database.audit_deleted
        self._audit_head = database.audit_head

    @override
    async def size(self) -> LedgerSize:
        return LedgerSize(accounts=len(self._accounts), transactions=len(self._transactions))

    @override
    async def accounts(self) -> AsyncIterator[Collection[Account]]:
        yield self._accounts

    @override
    async def transactions(self) -> AsyncIterator[Collection[Transaction]]:
        yield self._transactions

    @override
    async def status_changes(self) -> AsyncIterator[Collection[StatusChange]]:
        yield [
            StatusChange(event.object.id, event.sequence) for event in self._events if isinstance(event.object, Account)
        ]

    @override
    async def payments(self) -> AsyncIterator[Collection[Payment]]:
        yield self._payments

    @override
    async def used_quotes(self) -> AsyncIterator[Collection[UsedQuote]]:
        yield self._used_quotes

    @override
    async def events_kept_since(self) -> datetime | None:
        return self._events_kept_since

    @override
    async def audit_deleted(self) -> ChainEnd | None:
        return self._audit_deleted

    @override
    async def audit_head(self) -> ChainEnd | None:
        return self._audit_head

    @override
    async def audit_chain(self) -> AsyncIterator[Collection[ChainedRecord]]:
        yield [ChainedRecord(link, self._audit_log.get(link.audit_id)) for link in self._audit_chain]

    @override
    async def stray_audit_records(self) -> AsyncIterator[Collection[StrayRecord]]:
        linked = {link.audit_id for link in self._audit_chain}
        waiting = self._audit_unlinked
        unlinked = [each for each in self._audit_log if each not in linked]
        yield [
            *(StrayRecord(each, exists=True, waits=each in waiting) for each in unlinked),
            *(StrayRecord(each, exists=False, waits=True) for each in waiting if each not in self._audit_log),
        ]

    @override
    async def payment_events(self) -> AsyncIterator[Mapping[PaymentId, Collection[int]]]:
        sequences: dict[PaymentId, list[int]] = defaultdict(list)
        for event in self._events:
            if isinstance(event.object, Payment):
                sequences[event.object.id].append(event.sequence)
        yield sequences


@asynccontextmanager
async def memory_audit(database: MemoryDatabase) -> AsyncGenerator[Audit]:
    """The audit of what is committed now."""
    yield MemoryAudit(database)


def _newest(
    records: Mapping[Id, Record], matches: Callable[[Record], bool], *, before: Id | None, limit: int
) -> list[Record]:
    found: list[Record] = []
    for record_id in sorted(records, reverse=True):
        if len(found) == limit:
            break
        if (before is None or record_id < before) and matches(records[record_id]):
            found.append(records[record_id])
    return found


def _created_within(created_at: datetime, after: datetime | None, before: datetime | None) -> bool:
    return (after is None or created_at >= after) and (before is None or created_at < before)


def _touches(transaction: Transaction, account_id: AccountId) -> bool:
    return any(
        account_id in (transfer.debit_account_id, transfer.credit_account_id) for transfer in transaction.transfers
    )


def _totals(currency: CurrencyCode, accounts: Iterable[Account]) -> CurrencyTotals:
    accounts = list(accounts)
    return CurrencyTotals(
        currency=currency,
        accounts=len(accounts),
        debits_posted=sum(account.debits_posted for account in accounts),
        credits_posted=sum(account.credits_posted for account in accounts),
        debits_pending=sum(account.debits_pending for account in accounts),
        credits_pending=sum(account.credits_pending for account in accounts),
        overdrawn=sum(account.available < 0 and account.kind not in MAY_BE_NEGATIVE for account in accounts),
    )
