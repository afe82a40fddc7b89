"""The webhooks of the OpenAPI document: one for each type of event, with its headers, its body and an example."""

from typing import Annotated, Any, Final, Generic, Literal

import msgspec
from typing_extensions import TypeVar

from gateway.adapters.http.event_catalog import CATALOG, example_event
from gateway.adapters.http.openapi_schemas import Schemas
from gateway.application.views.accounts import AccountView
from gateway.application.views.api_keys import ApiKeyView
from gateway.application.views.customers import CustomerView
from gateway.application.views.deposits import DepositView
from gateway.application.views.members import MemberView
from gateway.application.views.payments import PaymentView
from gateway.application.views.payouts import PayoutView
from gateway.application.views.refunds import RefundView
from gateway.application.views.times import Instant
from gateway.application.views.transactions import TransactionView
from gateway.application.views.users import UserView
from gateway.application.views.webhook_endpoints import WebhookEndpointView
from gateway.domain.event_type import EventType

TAG: Final = "Webhooks"
Thing = TypeVar("Thing", bound=msgspec.Struct)

PARAMETERS: Final[dict[str, dict[str, Any]]] = {
    "webhook-id": {
        "name": "webhook-id",
        "in": "header",
        "required": True,
        "description": "The id of the event: the same each time that it is sent.",
        "schema": {"type": "string"},
        "example": "evt_01kc3x0m5fe7v8qj2r4n6p9stn",
    },
    "webhook-timestamp": {
        "name": "webhook-timestamp",
        "in": "header",
        "required": True,
        "description": "When it was sent, in seconds since 1970. Refuse what is older than five minutes.",
        "schema": {"type": "integer", "format": "int64"},
        "example": 1767323045,
    },
    "webhook-signature": {
        "name": "webhook-signature",
        "in": "header",
        "required": True,
        "description": (
            "`v1,` and the Base64 of the HMAC-SHA256 of `id.timestamp.body` with the endpoint's secret. For 24 hours "
            "after a rotation there are two, with a space between them."
        ),
        "schema": {"type": "string"},
        "example": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    },
}
"""The headers of each webhook (Standard Webhooks 1.0.0)."""

RESPONSES: Final[dict[str, dict[str, Any]]] = {
    "2XX": {"description": "Received. After any other status, or none, the event is sent again."},
    "410": {"description": "The endpoint is disabled: nothing more is sent to it."},
}


class EventDataOf(msgspec.Struct, Generic[Thing], frozen=True, kw_only=True):
    """What an event tells: the object, as `GET` answered it right after the change."""

    object: Thing


class EventOf(msgspec.Struct, Generic[Thing], frozen=True, kw_only=True):
    """One change of one object. `position` orders all events; `sequence` orders the events of one object."""

    id: str
    object: Literal["event"] = "event"
    type: Annotated[str, msgspec.Meta(description="What has happened. More types may be added.")]
    position: int
    sequence: int
    created_at: Instant
    data: EventDataOf[Thing]


BODIES: Final[dict[Any, Any]] = {
    AccountView: EventOf[AccountView],
    ApiKeyView: EventOf[ApiKeyView],
    CustomerView: EventOf[CustomerView],
    DepositView: EventOf[DepositView],
    MemberView: EventOf[MemberView],
    PaymentView: EventOf[PaymentView],
    PayoutView: EventOf[PayoutView],
    RefundView: EventOf[RefundView],
    TransactionView: EventOf[TransactionView],
    UserView: EventOf[UserView],
    WebhookEndpointView: EventOf[WebhookEndpointView],
}
"""The type of the body of a webhook, by the type of the object."""


def webhooks_of(schemas: Schemas) -> dict[str, Any]:
    """The webhooks by their type of event."""
    return {event_type.value: {"post": _described(event_type, schemas)} for event_type in CATALOG}


def _described(event_type: EventType, schemas: Schemas) -> dict[str, Any]:
    entry = CATALOG[event_type]
    words = event_type.value.replace(".", "_").split("_")
    return {
        "operationId": f"on{''.join(word.capitalize() for word in words)}",
        "tags": [TAG],
        "summary": entry.when.partition(".")[0].replace("`", ""),
        "description": f"{entry.when} Sent to webhook endpoints of the merchant whose filters select `{event_type}`.",
        "parameters": [{"$ref": f"#/components/parameters/{name}"} for name in PARAMETERS],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": schemas.reference(BODIES[entry.view]),
                    "example": example_event(event_type),
                }
            },
        },
        "responses": RESPONSES,
        "security": [],
    }
