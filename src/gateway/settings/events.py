"""The settings of streams of events, and of how long events are shown."""

from typing import Annotated

from msgspec import Meta

from gateway.domain.limits import EVENTS_DAYS_DEFAULT, EVENTS_DAYS_MIN
from gateway.settings.deliveries import DeliverySettings


class EventSettings(DeliverySettings, frozen=True, kw_only=True):
    """A part of `Settings`."""

    event_streams_max: Annotated[
        int, Meta(ge=1, description="Streams of events that one process has open; one more gets 503.")
    ] = 500
    event_streams_per_user_max: Annotated[
        int, Meta(ge=1, description="Open streams of one user; one more gets 429.")
    ] = 10
    event_stream_waiting_max: Annotated[
        int, Meta(ge=1, description="Events that wait to be sent to one stream. A stream with more is ended.")
    ] = 1_000
    event_stream_heartbeat_seconds: Annotated[
        float, Meta(gt=0, le=3_600, description="After so long without an event, a stream sends a comment.")
    ] = 15.0
    events_days: Annotated[
        int,
        Meta(
            ge=EVENTS_DAYS_MIN,
            le=36_500,
            description="How long events are shown. They are deleted later: when the responses of their requests are, "
            "and no reader is behind them.",
        ),
    ] = EVENTS_DAYS_DEFAULT
