"""Events as CloudEvents 1.0, in structured JSON."""

from typing import Annotated, Final

import msgspec

from gateway.application.ports.events import FeedEvent
from gateway.application.views.events import event_view_json
from gateway.application.views.times import Instant

CONTENT_TYPE: Final = "application/cloudevents+json"

DIGITS: Final = 19
"""The digits of `position` and `sequence`: as many as the largest position has."""

Digits = Annotated[str, msgspec.Meta(pattern=f"^[0-9]{{{DIGITS}}}$")]
"""A number with leading zeros, in the order of numbers as text too. Integers of CloudEvents end at 2,147,483,647."""


class CloudEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event. `position` and `sequence` are extension attributes; `data` is the event as the API shows it."""

    specversion: str = "1.0"
    id: str
    source: str
    type: str
    subject: str
    time: Instant
    datacontenttype: str = "application/json"
    position: Digits
    sequence: Digits
    data: msgspec.Raw


_encoder = msgspec.json.Encoder()


def cloud_event_json(event: FeedEvent, source: str) -> bytes:
    """The JSON of an event. Its `data` is `event_view_json`, byte by byte.

    Args:
        event: The event.
        source: The `source` of the CloudEvent.
    """
    return _encoder.encode(
        CloudEvent(
            id=event.id,
            source=source,
            type=f"gateway.{event.type.value}",
            subject=event.object_id,
            time=event.created_at,
            position=str(event.position).zfill(DIGITS),
            sequence=str(event.sequence).zfill(DIGITS),
            data=msgspec.Raw(event_view_json(event)),
        )
    )
