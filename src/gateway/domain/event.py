"""Event: what happened, in the past tense."""

from datetime import datetime
from enum import StrEnum
from typing import NewType

from gateway.domain.account import Account
from gateway.domain.deposit import Deposit
from gateway.domain.payment import Payment
from gateway.domain.user import UserId
from gateway.domain.value import value

EventId = NewType("EventId", str)


class EventType(StrEnum):
    """Every change of state has one."""

    PAYMENT_CAPTURED = "payment.captured"
    PAYMENT_FAILED = "payment.failed"
    DEPOSIT_SUCCEEDED = "deposit.succeeded"
    ACCOUNT_OPENED = "account.opened"
    ACCOUNT_FROZEN = "account.frozen"
    ACCOUNT_UNFROZEN = "account.unfrozen"


@value
class Event:
    """One change of state of one object, committed with it.

    `sequence` is the object's version after the change: within one object it rises, and tells a reader the order.
    """

    id: EventId
    type: EventType
    object: Payment | Deposit | Account
    sequence: int
    customer_id: UserId | None
    merchant_id: UserId | None
    created_at: datetime
