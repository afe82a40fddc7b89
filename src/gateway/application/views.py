"""Records as the outside sees them: the shapes of responses and of events. Additive only: clients rely on them.

Amounts are integers of minor units, times are RFC 3339 in UTC.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Annotated, Literal, assert_never

import msgspec

from gateway.domain.account import Account, AccountId, AccountKind, AccountStatus
from gateway.domain.deposit import Deposit
from gateway.domain.event import Event
from gateway.domain.payment import CaptureMethod, Payment
from gateway.domain.payment_status import PaymentAction, PaymentStatus
from gateway.domain.payout import Payout
from gateway.domain.quote import Quote
from gateway.domain.rate import ExchangeRate, rate_text
from gateway.domain.refund import Refund
from gateway.domain.transaction import Transaction, TransactionType
from gateway.domain.transfer import BalanceAfter
from gateway.domain.user import Role, User

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time of responses: RFC 3339, in UTC."""


class BalanceView(msgspec.Struct, frozen=True, kw_only=True):
    """What an account holds."""

    posted: int
    held: int
    available: int
    incoming: int


class AccountView(msgspec.Struct, frozen=True, kw_only=True):
    """An account."""

    id: str
    object: Literal["account"] = "account"
    owner_id: str
    kind: AccountKind
    currency: str
    balance: BalanceView
    status: AccountStatus
    version: int
    created_at: Instant


class UserView(msgspec.Struct, frozen=True, kw_only=True):
    """A user, with their accounts."""

    id: str
    object: Literal["user"] = "user"
    email: str
    role: Role
    name: str | None
    created_at: Instant
    accounts: list[AccountView]


class DepositView(msgspec.Struct, frozen=True, kw_only=True):
    """A deposit."""

    id: str
    object: Literal["deposit"] = "deposit"
    transaction_id: str
    account_id: str
    amount: int
    currency: str
    reference: str | None
    created_at: Instant


class PaymentView(msgspec.Struct, frozen=True, kw_only=True):
    """A payment."""

    id: str
    object: Literal["payment"] = "payment"
    status: PaymentStatus
    amount: int
    currency: str
    amount_capturable: int
    amount_captured: int
    amount_refunded: int
    fee_amount: int
    net_amount: int
    capture: CaptureMethod
    customer_id: str | None
    merchant_id: str
    reference: str | None
    description: str | None
    metadata: Mapping[str, str]
    expires_at: Instant | None
    failure_code: str | None
    version: int
    created_at: Instant
    updated_at: Instant
    allowed_actions: list[PaymentAction]
    quote_id: str | None


class RefundView(msgspec.Struct, frozen=True, kw_only=True):
    """A refund. `fee_refunded` is the share of the fee that the merchant got back."""

    id: str
    object: Literal["refund"] = "refund"
    payment_id: str
    transaction_id: str
    amount: int
    currency: str
    fee_refunded: int
    status: Literal["succeeded"] = "succeeded"
    reason: str | None
    created_at: Instant


class PayoutView(msgspec.Struct, frozen=True, kw_only=True):
    """A payout."""

    id: str
    object: Literal["payout"] = "payout"
    transaction_id: str
    account_id: str
    amount: int
    currency: str
    reference: str | None
    created_at: Instant


