"""Merchants and operators make webhook endpoints, change, test and delete them; the dispatcher disables them."""

from datetime import datetime
from typing import Final

from gateway.application.commands.change_webhook_endpoint import ChangeWebhookEndpoint
from gateway.application.commands.create_webhook_endpoint import CreateWebhookEndpoint
from gateway.application.commands.delete_webhook_endpoint import DeleteWebhookEndpoint
from gateway.application.commands.disable_webhook_endpoint import DisableWebhookEndpoint
from gateway.application.commands.rotate_webhook_secret import RotateWebhookSecret
from gateway.application.commands.send_test_event import SendTestEvent
from gateway.domain.errors import FieldError
from gateway.domain.user import SYSTEM, UserId
from gateway.domain.webhook_endpoint import DisabledReason, EndpointId
from gateway.simulation.world import World

FILTERS: Final = (
    ("*",),
    ("payment.*",),
    ("payment.captured", "refund.succeeded"),
    ("payment.failed", "payment.confirmation_failed", "payment.canceled"),
    ("refund.*", "payout.*"),
    ("deposit.*",),
)
FILTERS_OF_ALL: Final = (("refund.*",), ("account.*", "endpoint.*"), ("payment.expired", "transaction.reversed"))
"""For endpoints of all merchants: few events, since each delivery costs as much as a command."""

ENABLED_MAX: Final = 6
"""With so many enabled endpoints, further ones are created disabled: each multiplies the deliveries."""

_URL_ERROR: Final = FieldError("url", "url_not_allowed", "Webhooks are not sent to this address.")


def create_endpoint(world: World) -> CreateWebhookEndpoint:
    """A merchant or the operators create an endpoint. One merchant creates more than are allowed."""
    owner = SYSTEM if world.chance(10) else world.one_of(world.merchants[:1] if world.chance(60) else world.merchants)
    return CreateWebhookEndpoint(
        owner_id=owner,
        all_merchants=owner == SYSTEM,
        url=world.fresh_url(),
        events=_filters(world, owner),
        description=world.one_of((None, "", "a shop")),
        enabled=world.chance(90) and _few_are_enabled(world),
        secret=world.fresh_secret(),
        after_position=world.events,
        url_error=_URL_ERROR if world.chance(3) else None,
    )


def change_endpoint(world: World) -> ChangeWebhookEndpoint:
    """An owner changes an endpoint, disables or enables it; seldom another user tries to."""
    endpoint_id = world.endpoint()
    owner = _owner_of(world, endpoint_id)
    url = world.fresh_url() if world.chance(20) else None
    return ChangeWebhookEndpoint(
        endpoint_id=endpoint_id,
        owner_id=None if world.chance(20) else owner,
        url=url,
        events=_filters(world, owner) if world.chance(20) else None,
        description=world.one_of((None, None, None, "", "another shop")),
        enabled=world.one_of((None, False, True if _few_are_enabled(world) else None)),
        url_error=_URL_ERROR if url is not None and world.chance(5) else None,
    )


def delete_endpoint(world: World) -> DeleteWebhookEndpoint:
    """An owner deletes an endpoint."""
    endpoint_id = world.endpoint()
    return DeleteWebhookEndpoint(endpoint_id=endpoint_id, owner_id=_owner_of(world, endpoint_id))


def disable_endpoint(world: World) -> DisableWebhookEndpoint:
    """A worker disables an endpoint, perhaps one that was deleted or disabled meanwhile."""
    reason = world.one_of((DisabledReason.GONE, DisabledReason.FAILING))
    endpoint_id = world.endpoint()
    return DisableWebhookEndpoint(endpoint_id=endpoint_id, reason=reason, as_of=_known_change(world, endpoint_id))


def rotate_secret(world: World) -> RotateWebhookSecret:
    """An owner gives an endpoint a new secret."""
    endpoint_id = world.endpoint()
    return RotateWebhookSecret(
        endpoint_id=endpoint_id, owner_id=_owner_of(world, endpoint_id), secret=world.fresh_secret()
    )


def send_test(world: World) -> SendTestEvent:
    """An owner has a test event sent."""
    endpoint_id = world.endpoint()
    return SendTestEvent(endpoint_id=endpoint_id, owner_id=_owner_of(world, endpoint_id))


def _owner_of(world: World, endpoint_id: EndpointId) -> UserId:
    endpoint = world.model.endpoints.get(endpoint_id)
    return world.one_of(world.merchants) if endpoint is None or world.chance(5) else endpoint.owner


def _known_change(world: World, endpoint_id: EndpointId) -> datetime | None:
    """The last change that a worker knows of: the last change, the creation, or `None`."""
    endpoint = world.model.endpoints.get(endpoint_id)
    return None if endpoint is None else world.one_of((None, endpoint.changed_at, endpoint.created_at))


def _filters(world: World, owner: UserId) -> tuple[str, ...]:
    return world.one_of(FILTERS_OF_ALL if owner == SYSTEM else FILTERS)


def _few_are_enabled(world: World) -> bool:
    endpoints = world.model.endpoints
    states = [endpoints[each] for each in world.endpoints]
    return sum(not each.deleted and not each.disabled for each in states) < ENABLED_MAX


OPERATIONS: Final = (
    (2, create_endpoint),
    (1, change_endpoint),
    (1, delete_endpoint),
    (1, disable_endpoint),
    (1, rotate_secret),
    (1, send_test),
)
