"""Events, as clients see them: the record that an event is about."""

from typing import Annotated, Literal, assert_never

import msgspec

from gateway.application.ports.events import FeedEvent
from gateway.application.views.accounts import account_view
from gateway.application.views.api_keys import api_key_view
from gateway.application.views.customers import customer_view
from gateway.application.views.deposits import deposit_view
from gateway.application.views.members import member_view
from gateway.application.views.payments import payment_view
from gateway.application.views.payouts import payout_view
from gateway.application.views.refunds import refund_view
from gateway.application.views.times import Instant
from gateway.application.views.transactions import transaction_view
from gateway.application.views.users import user_view
from gateway.application.views.webhook_endpoints import webhook_endpoint_view
from gateway.domain.account import Account, AccountId
from gateway.domain.api_key import ApiKey
from gateway.domain.customer import CustomerWithAccounts
from gateway.domain.deposit import Deposit
from gateway.domain.event import EventObject
from gateway.domain.member import Member
from gateway.domain.payment import Payment
from gateway.domain.payout import Payout
from gateway.domain.refund import Refund
from gateway.domain.transaction import Transaction, TransactionType
from gateway.domain.user_with_accounts import UserWithAccounts
from gateway.domain.webhook_endpoint import WebhookEndpoint

_encoder = msgspec.json.Encoder()


class EventDataView(msgspec.Struct, frozen=True, kw_only=True):
    """What an event tells."""

    object: Annotated[
        msgspec.Raw,
        msgspec.Meta(
            description="The object that changed, as `GET` answered it right after the change. Its `object` names its "
            "type.",
            extra_json_schema={"type": "object", "additionalProperties": True},
        ),
    ]


class EventView(msgspec.Struct, frozen=True, kw_only=True):
    """One change of one object.

    `position` orders all events; `sequence` counts the changes of this object.
    """

    id: str
    object: Literal["event"] = "event"
    type: str
    position: int
    sequence: int
    created_at: Instant
    data: EventDataView


def event_view(event: FeedEvent) -> EventView:
    """An event as clients see it."""
    return EventView(
        id=event.id,
        type=event.type.value,
        position=event.position,
        sequence=event.sequence,
        created_at=event.created_at,
        data=EventDataView(object=msgspec.Raw(event.data)),
    )


def event_view_json(event: FeedEvent) -> bytes:
    """The JSON of an event as clients see it, over HTTP, in webhooks and in sinks: the same bytes for the same event.

    The data of the event stands in it unchanged.
    """
    return _encoder.encode(event_view(event))


def event_data(of: EventObject) -> bytes:
    """The JSON of the record that an event is about, as `GET` answers it: the data of the event."""
    return _encoder.encode(_event_view(of))


def _event_view(record: EventObject) -> msgspec.Struct:
    view: msgspec.Struct
    match record:
        case Payment():
            view = payment_view(record)
        case Refund():
            view = refund_view(record)
        case Deposit():
            view = deposit_view(record)
        case Payout():
            view = payout_view(record)
        case Transaction():
            view = transaction_view(record, _owners_account(record))
        case Account():
            view = account_view(record)
        case WebhookEndpoint():
            view = webhook_endpoint_view(record)
        case UserWithAccounts() | CustomerWithAccounts() | ApiKey() | Member():
            view = _view_of_access(record)
        case _:
            assert_never(record)
    return view


def _view_of_access(record: UserWithAccounts | CustomerWithAccounts | ApiKey | Member) -> msgspec.Struct:
    match record:
        case UserWithAccounts():
            return user_view(record.user, record.accounts)
        case CustomerWithAccounts():
            return customer_view(record)
        case ApiKey():
            return api_key_view(record)
        case Member():
            return member_view(record)


def _owners_account(transaction: Transaction) -> set[AccountId]:
    """The user's account in a deposit or a payout. Clients do not see entries of the gateway's own accounts."""
    [transfer] = transaction.transfers
    is_deposit = transaction.type is TransactionType.DEPOSIT
    return {transfer.credit_account_id if is_deposit else transfer.debit_account_id}
