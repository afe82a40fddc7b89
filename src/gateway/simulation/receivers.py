"""Receivers of webhooks: each is well, fails, asks for a pause, hangs, or is gone, and its mood changes."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Final

from typing_extensions import override

from gateway.application.ports.webhook_sender import WebhookError, WebhookMessage, WebhookResponse, WebhookSender
from gateway.domain.event import EventId
from gateway.domain.user import UserId
from gateway.simulation.clock import VirtualClock
from gateway.simulation.delivery_ledger import DeliveryLedger

MOODS: Final = ("well",) * 10 + ("flaky",) * 5 + ("failing",) * 2 + ("busy", "hanging", "resetting", "slow", "gone")

RETRY_AFTER_SECONDS: Final = (0.0, 1.0, 20.0, 300.0, 40_000.0)
TIMEOUT_SECONDS: Final = 15.0
SLOW_SECONDS: Final = 4.0


def _answer(status: int, *, retry_after_seconds: float | None = None, seconds: float = 0.005) -> WebhookResponse:
    return WebhookResponse(
        status=status, error=None, retry_after_seconds=retry_after_seconds, latency_ms=round(seconds * 1_000)
    )


def _no_answer(error: WebhookError, seconds: float) -> WebhookResponse:
    return WebhookResponse(status=None, error=error, retry_after_seconds=None, latency_ms=round(seconds * 1_000))


RESPONSES: Final = {
    "well": _answer(204),
    "failing": _answer(500),
    "hanging": _no_answer(WebhookError.TIMEOUT, TIMEOUT_SECONDS),
    "resetting": _no_answer(WebhookError.CONNECTION_FAILED, 0.001),
    "slow": _answer(200, seconds=SLOW_SECONDS),
    "gone": _answer(410),
}
"""What receivers answer, by their mood."""


@dataclass(slots=True)
class Receivers:
    """All receivers, by URL. While `healed`, all are well but those that are gone."""

    random: Random
    clock: VirtualClock
    ledger: DeliveryLedger
    note: Callable[[bytes], None]
    moods: dict[str, str] = field(default_factory=dict[str, str])
    healed: bool = False

    def change(self) -> None:
        """Some receivers change their mood. Those that are gone stay so."""
        for url, mood in self.moods.items():
            if mood != "gone" and self.random.random() < 0.3:  # noqa: PLR2004 - often enough to fail for days, and to recover.
                self.moods[url] = self.random.choice(MOODS)

    async def receive(self, message: WebhookMessage) -> WebhookResponse:
        """Answer a request."""
        endpoint_id = self.ledger.arrived(message, self.clock.now)
        response = self._response(message.url)
        self.note(f"{self.clock.now} {message.url} {message.event_id} {response}".encode())
        await asyncio.sleep(response.latency_ms / 1_000)
        if endpoint_id is not None:
            self.ledger.answered(endpoint_id, EventId(message.event_id), response, self.clock.now)
        return response

    def _response(self, url: str) -> WebhookResponse:
        mood = self.moods.get(url)
        if mood is None:
            mood = self.moods[url] = self.random.choice(MOODS)
        if mood == "flaky":
            mood = self.random.choice(("well", "failing", "busy", "hanging", "resetting"))
        if self.healed and mood != "gone":
            mood = "well"
        if mood == "busy":
            return _answer(429, retry_after_seconds=self.random.choice(RETRY_AFTER_SECONDS))
        return RESPONSES[mood]


class ReceiversSender(WebhookSender):
    """The port `WebhookSender` of one worker."""

    def __init__(self, receivers: Receivers, must_live: Callable[[], None]) -> None:
        self._receivers = receivers
        self._must_live = must_live

    @override
    async def check(self, url: str, *, owner_id: UserId) -> None:
        """Every URL is allowed."""

    @override
    async def send(self, message: WebhookMessage) -> WebhookResponse:
        self._must_live()
        response = await self._receivers.receive(message)
        self._must_live()
        return response