class FeeScheduleView(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of payments to a merchant in a currency: a share in basis points, and `fixed_amount` on top."""

    object: Literal["fee_schedule"] = "fee_schedule"
    merchant_id: str
    currency: str
    basis_points: int
    fixed_amount: int


class RateView(msgspec.Struct, frozen=True, kw_only=True):
    """What one unit of a currency costs in another, as a decimal; the spread comes on top, out of what is paid."""

    object: Literal["rate"] = "rate"
    from_currency: str
    to_currency: str
    rate: str
    spread_basis_points: int
    updated_at: Instant


class QuoteView(msgspec.Struct, frozen=True, kw_only=True):
    """A quote. `source_amount` is all that its customer pays; `spread` is the part of it that the gateway keeps."""

    id: str
    object: Literal["quote"] = "quote"
    customer_id: str
    from_currency: str
    to_currency: str
    rate: str
    source_amount: int
    target_amount: int
    spread: int
    spread_basis_points: int
    expires_at: Instant
    payment_id: str | None
    created_at: Instant


class BalanceAfterView(msgspec.Struct, frozen=True, kw_only=True):
    """What an account held right after an entry."""

    posted: int
    held: int
    available: int


class EntryView(msgspec.Struct, frozen=True, kw_only=True):
    """One side of a transfer."""

    account_id: str
    direction: Literal["debit", "credit"]
    amount: int
    currency: str
    balance_after: BalanceAfterView


class TransactionView(msgspec.Struct, frozen=True, kw_only=True):
    """A transaction, with the entries that the viewer may see."""

    id: str
    object: Literal["transaction"] = "transaction"
    type: TransactionType
    status: Literal["posted"] = "posted"
    amount: int
    currency: str
    payment_id: str | None
    customer_id: str | None
    merchant_id: str | None
    description: str | None
    reverses: str | None
    reversed_by: str | None
    created_at: Instant
    entries: list[EntryView]


def account_view(account: Account) -> AccountView:
    """An account as the outside sees it."""
    return AccountView(
        id=account.id,
        owner_id=account.owner_id,
        kind=account.kind,
        currency=account.currency,
        balance=BalanceView(
            posted=account.posted, held=account.held, available=account.available, incoming=account.incoming
        ),
        status=account.status,
        version=account.version,
        created_at=account.created_at,
    )


def user_view(user: User, accounts: Collection[Account]) -> UserView:
    """A user as the outside sees them."""
    return UserView(
        id=user.id,
        email=user.email,
        role=user.role,
        name=user.name,
        created_at=user.created_at,
        accounts=[account_view(account) for account in accounts],
    )


def deposit_view(deposit: Deposit) -> DepositView:
    """A deposit as the outside sees it."""
    return DepositView(
        id=deposit.id,
        transaction_id=deposit.transaction_id,
        account_id=deposit.account_id,
        amount=deposit.amount.amount_minor,
        currency=deposit.amount.currency,
        reference=deposit.reference,
        created_at=deposit.created_at,
    )


def payment_view(payment: Payment) -> PaymentView:
    """A payment as the outside sees it."""
    return PaymentView(
        id=payment.id,
        status=payment.status,
        amount=payment.amount.amount_minor,
        currency=payment.amount.currency,
        amount_capturable=payment.amount_capturable_minor,
        amount_captured=payment.amount_captured_minor,
        amount_refunded=payment.amount_refunded_minor,
        fee_amount=payment.fee_amount_minor,
        net_amount=payment.net_amount_minor,
        capture=payment.capture,
        customer_id=payment.customer_id,
        merchant_id=payment.merchant_id,
        reference=payment.reference,
        description=payment.description,
        metadata=payment.metadata,
        expires_at=payment.expires_at,
        failure_code=payment.failure_code,
        version=payment.version,
        created_at=payment.created_at,
        updated_at=payment.updated_at,
        allowed_actions=list(payment.allowed_actions),
        quote_id=payment.quote_id,
    )


def refund_view(refund: Refund) -> RefundView:
    """A refund as the outside sees it."""
    return RefundView(
        id=refund.id,
        payment_id=refund.payment_id,
        transaction_id=refund.transaction_id,
        amount=refund.amount.amount_minor,
        currency=refund.amount.currency,
        fee_refunded=refund.fee_refunded_minor,
        reason=refund.reason,
        created_at=refund.created_at,
    )


def payout_view(payout: Payout) -> PayoutView:
    """A payout as the outside sees it."""
    return PayoutView(
        id=payout.id,
        transaction_id=payout.transaction_id,
        account_id=payout.account_id,
        amount=payout.amount.amount_minor,
        currency=payout.amount.currency,
        reference=payout.reference,
        created_at=payout.created_at,
    )


def fee_schedule_view(account: Account) -> FeeScheduleView:
    """The fees of a merchant's account as the outside sees them."""
    return FeeScheduleView(
        merchant_id=account.owner_id,
        currency=account.currency,
        basis_points=account.fees.basis_points,
        fixed_amount=account.fees.fixed_minor,
    )


def rate_view(rate: ExchangeRate) -> RateView:
    """A rate as the outside sees it."""
    return RateView(
        from_currency=rate.pair.source,
        to_currency=rate.pair.target,
        rate=rate_text(rate.rate),
        spread_basis_points=rate.spread_basis_points,
        updated_at=rate.updated_at,
    )


def quote_view(quote: Quote) -> QuoteView:
    """A quote as the outside sees it."""
    return QuoteView(
        id=quote.id,
        customer_id=quote.customer_id,
        from_currency=quote.source.currency,
        to_currency=quote.target.currency,
        rate=rate_text(quote.rate),
        source_amount=quote.source.amount_minor,
        target_amount=quote.target.amount_minor,
        spread=quote.spread_minor,
        spread_basis_points=quote.spread_basis_points,
        expires_at=quote.expires_at,
        payment_id=quote.payment_id,
        created_at=quote.created_at,
    )


def transaction_view(transaction: Transaction, visible: Collection[AccountId] | None) -> TransactionView:
    """A transaction as somebody sees it who may see the entries of the accounts `visible`; `None` is all."""
    entries: list[EntryView] = []
    for transfer in transaction.transfers:
        if visible is None or transfer.debit_account_id in visible:
            entries.append(
                EntryView(
                    account_id=transfer.debit_account_id,
                    direction="debit",
                    amount=transfer.amount_minor,
                    currency=transfer.currency,
                    balance_after=_balance_after(transfer.debit_after),
                )
            )
        if visible is None or transfer.credit_account_id in visible:
            entries.append(
                EntryView(
                    account_id=transfer.credit_account_id,
                    direction="credit",
                    amount=transfer.amount_minor,
                    currency=transfer.currency,
                    balance_after=_balance_after(transfer.credit_after),
                )
            )
    return TransactionView(
        id=transaction.id,
        type=transaction.type,
        amount=transaction.amount_minor,
        currency=transaction.currency,
        payment_id=transaction.payment_id,
        customer_id=transaction.customer_id,
        merchant_id=transaction.merchant_id,
        description=transaction.description,
        reverses=transaction.reverses,
        reversed_by=transaction.reversed_by,
        created_at=transaction.created_at,
        entries=entries,
    )


def _balance_after(after: BalanceAfter) -> BalanceAfterView:
    return BalanceAfterView(posted=after.posted, held=after.held, available=after.available)


_encoder = msgspec.json.Encoder()


def event_data(event: Event) -> bytes:
    """The JSON of the object that an event is about, as it was right after it."""
    return _encoder.encode(_event_view(event.object))


def _event_view(record: Payment | Refund | Deposit | Payout | Transaction | Account) -> msgspec.Struct:
    match record:
        case Payment():
            return payment_view(record)
        case Refund():
            return refund_view(record)
        case Deposit():
            return deposit_view(record)
        case Payout():
            return payout_view(record)
        case Transaction():
            return transaction_view(record, _owners_account(record))
        case Account():
            return account_view(record)
        case _:
            assert_never(record)


def _owners_account(transaction: Transaction) -> set[AccountId]:
    """The user's account of a deposit or a payout, which are all that events tell of: not the gateway's own."""
    [transfer] = transaction.transfers
    is_deposit = transaction.type is TransactionType.DEPOSIT
    return {transfer.credit_account_id if is_deposit else transfer.debit_account_id}
