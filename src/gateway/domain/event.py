"""Event: what happened, in the past tense."""

from datetime import datetime
from enum import StrEnum
from typing import NewType

from gateway.domain.account import Account
from gateway.domain.deposit import Deposit
from gateway.domain.payment import Payment
from gateway.domain.payout import Payout
from gateway.domain.refund import Refund
from gateway.domain.transaction import Transaction
from gateway.domain.user import UserId
from gateway.domain.value import value

EventId = NewType("EventId", str)
EventObject = Payment | Refund | Deposit | Payout | Transaction | Account


class EventType(StrEnum):
    """Every change of an object has one. A quote is none: it promises, and what becomes of it the payment tells."""

    PAYMENT_CREATED = "payment.created"
    PAYMENT_AUTHORIZED = "payment.authorized"
    PAYMENT_CAPTURED = "payment.captured"
    PAYMENT_PARTIALLY_CAPTURED = "payment.partially_captured"
    PAYMENT_FAILED = "payment.failed"
    PAYMENT_CONFIRMATION_FAILED = "payment.confirmation_failed"
    PAYMENT_CANCELED = "payment.canceled"
    PAYMENT_EXPIRED = "payment.expired"
    PAYMENT_REFUNDED = "payment.refunded"
    REFUND_SUCCEEDED = "refund.succeeded"
    DEPOSIT_SUCCEEDED = "deposit.succeeded"
    PAYOUT_SUCCEEDED = "payout.succeeded"
    TRANSACTION_REVERSED = "transaction.reversed"
    ACCOUNT_OPENED = "account.opened"
    ACCOUNT_FROZEN = "account.frozen"
    ACCOUNT_UNFROZEN = "account.unfrozen"
    ACCOUNT_FEES_CHANGED = "account.fees_changed"


@value
class Event:
    """One change of state of one object, committed with it.

    `sequence` is the object's version after the change: within one object it rises, and tells a reader the order. What
    never changes again has the sequence 1.
    """

    id: EventId
    type: EventType
    object: EventObject
    sequence: int
    customer_id: UserId | None
    merchant_id: UserId | None
    created_at: datetime
