"""Refusals about webhook endpoints."""

from gateway.domain.errors import Refusal


class WebhookEndpointNotFound(Refusal):
    """No such webhook endpoint, or none of the asker's."""

    code = "webhook_endpoint_not_found"


class WebhookEndpointDisabled(Refusal):
    """Nothing is sent to the webhook endpoint; `disabled_reason` tells why. Not stored: its owner may enable it."""

    code = "webhook_endpoint_disabled"
    stored = False


class ReplayLimitReached(Refusal):
    """The endpoint has as many replays as may be under way. Not stored: one of them will end."""

    code = "replay_limit_reached"
    stored = False


class EndpointLimitReached(Refusal):
    """The owner has as many webhook endpoints as one may have. Not stored: the owner may delete one."""

    code = "endpoint_limit_reached"
    stored = False
