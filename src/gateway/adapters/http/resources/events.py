"""Events: lists in both directions of the feed, single events, and a stream of them."""

from typing import Annotated, Any, Final

import msgspec
from litestar.types import Receive, Send

from gateway.adapters.http.cursors import Cursors
from gateway.adapters.http.event_stream import EVENT_STREAM, HEADERS, StreamedEvents
from gateway.adapters.http.field_errors import error_at
from gateway.adapters.http.headers import header_error
from gateway.adapters.http.lists import filters_of
from gateway.adapters.http.messages import AnyRequest, Request, Response
from gateway.adapters.http.operations import AnyOperation, Operation, json_response
from gateway.adapters.http.problems import HttpRefusal, invalid_request
from gateway.adapters.http.resources.fields import CreatedQuery, IdText
from gateway.adapters.http.resources.payments import EXAMPLE_PAYMENT
from gateway.application.ports.events import EventFilter, FoundEvents
from gateway.application.views.events import EventView, event_view, event_view_json
from gateway.domain.errors import invalid
from gateway.domain.event import EventId
from gateway.domain.limits import EVENT_FILTER_LENGTH_MAX, POSITION_MAX
from gateway.domain.webhook_fields import EVENT_FILTERS

TAG = "Events"

LAST_EVENT_ID: Final = b"last-event-id"
_POSITION_PATTERN: Final = "^[0-9]{0,18}$"

PositionText = Annotated[
    str,
    msgspec.Meta(
        pattern=_POSITION_PATTERN,
        description="The `position` of the last event that is known. Empty: from the oldest event that is kept.",
        examples=["4096"],
    ),
]
TypeText = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=EVENT_FILTER_LENGTH_MAX,
        description="A type, or all types of a kind: `payment.*`.",
        examples=["payment.captured"],
        extra_json_schema={"enum": sorted(EVENT_FILTERS)},
    ),
]


class EventsQuery(CreatedQuery, frozen=True, kw_only=True):
    """Which events. `after` goes forward, oldest first."""

    type: TypeText | None = None
    object_id: IdText[str] | None = None
    after: PositionText | None = None


class EventStreamQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which events, and where the stream begins; behind the newest event unless given."""

    type: TypeText | None = None
    object_id: IdText[str] | None = None
    after: PositionText | None = None


class EventListView(msgspec.Struct, frozen=True, kw_only=True):
    """A page of events.

    With `after`, the next page is the one after `last_position`; without, the page of `next_cursor`. There may be more
    while `has_more` is true, even if this page is empty.
    """

    object: str = "list"
    data: list[EventView]
    has_more: bool
    next_cursor: str | None
    last_position: int | None


class ServerSentEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One message of the stream. Lines that begin with a colon are comments.

    `id` is the position of the event, `event` its type, and `data` its JSON, as `GET /events/{event_id}` answers it.
    """

    id: str
    event: str
    data: str


class EventPages:
    """The handler of the list of events."""

    def __init__(self, cursors: Cursors) -> None:
        self._cursors = cursors

    async def __call__(self, request: Request[None, EventsQuery]) -> Response:
        """A page in one of the two directions.

        Raises:
            HttpRefusal: A cursor with `after`, or none of ours.
        """
        query = request.query
        if query.after is None:
            return await self._newest_first(request)
        if query.cursor is not None:
            raise invalid_request([error_at("/cursor", "field_unknown", "Give either this field or after, not both.")])
        queries = request.gateway.event_queries
        after = _position(query.after)
        found = await queries.oldest_first(request.caller, _filter(query), after=after, limit=query.limit)
        return _page(found, next_cursor=None, last_position=found.position)

    async def _newest_first(self, request: Request[None, EventsQuery]) -> Response:
        query, owner_id = request.query, request.caller.user_id
        filters = filters_of(query)
        before: int | None = None
        if query.cursor is not None:
            text, filters = self._cursors.read(query.cursor, request.path, owner_id, filters)
            before = int(text)
            query = msgspec.convert({**filters, "limit": query.limit}, EventsQuery)
        queries = request.gateway.event_queries
        found = await queries.newest_first(request.caller, _filter(query), before=before, limit=query.limit)
        position = str(found.position)
        next_cursor = self._cursors.make(request.path, owner_id, filters, before=position) if found.has_more else None
        return _page(found, next_cursor=next_cursor, last_position=None)


async def get_event(request: AnyRequest) -> Response:
    """Show an event."""
    event = await request.gateway.event_queries.event(request.caller, EventId(request.path_ids["event_id"]))
    return Response(status=200, body=event_view_json(event))


