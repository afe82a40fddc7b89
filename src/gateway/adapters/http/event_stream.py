"""Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Final, NoReturn

from litestar.types import Receive, Send

from gateway.adapters.http.headers import MERCHANT, bearer_token, merchant_to_act_for
from gateway.adapters.http.messages import AnyRequest
from gateway.application.events.stream import EventStream, StreamEnded
from gateway.application.ports.events import FeedEvent
from gateway.application.ports.unit_of_work import StorageUnavailable
from gateway.application.views.events import event_view_json
from gateway.domain.errors import Refusal

EVENT_STREAM: Final = b"text/event-stream"
HEADERS: Final = [(b"x-accel-buffering", b"no")]
"""nginx passes each event on at once."""

OPENING: Final = b": open\nretry: 1000\n\n"
HEARTBEAT: Final = b": heartbeat\n\n"
CHECK_SECONDS: Final = 1.0
"""How often the caller's token is checked while the stream is open."""


class StreamedEvents:
    """Sends the events of a stream, until the client is gone or the stream ends."""

    def __init__(self, request: AnyRequest, stream: EventStream, *, heartbeat_seconds: float) -> None:
        self._request = request
        self._stream = stream
        self._heartbeat_seconds = heartbeat_seconds

    async def __call__(self, receive: Receive, send: Send) -> None:
        """Send the body of the response, behind its head."""
        sending = asyncio.create_task(self._send(send), name="event-stream")
        gone = asyncio.create_task(_disconnected(receive), name="event-stream-client")
        try:
            await asyncio.wait({sending, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._stream.close()
            for task in (sending, gone):
                task.cancel()
            await asyncio.wait({sending, gone})
        if not sending.cancelled():
            sending.result()

    async def _send(self, send: Send) -> None:
        reason: str
        try:
            await self._send_events(send)
        except Refusal as refusal:
            reason = refusal.code
        except StorageUnavailable:
            reason = "storage_unavailable"
        except StreamEnded as ended:
            reason = str(ended)
        await _write(send, f": {reason}\n\n".encode(), more=False)

    async def _send_events(self, send: Send) -> NoReturn:
        loop = asyncio.get_running_loop()
        await _write(send, OPENING)
        sent_at = checked_at = loop.time()
        while True:
            events = await self._stream.next(min(CHECK_SECONDS, self._heartbeat_seconds))
            now = loop.time()
            if now - checked_at >= CHECK_SECONDS:
                await self._check_caller()
                checked_at = now
            if events:
                await _write(send, server_sent(events))
                sent_at = now
            elif now - sent_at >= self._heartbeat_seconds:
                await _write(send, HEARTBEAT)
                sent_at = now

    async def _check_caller(self) -> None:
        """Refuse what is refused by now. Members of every role may read events."""
        access, headers = self._request.gateway.access, self._request.headers
        caller = await access.authenticate(bearer_token(headers))
        if MERCHANT in headers:
            await access.act_for(caller, merchant_to_act_for(headers))


def server_sent(events: Iterable[FeedEvent]) -> bytes:
    """Events as server-sent events: `id` is the position, `data` the JSON of the event."""
    return b"".join(
        b"id: %d\nevent: %b\ndata: %b\n\n" % (event.position, event.type.value.encode(), event_view_json(event))
        for event in events
    )


async def _write(send: Send, body: bytes, *, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})


async def _disconnected(receive: Receive) -> None:
    with suppress(asyncio.CancelledError):
        while (await receive())["type"] != "http.disconnect":
            pass
