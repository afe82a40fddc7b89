"""What can be looked up: never locks, never writes."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol, TypeVar, overload

from typing_extensions import override

from gateway.application.ports.audit_records import ChainedRecord, ChainEnd, StrayRecord
from gateway.domain.account import Account, AccountId
from gateway.domain.checks import check_id, check_instant, check_text, check_type
from gateway.domain.immutable import immutable
from gateway.domain.limits import REFERENCE_LENGTH_MAX
from gateway.domain.money import CurrencyCode, currency_code
from gateway.domain.payment import Payment, PaymentId, QuoteId
from gateway.domain.payment_status import PaymentStatus
from gateway.domain.quote import Quote
from gateway.domain.refund import Refund, RefundId
from gateway.domain.transaction import Transaction, TransactionId, TransactionType
from gateway.domain.user import UserId

Record_co = TypeVar("Record_co", covariant=True)


@immutable
class AccountFilter:
    """Which accounts; a field that is `None` does not limit. Making one that is not valid raises `InvalidInput`."""

    owner_id: UserId | None = None
    currency: CurrencyCode | None = None

    def __post_init__(self) -> None:
        _check_ids(owner_id=self.owner_id)
        if self.currency is not None:
            currency_code(self.currency)


@immutable
class PaymentFilter:
    """Which payments; `None` does not limit. Times: `created_after` ≤ created < `created_before`.

    With `as_of`, `status` is where they stand at that time, whether or not their expiry has been written down.
    """

    customer_id: UserId | None = None
    merchant_id: UserId | None = None
    status: PaymentStatus | None = None
    currency: CurrencyCode | None = None
    reference: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    as_of: datetime | None = None

    def __post_init__(self) -> None:
        _check_ids(customer_id=self.customer_id, merchant_id=self.merchant_id)
        if self.status is not None:
            check_type("status", self.status, PaymentStatus)
        if self.currency is not None:
            currency_code(self.currency)
        if self.reference is not None:
            check_text("reference", self.reference, REFERENCE_LENGTH_MAX)
        _check_instants(created_after=self.created_after, created_before=self.created_before, as_of=self.as_of)


@immutable
class TransactionFilter:
    """Which transactions; `None` does not limit. Times: `created_after` ≤ created < `created_before`."""

    customer_id: UserId | None = None
    merchant_id: UserId | None = None
    type: TransactionType | None = None
    account_id: AccountId | None = None
    payment_id: PaymentId | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None

    def __post_init__(self) -> None:
        _check_ids(
            customer_id=self.customer_id,
            merchant_id=self.merchant_id,
            account_id=self.account_id,
            payment_id=self.payment_id,
        )
        if self.type is not None:
            check_type("type", self.type, TransactionType)
        _check_instants(created_after=self.created_after, created_before=self.created_before)


def _check_ids(**ids: str | None) -> None:
    for field, identifier in ids.items():
        if identifier is not None:
            check_id(field, identifier)


def _check_instants(**instants: datetime | None) -> None:
    for field, instant in instants.items():
        if instant is not None:
            check_instant(field, instant)


@immutable
class CurrencyTotals:
    """All accounts of one currency added up, in minor units, as of one moment."""

    currency: CurrencyCode
    accounts: int
    debits_posted: int
    credits_posted: int
    debits_pending: int
    credits_pending: int
    overdrawn: int
    """How many accounts that may not be negative have less than nothing available."""


class Listed(Sequence[Record_co]):
    """Some records of a list, newest first, and whether the look-up ended early.

    Attributes:
        stopped_at: `None`: as many were found as were asked for, or there are no more. Else the id at which the look-up
            ended, after it had looked at many records that do not match: the next one goes on with `before=stopped_at`.
    """

    def __init__(self, found: Sequence[Record_co], stopped_at: str | None = None) -> None:
        """The records that were found."""
        self._found = found
        self.stopped_at = stopped_at

    @overload
    def __getitem__(self, index: int) -> Record_co: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Record_co]: ...
    @override
    def __getitem__(self, index: int | slice) -> Record_co | Sequence[Record_co]:
        return self._found[index]

    @override
    def __len__(self) -> int:
        return len(self._found)


class StatusChange(NamedTuple):
    """A version of an account that no transfer made: it was opened, frozen or unfrozen."""

    account_id: AccountId
    version: int


class UsedQuote(NamedTuple):
    """A quote that a payment has used, with that payment; `None` if there is no such payment."""

    quote: Quote
    payment: Payment | None


class LedgerSize(NamedTuple):
    """How much there is to go through."""

    accounts: int
    transactions: int


class Reader(Protocol):
    """Reads what was committed. All raise `StorageUnavailable` when the storage is away.

    Lists come newest first (by id, which is time-ordered), at most `limit`, and only what is older than `before`. What
    a list costs is bounded, however few records match: `Listed` says when a look-up ended early.
    """

    async def account(self, account_id: AccountId) -> Account | None:
        """The account of this id."""
        ...

    async def accounts(self, where: AccountFilter, *, before: AccountId | None, limit: int) -> Sequence[Account]:
        """A page of accounts."""
        ...

    async def payment(self, payment_id: PaymentId) -> Payment | None:
        """The payment of this id."""
        ...

    async def payments(self, where: PaymentFilter, *, before: PaymentId | None, limit: int) -> Listed[Payment]:
        """A page of payments."""
        ...

    async def payments_due(self, now: datetime, *, limit: int) -> Sequence[PaymentId]:
        """Unfinished payments whose `expires_at` has come, the longest overdue first."""
        ...

    async def quote(self, quote_id: QuoteId) -> Quote | None:
        """The quote of this id."""
        ...

    async def refund(self, refund_id: RefundId) -> Refund | None:
        """The refund of this id."""
        ...

    async def refunds(self, payment_id: PaymentId, *, before: RefundId | None, limit: int) -> Sequence[Refund]:
        """A page of the refunds of a payment."""
        ...

    async def transaction(self, transaction_id: TransactionId) -> Transaction | None:
        """The transaction of this id, with `reversed_by` filled in."""
        ...

    async def transactions(
        self, where: TransactionFilter, *, before: TransactionId | None, limit: int
    ) -> Listed[Transaction]:
        """A page of transactions, each with `reversed_by` filled in."""
        ...

    async def totals(self) -> Sequence[CurrencyTotals]:
        """Every currency that has accounts, in the order of its code; one consistent snapshot."""
        ...

    async def check(self) -> None:
        """Ask the storage for a sign of life. Returns quickly, or raises `StorageUnavailable`.

        Raises:
            StorageReadOnly: It answers, but this process cannot write to it.
        """
        ...


class Audit(Protocol):
    """Goes through the whole ledger as of one moment, in pages. Used as `async with`; one consistent snapshot."""

    async def size(self) -> LedgerSize:
        """How much there is."""
        ...

    def accounts(self) -> AsyncIterator[Collection[Account]]:
        """Every account."""
        ...

    def transactions(self) -> AsyncIterator[Collection[Transaction]]:
        """Every transaction, without `reversed_by`."""
        ...

    def status_changes(self) -> AsyncIterator[Collection[StatusChange]]:
        """Every version of an account that no transfer made: that of each event about an account (`account.…`)."""
        ...

    def payments(self) -> AsyncIterator[Collection[Payment]]:
        """Every payment."""
        ...

    def used_quotes(self) -> AsyncIterator[Collection[UsedQuote]]:
        """Every quote that a payment has used."""
        ...

    async def events_kept_since(self) -> datetime | None:
        """Events that were created at this moment or later are all there; `None` if no event was ever deleted.

        Deleted were the first events of the feed: if an event is there, so is every later event of its object.
        """
        ...

    async def audit_deleted(self) -> ChainEnd | None:
        """The last link of the chain that housekeeping has deleted; `None` if it has deleted none."""
        ...

    async def audit_head(self) -> ChainEnd | None:
        """The end of the chain of the audit log, as it was written apart from it; `None` if that is missing."""
        ...

    def audit_chain(self) -> AsyncIterator[Collection[ChainedRecord]]:
        """Every link of the chain of the audit log, in the order of positions, with its record."""
        ...

    def stray_audit_records(self) -> AsyncIterator[Collection[StrayRecord]]:
        """Every record of the audit log that has no place in the chain, and every place to come without a record."""
        ...

    def payment_events(self) -> AsyncIterator[Mapping[PaymentId, Collection[int]]]:
        """The sequences of the events of payments (`payment.…`), a page at a time."""
        ...