class EventStreams:
    """The handler of the stream of events."""

    def __init__(self, heartbeat_seconds: float) -> None:
        self._heartbeat_seconds = heartbeat_seconds

    async def __call__(self, request: Request[None, EventStreamQuery]) -> Response:
        """Open a stream. Its events begin behind `Last-Event-ID`, or behind `after`, or behind the newest event."""
        query = request.query
        after = _last_event_id(request)
        if after is None and query.after is not None:
            after = _position(query.after)
        where = EventFilter(type=query.type, object_id=query.object_id)
        response = Response(status=200, content_type=EVENT_STREAM, headers=list(HEADERS))
        stream = await request.gateway.event_hub.open(request.caller, where, after=after)
        if request.method == "HEAD":  # It is refused whenever GET is.
            stream.close()
            response.stream = _nothing
        else:
            response.stream = StreamedEvents(request, stream, heartbeat_seconds=self._heartbeat_seconds)
        return response


async def _nothing(receive: Receive, send: Send) -> None:
    """The response to HEAD has no body."""


def _filter(query: EventsQuery) -> EventFilter:
    return EventFilter(
        type=query.type,
        object_id=query.object_id,
        created_after=query.created_after,
        created_before=query.created_before,
    )


def _page(found: FoundEvents, *, next_cursor: str | None, last_position: int | None) -> Response:
    return json_response(
        200,
        EventListView(
            data=[event_view(event) for event in found.events],
            has_more=found.has_more,
            next_cursor=next_cursor,
            last_position=last_position,
        ),
    )


def _position(text: str) -> int:
    if text and not text.isdigit():  # The pattern lets a line end pass.
        raise invalid("after", "value_invalid", "A position has digits alone.")
    return int(text or "0")


def _last_event_id(request: AnyRequest) -> int | None:
    """The position in `Last-Event-ID`, which browsers send when they connect again.

    Raises:
        HttpRefusal: `validation_error`: it is no position.
    """
    text = request.headers.get(LAST_EVENT_ID, b"")  # Empty: browsers have no id before the first event.
    if not text:
        return None
    if not (text.isdigit() and text.isascii() and len(text) <= len(str(POSITION_MAX)) and int(text) <= POSITION_MAX):
        raise _not_a_position()
    return int(text)


def _not_a_position() -> HttpRefusal:
    detail = "This is the position of an event, as the stream has sent it."
    return invalid_request([header_error(LAST_EVENT_ID, "value_invalid", detail)])


EXAMPLE_EVENT: Final[dict[str, Any]] = {
    "id": "evt_01kc3x0m5fe7v8qj2r4n6p9stm",
    "object": "event",
    "type": "payment.captured",
    "position": 4096,
    "sequence": 1,
    "created_at": "2026-01-02T03:04:05.678901Z",
    "data": {"object": EXAMPLE_PAYMENT},
}
EXAMPLE_EVENTS: Final[dict[str, Any]] = {
    "object": "list",
    "data": [EXAMPLE_EVENT],
    "has_more": False,
    "next_cursor": None,
    "last_position": None,
}
EXAMPLE_MESSAGE: Final[dict[str, Any]] = {
    "id": "4096",
    "event": "payment.captured",
    "data": msgspec.json.encode(EXAMPLE_EVENT).decode(),
}


def operations(cursors: Cursors, *, heartbeat_seconds: float) -> tuple[AnyOperation, ...]:
    """The operations on events.

    Args:
        cursors: Signs and verifies the cursors of the list.
        heartbeat_seconds: After so long without an event, a stream sends a comment.
    """
    return (
        Operation(
            method="GET",
            path="/events",
            name="listEvents",
            tag=TAG,
            summary="List your events, newest first; with `after`, oldest first",
            handler=EventPages(cursors),
            query=EventsQuery,
            result=EventListView,
            codes=("cursor_invalid", "cursor_filter_mismatch"),
            example_result=EXAMPLE_EVENTS,
        ),
        Operation(
            method="GET",
            path="/events/stream",
            name="streamEvents",
            tag=TAG,
            summary="Stream your events as they happen, as server-sent events",
            handler=EventStreams(heartbeat_seconds),
            query=EventStreamQuery,
            result=ServerSentEvent,
            result_type=EVENT_STREAM.decode(),
            takes_last_event_id=True,
            codes=("rate_limited",),
            example_result=EXAMPLE_MESSAGE,
        ),
        Operation(
            method="GET",
            path="/events/{event_id}",
            name="getEvent",
            tag=TAG,
            summary="Show an event",
            handler=get_event,
            result=EventView,
            codes=("event_not_found",),
            example_result=EXAMPLE_EVENT,
        ),
    )
