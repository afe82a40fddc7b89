"""Refusals about API keys."""

from gateway.domain.errors import Refusal


class ApiKeyNotFound(Refusal):
    """No such API key, or none of the asker's."""

    code = "api_key_not_found"


class ApiKeyEnded(Refusal):
    """The API key has expired, or was revoked or replaced: it cannot be rotated."""

    code = "api_key_ended"


class ApiKeyLimitReached(Refusal):
    """The owner has as many API keys as one may have. Not stored: the owner may revoke one."""

    code = "api_key_limit_reached"
    stored = False
