"""Webhook endpoints, as clients see them. The secret is shown when it is made, and never again."""

from datetime import datetime
from typing import Literal

import msgspec

from gateway.application.views.times import Instant
from gateway.domain.webhook_endpoint import WebhookEndpoint


class WebhookEndpointView(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook endpoint. `disabled_reason` is null while it is enabled."""

    id: str
    object: Literal["webhook_endpoint"] = "webhook_endpoint"
    url: str
    events: tuple[str, ...]
    description: str | None
    enabled: bool
    disabled_reason: Literal["by_owner", "gone", "failing"] | None
    created_at: Instant
    updated_at: Instant


class WebhookEndpointWithSecretView(WebhookEndpointView, frozen=True, kw_only=True):
    """A webhook endpoint with the secret that was made just now: `whsec_` and the Base64 of the key that signs."""

    secret: str


class SentTestEventView(msgspec.Struct, frozen=True, kw_only=True):
    """A test event that was written. It is delivered as every other event."""

    object: Literal["webhook_test"] = "webhook_test"
    endpoint_id: str
    event_id: str
    created_at: Instant


def webhook_endpoint_view(endpoint: WebhookEndpoint) -> WebhookEndpointView:
    """A webhook endpoint as clients see it."""
    return WebhookEndpointView(
        id=endpoint.id,
        url=endpoint.url,
        events=endpoint.events,
        description=endpoint.description,
        enabled=endpoint.enabled,
        disabled_reason=None if endpoint.disabled_reason is None else endpoint.disabled_reason.value,
        created_at=endpoint.created_at,
        updated_at=endpoint.updated_at,
    )


def webhook_endpoint_with_secret_view(endpoint: WebhookEndpoint) -> WebhookEndpointWithSecretView:
    """A webhook endpoint as its owner sees it once: after its creation, or after a rotation."""
    return WebhookEndpointWithSecretView(
        **msgspec.structs.asdict(webhook_endpoint_view(endpoint)), secret=endpoint.secret
    )


def sent_test_event_view(endpoint_id: str, event_id: str, created_at: datetime) -> SentTestEventView:
    """A test event as the owner of the endpoint sees it."""
    return SentTestEventView(endpoint_id=endpoint_id, event_id=event_id, created_at=created_at)
