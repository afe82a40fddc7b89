"""Events for programs that send all of them elsewhere: sinks, and the relay that publishes the feed to a sink."""

from gateway.application.events.commit_signal import CommitSignal
from gateway.application.events.feed import Events
from gateway.application.events.hub import EventHub
from gateway.application.events.relay import EventRelay, FirstEvent, RelayLimits, RelayStatus
from gateway.application.events.stream import EventStream, StreamEnded
from gateway.application.ports.event_cursors import EventCursors
from gateway.application.ports.event_sink import EventSink, SinkUnavailable
from gateway.application.ports.events import EventFeed, EventFilter, FeedEvent

__all__ = [
    "CommitSignal",
    "EventCursors",
    "EventFeed",
    "EventFilter",
    "EventHub",
    "EventRelay",
    "EventSink",
    "EventStream",
    "Events",
    "FeedEvent",
    "FirstEvent",
    "RelayLimits",
    "RelayStatus",
    "SinkUnavailable",
    "StreamEnded",
]
