"""A sender of webhooks without a network."""

from collections import deque
from typing import Final

from typing_extensions import override

from gateway.application.ports.webhook_sender import WebhookMessage, WebhookResponse, WebhookSender
from gateway.domain.user import UserId

MESSAGES_MAX: Final = 1_000


class MemoryWebhookSender(WebhookSender):
    """See the port. Every URL is allowed, and every message is answered with 204.

    Attributes:
        messages: The messages that were sent, at most the last `MESSAGES_MAX`.
    """

    def __init__(self) -> None:
        self.messages = deque[WebhookMessage](maxlen=MESSAGES_MAX)

    @override
    async def check(self, url: str, *, owner_id: UserId) -> None:
        pass

    @override
    async def send(self, message: WebhookMessage) -> WebhookResponse:
        self.messages.append(message)
        return WebhookResponse(status=204, error=None, retry_after_seconds=None, latency_ms=0)
