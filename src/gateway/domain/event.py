"""Event: a change of an object, named in the past tense."""

from datetime import datetime
from typing import NewType

from gateway.domain.account import Account
from gateway.domain.api_key import ApiKey
from gateway.domain.customer import CustomerWithAccounts
from gateway.domain.deposit import Deposit
from gateway.domain.event_type import EventType
from gateway.domain.immutable import immutable
from gateway.domain.member import Member
from gateway.domain.payment import Payment
from gateway.domain.payout import Payout
from gateway.domain.refund import Refund
from gateway.domain.transaction import Transaction
from gateway.domain.user import UserId
from gateway.domain.user_with_accounts import UserWithAccounts
from gateway.domain.webhook_endpoint import WebhookEndpoint

EventId = NewType("EventId", str)
EventObject = (
    Payment
    | Refund
    | Deposit
    | Payout
    | Transaction
    | Account
    | WebhookEndpoint
    | ApiKey
    | Member
    | UserWithAccounts
    | CustomerWithAccounts
)


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
