"""What is looked up: accounts, payments, transactions, rates, webhook endpoints. Every call reads one snapshot."""

from collections.abc import Collection, Iterator
from datetime import datetime

from gateway import (
    Account,
    AccountFilter,
    AccountId,
    AuditRecord,
    CurrencyPair,
    CurrencyTotals,
    EndpointId,
    ExchangeRate,
    Payment,
    PaymentFilter,
    PaymentId,
    Quote,
    QuoteId,
    Refund,
    RefundId,
    Transaction,
    TransactionFilter,
    TransactionId,
    UserId,
    WebhookEndpoint,
)
from gateway.ports import MAY_BE_NEGATIVE, Listed
from lmdb_storage.auditing import append
from lmdb_storage.database import Database, first
from lmdb_storage.listing import created_within, listed
from lmdb_storage.records import ACCOUNTS, ENDPOINTS, PAYMENTS, QUOTES, RATES, REFUNDS, TRANSACTIONS
from lmdb_storage.tables import Txn, behind, moment, name
from lmdb_storage.unit_of_work import with_reversal


class LmdbReader:
    """The port `Reader`. A list goes through the index that leaves the least to look at, newest first."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def account(self, account_id: AccountId) -> Account | None:
        """As the port says."""
        with self._database.snapshot() as txn:
            return ACCOUNTS.get(txn, account_id)

    async def accounts(self, where: AccountFilter, *, before: AccountId | None, limit: int) -> list[Account]:
        """As the port says."""

        def candidates(txn: Txn) -> Iterator[Account]:
            if where.owner_id is not None:
                return ACCOUNTS.newest_of(txn, "owner", name(where.owner_id), before)
            if where.currency is not None:
                return ACCOUNTS.newest_of(txn, "currency", name(where.currency), before)
            return ACCOUNTS.newest(txn, before)

        with self._database.snapshot() as txn:
            found = (each for each in candidates(txn) if where.currency in (None, each.currency))
            return first(found, limit)

    async def payment(self, payment_id: PaymentId) -> Payment | None:
        """As the port says."""
        with self._database.snapshot() as txn:
            return PAYMENTS.get(txn, payment_id)

    async def payments(self, where: PaymentFilter, *, before: PaymentId | None, limit: int) -> Listed[Payment]:
        """As the port says."""

        def matches(payment: Payment) -> bool:
            return (
                where.customer_id in (None, payment.customer_id)
                and where.merchant_id in (None, payment.merchant_id)
                and where.status in (None, payment.status if where.as_of is None else payment.status_at(where.as_of))
                and where.currency in (None, payment.amount.currency)
                and where.reference in (None, payment.reference)
                and created_within(payment.created_at, where.created_after, where.created_before)
            )

        values = {"reference": where.reference, "customer": where.customer_id, "merchant": where.merchant_id}
        with self._database.snapshot() as txn:
            for index, value in values.items():
                if value is not None:
                    return listed(PAYMENTS.newest_of(txn, index, name(value), before), matches, limit)
            return listed(PAYMENTS.newest(txn, before), matches, limit)

    async def payments_due(self, now: datetime, *, limit: int) -> list[PaymentId]:
        """As the port says."""
        with self._database.snapshot() as txn:
            due = PAYMENTS.until(txn, "expiry", behind(moment(now)))
            return [payment.id for payment in first(due, limit)]

    async def quote(self, quote_id: QuoteId) -> Quote | None:
        """As the port says."""
        with self._database.snapshot() as txn:
            return QUOTES.get(txn, quote_id)

    async def refund(self, refund_id: RefundId) -> Refund | None:
        """As the port says."""
        with self._database.snapshot() as txn:
            return REFUNDS.get(txn, refund_id)

    async def refunds(self, payment_id: PaymentId, *, before: RefundId | None, limit: int) -> list[Refund]:
        """As the port says."""
        with self._database.snapshot() as txn:
            return first(REFUNDS.newest_of(txn, "payment", name(payment_id), before), limit)

    async def transaction(self, transaction_id: TransactionId) -> Transaction | None:
        """As the port says."""
        with self._database.snapshot() as txn:
            found = TRANSACTIONS.get(txn, transaction_id)
            return None if found is None else with_reversal(txn, found)

    async def transactions(
        self, where: TransactionFilter, *, before: TransactionId | None, limit: int
    ) -> Listed[Transaction]:
        """As the port says."""

        def matches(transaction: Transaction) -> bool:
            return (
                where.customer_id in (None, transaction.customer_id)
                and where.merchant_id in (None, transaction.merchant_id)
                and where.type in (None, transaction.type)
                and where.payment_id in (None, transaction.payment_id)
                and (where.account_id is None or touches(transaction, where.account_id))
                and created_within(transaction.created_at, where.created_after, where.created_before)
            )

        values = {
            "payment": where.payment_id,
            "account": where.account_id,
            "customer": where.customer_id,
            "merchant": where.merchant_id,
        }
        with self._database.snapshot() as txn:
            candidates = TRANSACTIONS.newest(txn, before)
            for index, value in values.items():
                if value is not None:
                    candidates = TRANSACTIONS.newest_of(txn, index, name(value), before)
                    break
            found = listed(candidates, matches, limit)
            return Listed([with_reversal(txn, each) for each in found], found.stopped_at)

    async def totals(self) -> list[CurrencyTotals]:
        """As the port says."""
        by_currency: dict[str, list[Account]] = {}
        with self._database.snapshot() as txn:
            for account in ACCOUNTS.all(txn):
                by_currency.setdefault(account.currency, []).append(account)
        return [totals_of(accounts) for _, accounts in sorted(by_currency.items())]

    async def check(self) -> None:
        """As the port says."""
        with self._database.snapshot() as txn:
            next(ACCOUNTS.all(txn), None)


def touches(transaction: Transaction, account_id: AccountId) -> bool:
    """Whether a transaction moves money of an account."""
    return any(
        account_id in (transfer.debit_account_id, transfer.credit_account_id) for transfer in transaction.transfers
    )


def totals_of(accounts: list[Account]) -> CurrencyTotals:
    """The totals of accounts of one currency."""
    return CurrencyTotals(
        currency=accounts[0].currency,
        accounts=len(accounts),
        debits_posted=sum(account.debits_posted for account in accounts),
        credits_posted=sum(account.credits_posted for account in accounts),
        debits_pending=sum(account.debits_pending for account in accounts),
        credits_pending=sum(account.credits_pending for account in accounts),
        overdrawn=sum(account.available < 0 and account.kind not in MAY_BE_NEGATIVE for account in accounts),
    )


class LmdbRates:
    """The port `Rates`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def rate(self, pair: CurrencyPair) -> ExchangeRate | None:
        """As the port says."""
        with self._database.snapshot() as txn:
            return RATES.get(txn, "/".join(pair))

    async def rates(self) -> list[ExchangeRate]:
        """As the port says."""
        with self._database.snapshot() as txn:
            return list(RATES.all(txn))

    async def put(self, rate: ExchangeRate, *, audit: AuditRecord | None = None) -> None:
        """As the port says."""

        def write(txn: Txn) -> None:
            RATES.put(txn, rate)
            append(txn, audit)

        await self._database.write(write)


class LmdbWebhookEndpoints:
    """The port `WebhookEndpoints`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def endpoint(self, endpoint_id: EndpointId) -> WebhookEndpoint | None:
        """As the port says."""
        with self._database.snapshot() as txn:
            return ENDPOINTS.get(txn, endpoint_id)

    async def endpoints(
        self, owner_id: UserId | None, *, before: EndpointId | None, limit: int
    ) -> list[WebhookEndpoint]:
        """As the port says."""
        with self._database.snapshot() as txn:
            if owner_id is None:
                return first(ENDPOINTS.newest(txn, before), limit)
            return first(ENDPOINTS.newest_of(txn, "owner", name(owner_id), before), limit)

    async def enabled_for(self, merchant_ids: Collection[UserId]) -> list[WebhookEndpoint]:
        """As the port says."""
        with self._database.snapshot() as txn:
            found = {each.id: each for each in ENDPOINTS.those(txn, "all_merchants", b"all")}
            for merchant_id in merchant_ids:
                found |= {each.id: each for each in ENDPOINTS.those(txn, "enabled", name(merchant_id))}
        return [found[endpoint_id] for endpoint_id in sorted(found)]
