"""Every type of event: when it happens, and an example."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from gateway.adapters.http.resources.accounts import EXAMPLE_ACCOUNT, EXAMPLE_DEPOSIT
from gateway.adapters.http.resources.api_keys import EXAMPLE_KEY
from gateway.adapters.http.resources.customers import EXAMPLE_CUSTOMER
from gateway.adapters.http.resources.members import EXAMPLE_INVITED, EXAMPLE_MEMBER
from gateway.adapters.http.resources.payments import EXAMPLE_PAYMENT
from gateway.adapters.http.resources.refunds import EXAMPLE_REFUND
from gateway.adapters.http.resources.transactions import EXAMPLE_TRANSACTION
from gateway.adapters.http.resources.users import EXAMPLE_USER
from gateway.adapters.http.resources.webhook_endpoints import EXAMPLE_ENDPOINT
from gateway.application.views.accounts import AccountView
from gateway.application.views.api_keys import ApiKeyView
from gateway.application.views.customers import CustomerView
from gateway.application.views.deposits import DepositView
from gateway.application.views.members import MemberView
from gateway.application.views.payments import PaymentView
from gateway.application.views.payouts import PayoutView
from gateway.application.views.refunds import RefundView
from gateway.application.views.transactions import TransactionView
from gateway.application.views.users import UserView
from gateway.application.views.webhook_endpoints import WebhookEndpointView
from gateway.domain.event_type import EventType

Json = dict[str, Any]

EXAMPLE_AT: Final = "2026-01-02T03:04:05.678901Z"
EXAMPLE_DEADLINE: Final = "2026-01-09T03:04:05.678901Z"
EXAMPLE_POSITION: Final = 4711


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """A type of event.

    Attributes:
        when: What has happened, as a sentence.
        view: The type of its object.
        example: Its object, in an example.
        sequence: Of the example.
    """

    when: str
    view: type[msgspec.Struct]
    example: Json
    sequence: int = 1


def _payment(when: str, **changes: Any) -> CatalogEntry:
    example: Json = {**EXAMPLE_PAYMENT, "reference": None, **changes}
    return CatalogEntry(when, PaymentView, example, example["version"])


def _hold(when: str, **changes: Any) -> CatalogEntry:
    return _payment(when, **{**_UNCAPTURED, "capture": "manual", "expires_at": EXAMPLE_DEADLINE, **changes})


def _request(when: str, **changes: Any) -> CatalogEntry:
    return _payment(when, **{**_UNCAPTURED, "customer_id": None, "expires_at": EXAMPLE_DEADLINE, **changes})


def _account(when: str, version: int, **changes: Any) -> CatalogEntry:
    return CatalogEntry(when, AccountView, {**_MERCHANTS_ACCOUNT, "version": version, **changes}, version)


def _endpoint(when: str, sequence: int, **changes: Any) -> CatalogEntry:
    return CatalogEntry(when, WebhookEndpointView, {**EXAMPLE_ENDPOINT, **changes}, sequence)


def _key(when: str, sequence: int, **changes: Any) -> CatalogEntry:
    return CatalogEntry(when, ApiKeyView, {**EXAMPLE_KEY, **changes}, sequence)


_UNCAPTURED: Final[Json] = {"amount_captured": 0, "net_amount": 0, "allowed_actions": []}
_MERCHANTS_ACCOUNT: Final[Json] = {
    **EXAMPLE_ACCOUNT,
    "owner_id": EXAMPLE_PAYMENT["merchant_id"],
    "kind": "merchant",
    "balance": {"posted": 0, "held": 0, "available": 0, "incoming": 0},
}
_MERCHANT: Final[Json] = {
    **EXAMPLE_USER,
    "id": EXAMPLE_PAYMENT["merchant_id"],
    "email": "shop@example.com",
    "role": "merchant",
    "name": None,
}
_PAYOUT: Final[Json] = {**EXAMPLE_DEPOSIT, "id": "pyo_01kc3x0m5fe7v8qj2r4n6p9stc", "object": "payout", "amount": 1050}
_REVERSED: Final[Json] = {
    **EXAMPLE_TRANSACTION,
    "type": "deposit",
    "amount": 100000,
    "payment_id": None,
    "customer_id": None,
    "description": None,
    "reversed_by": "txn_01kc3x0m5fe7v8qj2r4n6p9stk",
    "entries": [
        {
            "account_id": EXAMPLE_ACCOUNT["id"],
            "direction": "credit",
            "amount": 100000,
            "currency": "USD",
            "balance_after": {"posted": 100000, "held": 0, "available": 100000},
        }
    ],
}
CATALOG: Final[Mapping[EventType, CatalogEntry]] = {
    EventType.PAYMENT_CREATED: _request(
        "A merchant has requested a payment. It waits for its confirmation.",
        status="requires_confirmation",
        allowed_actions=["confirm", "cancel"],
    ),
    EventType.PAYMENT_REQUIRES_REVIEW: _hold(
        "A rule of risk asks for a review. The money is held; an operator approves or declines the payment.",
        status="requires_review",
        failure_code="balance_share",
        allowed_actions=["approve", "decline", "cancel"],
    ),
    EventType.PAYMENT_AUTHORIZED: _hold(
        "The money is held for the merchant.",
        status="authorized",
        amount_capturable=1050,
        allowed_actions=["capture", "cancel"],
    ),
    EventType.PAYMENT_CAPTURED: _payment("The merchant has the money. Nothing is held any more."),
    EventType.PAYMENT_PARTIALLY_CAPTURED: _hold(
        "The merchant has a part of the money. The rest is still held.",
        status="partially_captured",
        amount_capturable=650,
        amount_captured=400,
        net_amount=400,
        version=2,
        allowed_actions=["capture", "cancel", "refund"],
    ),
    EventType.PAYMENT_FAILED: _payment(
        "The customer lacked the money. This is final.",
        status="failed",
        **_UNCAPTURED,
        failure_code="insufficient_funds",
    ),
    EventType.PAYMENT_CONFIRMATION_FAILED: _request(
        "A confirmation lacked the money. The request stays open.",
        status="requires_confirmation",
        failure_code="insufficient_funds",
        version=2,
        allowed_actions=["confirm", "cancel"],
    ),
    EventType.PAYMENT_CANCELED: _request(
        "Canceled before anything was captured. What was held is released.", status="canceled", version=2
    ),
    EventType.PAYMENT_EXPIRED: _hold(
        "Its time ran out before anything was captured. What was held is released.", status="expired", version=2
    ),
    EventType.PAYMENT_REFUNDED: _payment(
        "All of a captured payment, or a part, has gone back. `amount_refunded` is the total.",
        amount_refunded=1050,
        net_amount=0,
        version=2,
        allowed_actions=[],
    ),
    EventType.REFUND_SUCCEEDED: CatalogEntry(
        "A refund has gone back to the customer. `payment.refunded` is written with it.", RefundView, EXAMPLE_REFUND
    ),
    EventType.DEPOSIT_SUCCEEDED: CatalogEntry("Money has come into an account.", DepositView, EXAMPLE_DEPOSIT),
    EventType.PAYOUT_SUCCEEDED: CatalogEntry("Money has left an account.", PayoutView, _PAYOUT),
    EventType.TRANSACTION_REVERSED: CatalogEntry(
        "An operator has reversed a deposit or a payout; the object is the one that was reversed.",
        TransactionView,
        _REVERSED,
    ),
    EventType.ACCOUNT_OPENED: _account("An account was opened.", 1),
    EventType.ACCOUNT_FROZEN: _account("An operator has stopped an account from paying.", 2, status="frozen"),
    EventType.ACCOUNT_UNFROZEN: _account("An operator has let an account pay again.", 3),
    EventType.ACCOUNT_FEES_CHANGED: _account("An operator has changed the fees of an account.", 4),
    EventType.ACCOUNT_SUSPENDED: _account(
        "The owner of an account was disabled: nothing new begins on it.", 2, status="suspended"
    ),
    EventType.ACCOUNT_RESUMED: _account("The owner of an account was enabled again.", 3),
    EventType.ACCOUNT_CLOSED: _account("An account was closed, for ever.", 2, status="closed"),
    EventType.ACCOUNT_HANDED_OVER: CatalogEntry(
        "A customer is a user of their own: no merchant manages the account any more.",
        AccountView,
        {**EXAMPLE_CUSTOMER["accounts"][0], "version": 2},
        2,
    ),
    EventType.USER_DISABLED: CatalogEntry(
        "An operator has disabled a user, who is kept out.",
        UserView,
        {**_MERCHANT, "status": "disabled", "accounts": [{**_MERCHANTS_ACCOUNT, "version": 2, "status": "suspended"}]},
        1,
    ),
    EventType.USER_ENABLED: CatalogEntry(
        "An operator has let a disabled user in again.",
        UserView,
        {**_MERCHANT, "accounts": [{**_MERCHANTS_ACCOUNT, "version": 3}]},
        2,
    ),
    EventType.ENDPOINT_DISABLED: _endpoint(
        "A webhook endpoint gets no more events: its owner or the gateway has disabled it.",
        2,
        enabled=False,
        disabled_reason="failing",
    ),
    EventType.ENDPOINT_TEST: _endpoint(
        "Its owner has asked for a test of a webhook endpoint. Only this endpoint gets it, whatever its filters.", 1
    ),
    EventType.API_KEY_CREATED: _key("An API key was created, perhaps in the place of another.", 1),
    EventType.API_KEY_ROTATED: _key(
        "Another API key has replaced an API key, which ends now or soon.",
        2,
        expires_at="2026-01-02T04:04:05.678901Z",
        replaced_by="key_01kc3x1m5fe7v8qj2r4n6p9str",
    ),
    EventType.API_KEY_REVOKED: _key("An API key was revoked.", 2, revoked_at=EXAMPLE_AT),
    EventType.CUSTOMER_CREATED: CatalogEntry("A merchant has created a customer.", CustomerView, EXAMPLE_CUSTOMER),
    EventType.CUSTOMER_UPDATED: CatalogEntry(
        "A merchant has changed a customer.", CustomerView, {**EXAMPLE_CUSTOMER, "name": "Ada Lovelace"}, 2
    ),
    EventType.CUSTOMER_INVITED: CatalogEntry(
        "A merchant has invited a customer to become a user of their own.",
        CustomerView,
        {**EXAMPLE_CUSTOMER, "name": "Ada Lovelace", "invitation_expires_at": "2026-01-03T03:04:05.678901Z"},
        3,
    ),
    EventType.CUSTOMER_JOINED: CatalogEntry(
        "A customer has accepted the invitation, and is a user of their own.",
        CustomerView,
        {**EXAMPLE_CUSTOMER, "name": "Ada Lovelace", "joined_at": EXAMPLE_AT, "accounts": []},
        4,
    ),
    EventType.MEMBER_ADDED: CatalogEntry(
        "Somebody was invited to act for the merchant.", MemberView, EXAMPLE_INVITED, 1
    ),
    EventType.MEMBER_CHANGED: CatalogEntry(
        "A member has accepted the invitation, or has another role.", MemberView, EXAMPLE_MEMBER, 2
    ),
    EventType.MEMBER_REMOVED: CatalogEntry(
        "A member was removed or has left, or an invitation was withdrawn.",
        MemberView,
        {**EXAMPLE_MEMBER, "status": "removed"},
        3,
    ),
}


def example_event(event_type: EventType) -> Json:
    """An event of this type, as clients see it."""
    entry = CATALOG[event_type]
    return {
        "id": "evt_01kc3x0m5fe7v8qj2r4n6p9stn",
        "object": "event",
        "type": event_type.value,
        "position": EXAMPLE_POSITION,
        "sequence": entry.sequence,
        "created_at": EXAMPLE_AT,
        "data": {"object": entry.example},
    }
