"""Webhook endpoints as rows."""

import json

from gateway.adapters.sql.rows.values import Values
from gateway.adapters.sql.types import Found
from gateway.domain.webhook_endpoint import DisabledReason, WebhookEndpoint


def webhook_endpoint_values(endpoint: WebhookEndpoint) -> Values:
    """The row of a webhook endpoint."""
    return (
        endpoint.id,
        endpoint.owner_id,
        int(endpoint.all_merchants),
        endpoint.url,
        json.dumps(endpoint.events),
        endpoint.description,
        None if endpoint.disabled_reason is None else endpoint.disabled_reason.value,
        endpoint.secret,
        endpoint.previous_secret,
        endpoint.previous_secret_expires_at,
        endpoint.sequence,
        endpoint.created_at,
        endpoint.updated_at,
        endpoint.after_position,
    )


def to_webhook_endpoint(row: Found) -> WebhookEndpoint:
    """The webhook endpoint of a row."""
    return WebhookEndpoint(
        id=row[0],
        owner_id=row[1],
        all_merchants=bool(row[2]),
        url=row[3],
        events=tuple(json.loads(row[4])),
        description=row[5],
        disabled_reason=None if row[6] is None else DisabledReason(row[6]),
        secret=row[7],
        previous_secret=row[8],
        previous_secret_expires_at=row[9],
        sequence=row[10],
        created_at=row[11],
        updated_at=row[12],
        after_position=row[13] or 0,
    )
