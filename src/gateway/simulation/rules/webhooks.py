"""Webhook endpoints: who may have how many, what a change changes, which secrets sign, who is told."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from gateway.application.commands.change_webhook_endpoint import ChangeWebhookEndpoint
from gateway.application.commands.create_webhook_endpoint import CreateWebhookEndpoint
from gateway.application.commands.delete_webhook_endpoint import DeleteWebhookEndpoint
from gateway.application.commands.disable_webhook_endpoint import DisableWebhookEndpoint
from gateway.application.commands.rotate_webhook_secret import RotateWebhookSecret
from gateway.application.commands.send_test_event import SendTestEvent
from gateway.simulation.effect import Effect
from gateway.simulation.model import Model, Refused, Rules
from gateway.simulation.model_records import ModelEndpoint

ENDPOINTS_MAX: Final = 16
"""The number of endpoints that an owner may have."""


def create(model: Model, command: CreateWebhookEndpoint, now: datetime) -> Effect:
    """Create an endpoint, if the owner has fewer than 16."""
    if command.url_error is not None:
        raise Refused("validation_error")
    own = sum(each.owner == command.owner_id and not each.deleted for each in model.endpoints.values())
    if own >= ENDPOINTS_MAX:
        raise Refused("endpoint_limit_reached")
    return Effect(
        endpoint=ModelEndpoint(
            owner=command.owner_id,
            all_merchants=command.all_merchants,
            url=command.url,
            filters=command.events,
            description=command.description or None,
            disabled="" if command.enabled else "by_owner",
            secrets=(command.secret,),
            after=command.after_position,
            created_at=now,
            changed_at=now,
        ),
        recorded="endpoint.created",
    )


def change(model: Model, command: ChangeWebhookEndpoint, now: datetime) -> Effect:
    """Change what is given. Only an endpoint that becomes disabled has an event."""
    before = model.endpoint(command.endpoint_id, command.owner_id)
    if command.url_error is not None:
        raise Refused("validation_error")
    after = replace(
        before,
        url=before.url if command.url is None else command.url,
        filters=before.filters if command.events is None else command.events,
        description=before.description if command.description is None else command.description or None,
    )
    if command.enabled is True:
        after = replace(after, disabled="")
    elif command.enabled is False and not before.disabled:
        return _disabled(after, "by_owner", now, recorded="endpoint.changed")
    if after == before:
        return Effect(told=before)
    return Effect(endpoint=replace(after, changed_at=now), recorded="endpoint.changed")


def delete(model: Model, command: DeleteWebhookEndpoint, now: datetime) -> Effect:
    """Delete an endpoint."""
    before = model.endpoint(command.endpoint_id, command.owner_id)
    deleted = replace(before, deleted=True, changed_at=now)
    return Effect(told=("deleted", before.id), endpoint=deleted, recorded="endpoint.deleted")


def disable(model: Model, command: DisableWebhookEndpoint, now: datetime) -> Effect:
    """Disable an endpoint. A disabled one keeps its reason, a deleted one is none, a changed one goes on."""
    before = model.endpoints.get(command.endpoint_id)
    if before is None or before.deleted:
        return Effect()
    is_changed = command.as_of is not None and before.changed_at > command.as_of
    if before.disabled or is_changed:
        return Effect(told=before)
    return _disabled(before, command.reason.value, now, recorded="endpoint.disabled")


def rotate(model: Model, command: RotateWebhookSecret, now: datetime) -> Effect:
    """Take a new secret. The secret until now signs for a day more, and an older one no longer."""
    before = model.endpoint(command.endpoint_id, command.owner_id)
    secrets = (command.secret, before.secrets[0])
    after = replace(before, secrets=secrets, rotated_at=now, changed_at=now)
    return Effect(endpoint=after, recorded="endpoint.secret_rotated")


def send_test(model: Model, command: SendTestEvent, now: datetime) -> Effect:
    """Write an event about an enabled endpoint."""
    before = model.endpoint(command.endpoint_id, command.owner_id)
    if before.disabled:
        raise Refused("webhook_endpoint_disabled", disabled_reason=before.disabled)
    after = replace(before, told=before.told + 1)
    return Effect(told=("test", before.id, now), endpoint=after, events=("endpoint.test",))


def _disabled(before: ModelEndpoint, reason: str, now: datetime, *, recorded: str) -> Effect:
    after = replace(before, disabled=reason, told=before.told + 1, changed_at=now)
    return Effect(endpoint=after, recorded=recorded, events=("endpoint.disabled",))


RULES: Final[Rules] = {
    CreateWebhookEndpoint: create,
    ChangeWebhookEndpoint: change,
    DeleteWebhookEndpoint: delete,
    DisableWebhookEndpoint: disable,
    RotateWebhookSecret: rotate,
    SendTestEvent: send_test,
}
