"""Webhook endpoints: where the events of a merchant are sent."""

from typing import Annotated, Any, Final

import msgspec

from gateway.adapters.http.cursors import Cursors
from gateway.adapters.http.lists import listing
from gateway.adapters.http.messages import Request, Response
from gateway.adapters.http.operations import (
    AnyOperation,
    Body,
    Idempotency,
    ListView,
    NoFields,
    Operation,
    json_response,
)
from gateway.adapters.http.resources.fields import Description, PageQuery
from gateway.adapters.http.submissions import identity, submitted, submitting
from gateway.application.commands.delete_webhook_endpoint import DeleteWebhookEndpoint
from gateway.application.commands.send_test_event import SendTestEvent, SentTestEvent
from gateway.application.queries import Page
from gateway.application.views.webhook_endpoints import (
    SentTestEventView,
    WebhookEndpointView,
    WebhookEndpointWithSecretView,
    sent_test_event_view,
    webhook_endpoint_view,
    webhook_endpoint_with_secret_view,
)
from gateway.application.webhooks import endpoint_owner
from gateway.domain.limits import EVENT_FILTERS_MAX, WEBHOOK_URL_LENGTH_MAX
from gateway.domain.user import Role
from gateway.domain.webhook_endpoint import EndpointId
from gateway.domain.webhook_fields import EVENT_FILTERS

TAG: Final = "Webhooks"

Url = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=WEBHOOK_URL_LENGTH_MAX,
        description="The URL of the receiver: `https://`, in the sandbox also `http://`.",
        examples=["https://shop.example/webhooks"],
        extra_json_schema={"pattern": "^https?://.+"},
    ),
]
EventFilters = Annotated[
    list[Annotated[str, msgspec.Meta(extra_json_schema={"enum": sorted(EVENT_FILTERS)})]],
    msgspec.Meta(
        min_length=1,
        max_length=EVENT_FILTERS_MAX,
        description="Types of events, `payment.*` for all types of a kind, or `*` for everything.",
        examples=[["payment.*"]],
        extra_json_schema={"uniqueItems": True},
    ),
]


class CreateWebhookEndpointBody(Body, frozen=True, kw_only=True):
    """What is sent where. The endpoint is enabled unless told otherwise."""

    url: Url
    events: EventFilters
    description: Description | None = None
    enabled: bool | None = None


class ChangeWebhookEndpointBody(Body, frozen=True, kw_only=True):
    """What is to be changed. An empty description clears it."""

    url: Url | None = None
    events: EventFilters | None = None
    description: Description | None = None
    enabled: bool | None = None


def endpoint_id(request: Request[Any, Any]) -> EndpointId:
    """The id in the path."""
    return EndpointId(request.path_ids["endpoint_id"])


async def create_endpoint(request: Request[CreateWebhookEndpointBody]) -> Response:
    """Create an endpoint of the caller's: of a merchant, or of the operators for all merchants."""
    body, caller = request.body, request.caller
    command = await request.gateway.webhooks.create_command(
        owner_id=endpoint_owner(caller),
        url=body.url,
        events=body.events,
        description=body.description,
        enabled=body.enabled is not False,
        all_merchants=caller.role is Role.OPERATOR,
    )
    return await submitted(request, command, webhook_endpoint_with_secret_view)


async def change_endpoint(request: Request[ChangeWebhookEndpointBody]) -> Response:
    """Change an endpoint of the caller's."""
    body = request.body
    command = await request.gateway.webhooks.change_command(
        endpoint_id(request),
        owner_id=endpoint_owner(request.caller),
        url=body.url,
        events=body.events,
        description=body.description,
        enabled=body.enabled,
    )
    return await submitted(request, command, webhook_endpoint_view, record_of=identity)


async def rotate_secret(request: Request[NoFields]) -> Response:
    """Give an endpoint of the caller's a new secret."""
    owner_id = endpoint_owner(request.caller)
    command = request.gateway.webhooks.rotate_command(endpoint_id(request), owner_id=owner_id)
    return await submitted(request, command, webhook_endpoint_with_secret_view)


async def get_endpoint(request: Request) -> Response:
    """Show an endpoint of the caller's."""
    found = await request.gateway.webhooks.endpoint(request.caller, endpoint_id(request))
    return json_response(200, webhook_endpoint_view(found))


async def find_endpoints(request: Request[None, PageQuery], before: EndpointId | None) -> Page[WebhookEndpointView]:
    """A page of the caller's endpoints."""
    page = await request.gateway.webhooks.endpoints(request.caller, before=before, limit=request.query.limit)
    return page.map(webhook_endpoint_view)


async def delete_endpoint(request: Request) -> Response:
    """Delete an endpoint of the caller's."""
    owner_id = endpoint_owner(request.caller)
    command = DeleteWebhookEndpoint(endpoint_id=endpoint_id(request), owner_id=owner_id)
    await request.gateway.execute(command, owner_id=request.caller.user_id, origin=request.origin)
    return Response(status=204)


def shown_test(sent: SentTestEvent) -> SentTestEventView:
    """A test event as its sender sees it."""
    return sent_test_event_view(sent.endpoint_id, sent.event_id, sent.created_at)


