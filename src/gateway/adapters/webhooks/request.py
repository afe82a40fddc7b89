"""The signed request of a webhook, and the time that its response asks to wait."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from standardwebhooks import Webhook

from gateway.application.ports.webhook_sender import WebhookMessage
from gateway.domain.webhook_url import WebhookUrl

RETRY_AFTER_SECONDS_MAX: Final = 86_400.0
_DIGITS_MAX: Final = 18


def signed_request(message: WebhookMessage, url: WebhookUrl, *, user_agent: str) -> bytes:
    """The whole request, signed as Standard Webhooks 1.0.0 says, with every secret."""
    body = message.body.decode()
    sent_at = message.sent_at.astimezone(UTC)
    signatures = (Webhook(secret).sign(message.event_id, sent_at, body) for secret in message.secrets)
    head = (
        f"POST {url.target} HTTP/1.1\r\n"
        f"Host: {url.authority}\r\n"
        f"User-Agent: {user_agent}\r\n"
        "Accept: */*\r\n"
        "Content-Type: application/json\r\n"
        f"Content-Length: {len(message.body)}\r\n"
        f"webhook-id: {message.event_id}\r\n"
        f"webhook-timestamp: {int(sent_at.timestamp())}\r\n"
        f"webhook-signature: {' '.join(signatures)}\r\n\r\n"
    )
    return head.encode("ascii") + message.body


def retry_after_seconds(value: bytes | None, *, now: datetime) -> float | None:
    """The time that `Retry-After` asks to wait, at most `RETRY_AFTER_SECONDS_MAX`. None if it cannot be read.

    Args:
        value: A number of seconds or an HTTP date (RFC 9110, 10.2.3).
        now: The time at which the response arrived.
    """
    if value is None or not value.isascii():
        return None
    text = value.decode("ascii").strip()
    if text.isdigit():
        return min(float(text[:_DIGITS_MAX]), RETRY_AFTER_SECONDS_MAX)
    try:
        until = parsedate_to_datetime(text)
        seconds = (until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds()
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), RETRY_AFTER_SECONDS_MAX)
