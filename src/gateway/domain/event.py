"""Event: a change of an object, named in the past tense."""

from datetime import datetime
from enum import StrEnum
from typing import NewType

from gateway.domain.account import Account
from gateway.domain.deposit import Deposit
from gateway.domain.immutable import immutable
from gateway.domain.payment import Payment
from gateway.domain.payout import Payout
from gateway.domain.refund import Refund
from gateway.domain.transaction import Transaction
from gateway.domain.user import UserId

EventId = NewType("EventId", str)
EventObject = Payment | Refund | Deposit | Payout | Transaction | Account


class EventType(StrEnum):
    """The type of each change. Quotes have no events: the events of payments show their use."""

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


@immutable
class Event:
    """One change of one object, committed with it.

    Attributes:
        object: The object after the change.
        sequence: Its version: the order of the events of one object. Objects that never change have the sequence 1.
        data: The object as it is shown outside, encoded once by the application.
    """

    id: EventId
    type: EventType
    object: EventObject
    sequence: int
    customer_id: UserId | None
    merchant_id: UserId | None
    created_at: datetime
    data: bytes