def to_send_test(request: Request[NoFields]) -> SendTestEvent:
    """A test event about an endpoint of the caller's."""
    return SendTestEvent(endpoint_id=endpoint_id(request), owner_id=endpoint_owner(request.caller))


EXAMPLE_ENDPOINT: Final[dict[str, Any]] = {
    "id": "whe_01kc3x0m5fe7v8qj2r4n6p9stk",
    "object": "webhook_endpoint",
    "url": "https://shop.example/webhooks",
    "events": ["payment.*", "refund.succeeded"],
    "description": "Orders of the shop",
    "enabled": True,
    "disabled_reason": None,
    "created_at": "2026-01-02T03:04:05.678901Z",
    "updated_at": "2026-01-02T03:04:05.678901Z",
}
EXAMPLE_WITH_SECRET: Final = {**EXAMPLE_ENDPOINT, "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
EXAMPLE_TEST: Final = {
    "object": "webhook_test",
    "endpoint_id": EXAMPLE_ENDPOINT["id"],
    "event_id": "evt_01kc3x0m5fe7v8qj2r4n6p9stm",
    "created_at": "2026-01-02T03:04:05.678901Z",
}
LOCAL_RECEIVER: Final = "http://127.0.0.1:9000/webhooks"


def operations(cursors: Cursors) -> tuple[AnyOperation, ...]:
    """The operations on webhook endpoints."""
    return (
        Operation(
            method="POST",
            path="/webhook-endpoints",
            name="createWebhookEndpoint",
            tag=TAG,
            summary="Send events to a URL; the secret that signs them is shown here, and never again",
            handler=create_endpoint,
            status=201,
            body=CreateWebhookEndpointBody,
            result=WebhookEndpointWithSecretView,
            idempotency=Idempotency.OPTIONAL,
            codes=("endpoint_limit_reached",),
            examples={
                "this machine": {
                    "url": LOCAL_RECEIVER,
                    "events": ["payment.*"],
                    "description": "A receiver in the sandbox",
                },
                "a shop": {"url": EXAMPLE_ENDPOINT["url"], "events": EXAMPLE_ENDPOINT["events"]},
            },
            example_result=EXAMPLE_WITH_SECRET,
        ),
        Operation(
            method="GET",
            path="/webhook-endpoints",
            name="listWebhookEndpoints",
            tag=TAG,
            summary="List the caller's webhook endpoints; operators see those for all merchants",
            handler=listing(cursors, find_endpoints),
            query=PageQuery,
            result=ListView[WebhookEndpointView],
            codes=("cursor_invalid",),
            example_result={"object": "list", "data": [EXAMPLE_ENDPOINT], "has_more": False, "next_cursor": None},
        ),
        Operation(
            method="GET",
            path="/webhook-endpoints/{endpoint_id}",
            name="getWebhookEndpoint",
            tag=TAG,
            summary="Show a webhook endpoint of the caller's",
            handler=get_endpoint,
            result=WebhookEndpointView,
            codes=("webhook_endpoint_not_found",),
            example_result=EXAMPLE_ENDPOINT,
        ),
        Operation(
            method="PATCH",
            path="/webhook-endpoints/{endpoint_id}",
            name="changeWebhookEndpoint",
            tag=TAG,
            summary="Change, disable or enable a webhook endpoint; what is left out stays",
            handler=change_endpoint,
            body=ChangeWebhookEndpointBody,
            result=WebhookEndpointView,
            codes=("webhook_endpoint_not_found",),
            example={"events": ["*"], "description": "Everything"},
            example_result={**EXAMPLE_ENDPOINT, "events": ["*"], "description": "Everything"},
        ),
        Operation(
            method="DELETE",
            path="/webhook-endpoints/{endpoint_id}",
            name="deleteWebhookEndpoint",
            tag=TAG,
            summary="Delete a webhook endpoint; what waits to be delivered to it is canceled",
            handler=delete_endpoint,
            status=204,
            codes=("webhook_endpoint_not_found",),
        ),
        Operation(
            method="POST",
            path="/webhook-endpoints/{endpoint_id}/rotate-secret",
            name="rotateWebhookSecret",
            tag=TAG,
            summary="Make a new secret; the old one signs too, for 24 hours",
            handler=rotate_secret,
            body=NoFields,
            result=WebhookEndpointWithSecretView,
            idempotency=Idempotency.OPTIONAL,
            codes=("webhook_endpoint_not_found",),
            example_result=EXAMPLE_WITH_SECRET,
        ),
        Operation(
            method="POST",
            path="/webhook-endpoints/{endpoint_id}/test",
            name="testWebhookEndpoint",
            tag=TAG,
            summary="Send the event endpoint.test to a webhook endpoint, whatever its filters",
            handler=submitting(to_send_test, shown_test),
            status=202,
            body=NoFields,
            result=SentTestEventView,
            idempotency=Idempotency.OPTIONAL,
            codes=("webhook_endpoint_not_found", "webhook_endpoint_disabled"),
            example_result=EXAMPLE_TEST,
        ),
    )
