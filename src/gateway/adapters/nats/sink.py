"""The event sink on NATS JetStream.

A group of events is published without waiting between them. Each event but the first names the event before it
(`Nats-Expected-Last-Msg-Id`): if the stream misses an event of the group, it refuses the rest, and the group is
published again in the same order. The stream recognises events that it has by their id (`Nats-Msg-Id`).
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Final

from nats.errors import MaxPayloadError
from nats.js import JetStreamContext
from nats.js.api import Header, StorageType, StreamConfig
from nats.js.errors import APIError, NoStreamResponseError, NotFoundError
from typing_extensions import override

from gateway.adapters.nats.cloud_events import CONTENT_TYPE, cloud_event_json
from gateway.adapters.nats.connection import FAILURES, NatsConnection, connect
from gateway.adapters.nats.options import NatsOptions
from gateway.application.ports.event_sink import EventSink, SinkUnavailable
from gateway.application.ports.events import FeedEvent

logger = logging.getLogger(__name__)

WRONG_LAST_ID: Final = 10_070
"""JetStream's error: the last message of the stream is not the expected one."""


class NatsEventSink(EventSink):
    """See the port. Connects when it first publishes, and again after each failure."""

    def __init__(self, options: NatsOptions) -> None:
        self._options = options
        self._connection: NatsConnection | None = None

    @override
    async def publish(self, events: Sequence[FeedEvent]) -> None:
        published = False
        try:
            connection = await self._connected()
            async with asyncio.timeout(self._options.acknowledge_seconds_max):
                await connection.unless_it_fails(self._publish(connection.jetstream, events))
            published = True
        except FAILURES as error:
            raise SinkUnavailable(self._sentence(error)) from None
        finally:
            if not published:
                await self.close()

    async def close(self) -> None:
        """Close the connection. The next `publish` opens another one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _connected(self) -> NatsConnection:
        if self._connection is not None and self._connection.failed:
            await self.close()
        if self._connection is None:
            self._connection = await connect(self._options)
            await self._require_stream(self._connection.jetstream)
        return self._connection

    async def _require_stream(self, jetstream: JetStreamContext) -> None:
        wanted = self._options.stream
        try:
            info = await jetstream.stream_info(wanted.name)
        except NotFoundError:
            if not wanted.create:
                raise
            config = StreamConfig(
                name=wanted.name,
                description="Events of the payment gateway, as CloudEvents",
                subjects=[f"{self._options.subject}.>"],
                storage=StorageType.FILE,
                duplicate_window=wanted.duplicate_window_seconds,
                max_age=wanted.keep_seconds,
                num_replicas=wanted.replicas,
            )
            info = await jetstream.add_stream(config)  # pyright: ignore[reportUnknownMemberType]  # Of its other arguments.
            logger.info("event_stream_created", extra={"stream": wanted.name})
        if info.config.duplicate_window < wanted.duplicate_window_seconds:
            # An event that is published again after this time is stored twice.
            told = {"stream": wanted.name, "seconds": info.config.duplicate_window}
            logger.warning("event_stream_duplicate_window_is_short", extra=told)

    async def _publish(self, jetstream: JetStreamContext, events: Sequence[FeedEvent]) -> None:
        try:
            await self._publish_in_flight(jetstream, events)
        except APIError as error:
            if error.err_code != WRONG_LAST_ID:
                raise
            # Another publisher's message came between two events. Acknowledged one by one, the events stay in order.
            for event in events:
                await self._publish_one(jetstream, event)

    async def _publish_in_flight(self, jetstream: JetStreamContext, events: Sequence[FeedEvent]) -> None:
        # Tasks begin in this order, and each sends before it waits. `publish_async` of nats-py does not fit: it waits
        # for ever for a message that is refused.
        publications = [asyncio.create_task(self._publish_one(jetstream, events[0]))]
        for previous, event in pairwise(events):
            publications.append(asyncio.create_task(self._publish_one(jetstream, event, previous=previous)))
        try:
            # The first error in order is the cause of the later ones.
            for publication in publications:
                await publication
        finally:
            for publication in publications:
                publication.cancel()
            await asyncio.gather(*publications, return_exceptions=True)

    async def _publish_one(
        self, jetstream: JetStreamContext, event: FeedEvent, *, previous: FeedEvent | None = None
    ) -> None:
        """Publish an event, only if the previous one is the last in the stream, and wait for its acknowledgement."""
        headers: dict[str, str] = {
            Header.MSG_ID: event.id,
            Header.EXPECTED_STREAM: self._options.stream.name,
            "Content-Type": CONTENT_TYPE,
        }
        if previous is not None:
            headers[Header.EXPECTED_LAST_MSG_ID] = previous.id
        subject = f"{self._options.subject}.{event.type.value}"
        await jetstream.publish(subject, cloud_event_json(event, self._options.source), headers=headers)

    def _sentence(self, error: Exception) -> str:
        match error:
            case NoStreamResponseError():
                return f"No stream answers for the subject {self._options.subject}.>"
            case NotFoundError():
                return f"There is no stream {self._options.stream.name}."
            case MaxPayloadError():
                return "An event is larger than the server's max_payload."
            case APIError():
                return f"JetStream refused: {error.description} ({error.err_code})."
            case TimeoutError():
                return f"JetStream did not answer within {self._options.acknowledge_seconds_max:g} s."
            case _:
                return f"The connection to NATS failed: {str(error) or type(error).__name__}."


@asynccontextmanager
async def open_nats_sink(options: NatsOptions) -> AsyncGenerator[NatsEventSink]:
    """The sink, until the end of the `async with`. Connects when it first publishes."""
    sink = NatsEventSink(options)
    try:
        yield sink
    finally:
        await sink.close()
