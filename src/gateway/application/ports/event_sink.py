"""Event sinks: another system that gets every event of the feed, such as a message broker."""

from collections.abc import Sequence
from typing import Protocol

from gateway.application.ports.events import FeedEvent


class SinkUnavailable(Exception):  # noqa: N818 - names what happened.
    """The sink has not acknowledged every event. They will be published again."""


class EventSink(Protocol):
    """Takes events in the order of the feed."""

    async def publish(self, events: Sequence[FeedEvent]) -> None:
        """Publish events; return once the sink has acknowledged all of them durably.

        Events may be published more than once: after an error, after a crash, or by two workers. The sink or a reader
        recognises an event by its `id`. After an error, the same events come again before any later event. A sink that
        keeps the order of its calls therefore keeps the order of the events of each object.

        Args:
            events: In the order of their positions; at least one.

        Raises:
            SinkUnavailable: Not all were acknowledged. Any of them may have been published.
        """
        ...
