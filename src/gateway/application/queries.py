"""What a caller may look up: their own things; an operator everybody's. Somebody else's is the same as none at all."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Generic, Protocol, TypeVar

from gateway.application.access.caller import Caller, check_caller
from gateway.application.engine.event_loop import OneEventLoop
from gateway.application.ports.clock import Clock
from gateway.application.ports.reader import (
    AccountFilter,
    CurrencyTotals,
    PaymentFilter,
    Reader,
    TransactionFilter,
)
from gateway.domain.account import Account, AccountId, AccountKind
from gateway.domain.checks import check_id, check_integer, check_type
from gateway.domain.errors import (
    AccountNotFound,
    MerchantNotFound,
    PaymentNotFound,
    RefundNotFound,
    TransactionNotFound,
)
from gateway.domain.exchange_errors import QuoteNotFound
from gateway.domain.immutable import immutable
from gateway.domain.limits import LIST_LIMIT_DEFAULT, LIST_LIMIT_MAX
from gateway.domain.payment import Payment, PaymentId, QuoteId
from gateway.domain.quote import Quote
from gateway.domain.refund import Refund, RefundId
from gateway.domain.transaction import Transaction, TransactionId
from gateway.domain.user import Role, UserId

Item_co = TypeVar("Item_co", covariant=True)
Other = TypeVar("Other")


class HasId(Protocol):
    """A record of a list."""

    @property
    def id(self) -> str:
        """Time-ordered."""
        ...


RecordT = TypeVar("RecordT", bound=HasId)

ACCOUNTS_PER_OWNER_MAX = 200
"""More than there are currencies: all accounts of an owner fit into one read."""


@immutable
class Page(Generic[Item_co]):
    """Some of a list, newest first, and where the next page begins.

    A page may have fewer items than asked for, or none, although there are more: a look-up ends after it has looked at
    many records that do not match.

    Attributes:
        items: Newest first.
        next_before: The `before` of the next page; `None` if this page is the last one.
    """

    items: Sequence[Item_co]
    next_before: str | None = None

    @property
    def has_more(self) -> bool:
        """Whether there may be a next page."""
        return self.next_before is not None

    def map(self, to_other: Callable[[Item_co], Other]) -> "Page[Other]":
        """The page with something else in place of each item."""
        return Page(items=[to_other(item) for item in self.items], next_before=self.next_before)


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Queries:
    """Reads for callers. Nothing is locked and nothing is written.

    A program that has checked itself who asks makes a `Caller` without a session, or asks as `TRUSTED`.
    All refuse with `InvalidInput` what is no id, no caller, no filter of theirs, or a `limit` that is not
    1 … `LIST_LIMIT_MAX`.

    Payments are shown as they stand now: one whose time is over is expired, whether or not that was written down yet.
    """

    reader: Reader
    clock: Clock = _utc_now
    loop: OneEventLoop = field(default_factory=OneEventLoop, repr=False, compare=False)

    async def account(self, caller: Caller, account_id: AccountId) -> Account:
        """One account.

        Raises:
            AccountNotFound: There is none that the caller may see.
        """
        self.loop.check()
        check_caller(caller)
        check_id("account_id", account_id)
        account = await self.reader.account(account_id)
        if account is None or not may_see(caller, account.owner_id, account.managed_by):
            raise AccountNotFound("There is no such account.")
        return account

    async def accounts(
        self, caller: Caller, where: AccountFilter, *, before: AccountId | None = None, limit: int = LIST_LIMIT_DEFAULT
    ) -> Page[Account]:
        """The caller's accounts, or for an operator anybody's."""
        self.loop.check()
        check_list(caller, where, AccountFilter, before, limit)
        if caller.role is not Role.OPERATOR:
            if where.owner_id not in (None, caller.user_id):
                return Page(items=())
            where = replace(where, owner_id=caller.user_id)
        return page_of(await self.reader.accounts(where, before=before, limit=limit + 1), limit)

    async def accounts_of(self, owner_id: UserId) -> Sequence[Account]:
        """All accounts of one owner."""
        self.loop.check()
        check_id("owner_id", owner_id)
        return await self.reader.accounts(AccountFilter(owner_id=owner_id), before=None, limit=ACCOUNTS_PER_OWNER_MAX)

    async def payment(self, caller: Caller, payment_id: PaymentId) -> Payment:
        """One payment.

        Raises:
            PaymentNotFound: There is none that the caller may see.
        """
        self.loop.check()
        check_caller(caller)
        check_id("payment_id", payment_id)
        payment = await self.reader.payment(payment_id)
        if payment is None or not may_see_payment(caller, payment):
            raise PaymentNotFound("There is no such payment.")
        return payment.at(self.clock())

    async def payments(
        self, caller: Caller, where: PaymentFilter, *, before: PaymentId | None = None, limit: int = LIST_LIMIT_DEFAULT
    ) -> Page[Payment]:
        """The payments that the caller is a party to, or for an operator all."""
        self.loop.check()
        check_list(caller, where, PaymentFilter, before, limit)
        match caller.role:
            case Role.CUSTOMER:
                if where.customer_id not in (None, caller.user_id):
                    return Page(items=())
                where = replace(where, customer_id=caller.user_id)
            case Role.MERCHANT:
                if where.merchant_id not in (None, caller.user_id):
                    return Page(items=())
                where = replace(where, merchant_id=caller.user_id)
            case Role.OPERATOR:
                pass
        now = self.clock()
        where = replace(where, as_of=now)
        found = await self.reader.payments(where, before=before, limit=limit + 1)
        return page_of([payment.at(now) for payment in found], limit, stopped_at=found.stopped_at)

    async def quote(self, caller: Caller, quote_id: QuoteId) -> Quote:
        """One quote.

        Raises:
            QuoteNotFound: There is none that the caller may see.
        """
        self.loop.check()
        check_caller(caller)
        check_id("quote_id", quote_id)
        quote = await self.reader.quote(quote_id)
        if quote is None or not may_see(caller, quote.customer_id):
            raise QuoteNotFound("There is no such quote.")
        return quote

    async def refund(self, caller: Caller, refund_id: RefundId) -> Refund:
        """One refund. A missing one takes as many reads as one of others.

        Raises:
            RefundNotFound: There is none that the caller may see.
        """
        self.loop.check()
        check_caller(caller)
        check_id("refund_id", refund_id)
        refund = await self.reader.refund(refund_id)
        payment = await self.reader.payment(PaymentId("pay_none") if refund is None else refund.payment_id)
        if refund is None or payment is None or not may_see_payment(caller, payment):
            raise RefundNotFound("There is no such refund.")
        return refund

    async def refunds(
        self, caller: Caller, payment_id: PaymentId, *, before: RefundId | None = None, limit: int = LIST_LIMIT_DEFAULT
    ) -> Page[Refund]:
        """The refunds of a payment.

        Raises:
            PaymentNotFound: There is none that the caller may see.
        """
        self.loop.check()
        check_page(before, limit)
        await self.payment(caller, payment_id)
        return page_of(await self.reader.refunds(payment_id, before=before, limit=limit + 1), limit)

    async def merchant_accounts(self, caller: Caller, merchant_id: UserId) -> Sequence[Account]:
        """The accounts of a merchant, with their fees: for the merchant, and for operators.

        Raises:
            MerchantNotFound: There is no merchant whose fees the caller may see.
        """
        self.loop.check()
        check_caller(caller)
        check_id("merchant_id", merchant_id)
        accounts = await self.accounts_of(merchant_id) if may_see(caller, merchant_id) else ()
        found = [account for account in accounts if account.kind is AccountKind.MERCHANT]
        if not found:
            raise MerchantNotFound("There is no such merchant.")
        return found

    async def transaction(self, caller: Caller, transaction_id: TransactionId) -> Transaction:
        """One transaction.

        Raises:
            TransactionNotFound: There is none that the caller may see.
        """
        self.loop.check()
        check_caller(caller)
        check_id("transaction_id", transaction_id)
        transaction = await self.reader.transaction(transaction_id)
        if transaction is None or not may_see(caller, transaction.customer_id, transaction.merchant_id):
            raise TransactionNotFound("There is no such transaction.")
        return transaction

    async def transactions(
        self,
        caller: Caller,
        where: TransactionFilter,
        *,
        before: TransactionId | None = None,
        limit: int = LIST_LIMIT_DEFAULT,
    ) -> Page[Transaction]:
        """The transactions that the caller is a party to, or for an operator all."""
        self.loop.check()
        check_list(caller, where, TransactionFilter, before, limit)
        if where.account_id is not None:
            # An account's transactions are among its owner's, which are found by an index.
            account = await self.reader.account(where.account_id)
            if account is None or not may_see(caller, account.owner_id, account.managed_by):
                return Page(items=())
            where = replace(where, customer_id=account.customer_id, merchant_id=account.merchant_id)
        match caller.role:
            case Role.CUSTOMER:
                where = replace(where, customer_id=caller.user_id)
            case Role.MERCHANT:
                where = replace(where, merchant_id=caller.user_id)
            case Role.OPERATOR:
                pass
        found = await self.reader.transactions(where, before=before, limit=limit + 1)
        return page_of(found, limit, stopped_at=found.stopped_at)

    async def totals(self) -> Sequence[CurrencyTotals]:
        """The ledger added up by currency."""
        self.loop.check()
        return await self.reader.totals()


def check_list(caller: Caller, where: object, kind: type, before: str | None, limit: int) -> None:
    """Refuse what is not asked by a caller, with a filter of this kind, for a page of a list."""
    check_caller(caller)
    check_type("where", where, kind)
    check_page(before, limit)


def check_page(before: str | None, limit: int) -> None:
    """Refuse what is not a page: where the last one ended, and 1 to `LIST_LIMIT_MAX` records."""
    if before is not None:
        check_id("before", before)
    check_integer("limit", limit, 1, LIST_LIMIT_MAX)


def may_see_payment(caller: Caller, payment: Payment) -> bool:
    """Whether a payment may be shown. One that nobody has confirmed yet may be to any customer who was given its id."""
    open_to_all = payment.customer_id is None and caller.role is Role.CUSTOMER
    return open_to_all or may_see(caller, payment.customer_id, payment.merchant_id)


def may_see(caller: Caller, *parties: UserId | None) -> bool:
    """Whether a record that concerns `parties` may be shown to the caller."""
    return caller.role is Role.OPERATOR or caller.user_id in parties


def page_of(found: Sequence[RecordT], limit: int, *, stopped_at: str | None = None) -> Page[RecordT]:
    """The first `limit` of what was found, and where the next page begins: behind them, or at `stopped_at`."""
    # One more than asked for is read: whether it is there tells whether there is more, without a COUNT(*).
    items = found[:limit]
    return Page(items=items, next_before=items[-1].id if len(found) > limit else stopped_at)
