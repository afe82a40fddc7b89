"""The events that a test has caused."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.application.gateway import Gateway
from gateway.application.ports.events import FeedEvent
from gateway.domain.limits import EVENTS_PER_READ_MAX


@dataclass(slots=True)
class EmittedEvents:
    """The events after a position of the feed.

    Attributes:
        after: The position of the last event before the test.
    """

    gateway: Gateway
    after: int = 0

    @classmethod
    async def from_now(cls, gateway: Gateway) -> "EmittedEvents":
        """The events from now on."""
        return cls(gateway, await gateway.storage.events.newest())

    async def all(self) -> Sequence[FeedEvent]:
        """Every event until now, in the order of commits."""
        found: list[FeedEvent] = []
        position = self.after
        while events := await self.gateway.events.read(after=position, limit=EVENTS_PER_READ_MAX):
            found += events
            position = events[-1].position
        return found

    async def types(self) -> list[str]:
        """The types of these events: `["payment.captured", …]`."""
        return [str(event.type) for event in await self.all()]
