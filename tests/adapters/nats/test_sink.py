"""The event sink on a real NATS server: every event once, in order, whatever happens to the server."""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from nats.js.api import StreamConfig

from gateway.adapters.nats.options import NatsOptions, StreamOptions
from gateway.adapters.nats.sink import NatsEventSink, open_nats_sink
from gateway.application.ports.event_sink import SinkUnavailable
from gateway.application.ports.events import FeedEvent
from gateway.application.views.events import event_view_json
from gateway.contracts.records import NOW, an_account, an_event
from gateway.domain.event_type import EventType
from support.nats import STREAM, NatsServer, StoredMessage, connected, stored

TIMEOUT_SECONDS = 60
OBJECTS = 7


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[NatsServer]:
    running = NatsServer(tmp_path / "nats")
    await running.start()
    yield running
    running.stop()


@pytest.fixture
async def sink(server: NatsServer) -> AsyncIterator[NatsEventSink]:
    async with open_nats_sink(NatsOptions(servers=(server.url,))) as opened:
        yield opened


def feed(first: int, last: int) -> list[FeedEvent]:
    """Events of a few accounts with positions `first` … `last`."""
    made: list[FeedEvent] = []
    for position in range(first, last + 1):
        event = an_event(position, an_account(position % OBJECTS), EventType.ACCOUNT_FROZEN)
        made.append(
            FeedEvent(
                position=position,
                id=event.id,
                type=event.type,
                object_id=event.object.id,
                sequence=position // OBJECTS + 1,
                customer_id=None,
                merchant_id=None,
                created_at=NOW + timedelta(microseconds=position),
                data=event.data,
            )
        )
    return made


def ids(messages: Sequence[StoredMessage]) -> list[str]:
    return [message.headers["Nats-Msg-Id"] for message in messages]


async def publish_until_it_works(sink: NatsEventSink, events: Sequence[FeedEvent]) -> int:
    """How often it failed before."""
    failures = 0
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while True:
            try:
                await sink.publish(events)
            except SinkUnavailable:
                failures += 1
                await asyncio.sleep(0.02)
            else:
                return failures


async def test_an_event_is_a_cloud_event_with_the_bytes_that_the_api_shows(
    server: NatsServer, sink: NatsEventSink
) -> None:
    [event] = feed(8, 8)
    await sink.publish([event])
    [message] = await stored(server)
    assert message.subject == "gateway.events.account.frozen"
    assert message.headers["Nats-Msg-Id"] == event.id
    assert message.headers["Content-Type"] == "application/cloudevents+json"
    assert message.data.endswith(b'"data":' + event_view_json(event) + b"}")
    told = json.loads(message.data)
    assert told.pop("data") == json.loads(event_view_json(event))
    assert told == {
        "specversion": "1.0",
        "id": event.id,
        "source": "gateway",
        "type": "gateway.account.frozen",
        "subject": event.object_id,
        "time": "2030-01-02T12:30:15.123464Z",
        "datacontenttype": "application/json",
        "position": "0000000000000000008",
        "sequence": "0000000000000000002",
    }


async def test_the_stream_is_made_as_the_options_say(server: NatsServer) -> None:
    stream = StreamOptions(name="PAID", duplicate_window_seconds=77, keep_seconds=3600)
    async with open_nats_sink(NatsOptions(servers=(server.url,), stream=stream, subject="paid.here")) as sink:
        await sink.publish(feed(1, 3))
    async with connected(server) as jetstream:
        config = (await jetstream.stream_info("PAID")).config
    assert config.subjects == ["paid.here.>"]
    assert (config.duplicate_window, config.max_age, config.storage) == (77, 3600, "file")
    assert ids(await stored(server, "PAID")) == [event.id for event in feed(1, 3)]


async def test_what_is_published_again_is_stored_once(server: NatsServer, sink: NatsEventSink) -> None:
    await sink.publish(feed(1, 1000))
    await sink.publish(feed(1, 1000))
    await sink.publish(feed(501, 1500))
    assert ids(await stored(server)) == [event.id for event in feed(1, 1500)]


async def test_a_server_that_is_killed_again_and_again_has_every_event_once_and_in_order(
    server: NatsServer, sink: NatsEventSink
) -> None:
    events = feed(1, 6000)

    async def kill_often() -> None:
        for _ in range(4):
            await asyncio.sleep(0.15)
            server.kill()
            await asyncio.sleep(0.05)
            await server.start()

    killing = asyncio.create_task(kill_often())
    failures, published = 0, 0
    while published < len(events) or not killing.done():
        # Over and over, so that the server is killed in the middle of something.
        group = events[published : published + 500] or events[-500:]
        failures += await publish_until_it_works(sink, group)
        published = min(published + 500, len(events))
    await killing
    assert failures > 0
    assert ids(await stored(server)) == [event.id for event in events]


async def test_events_of_a_group_stay_in_order_when_the_stream_refuses_one_of_them(
    server: NatsServer, sink: NatsEventSink
) -> None:
    """The rest of the group is refused too: it must not come before the event that is published again."""
    async with connected(server) as jetstream:
        config = StreamConfig(name=STREAM, subjects=["gateway.events.>"], max_msg_size=3000, duplicate_window=600)
        await jetstream.add_stream(config)
        events = feed(1, 30)
        large = b'{"text":"' + b"x" * 4000 + b'"}'
        events[10] = replace(events[10], data=large)
        with pytest.raises(SinkUnavailable, match="maximum"):
            await sink.publish(events)
        assert ids(await stored(server)) == [event.id for event in events[:10]]
        await jetstream.update_stream(config.evolve(max_msg_size=-1))
    await sink.publish(events)
    assert ids(await stored(server)) == [event.id for event in events]


async def test_messages_between_the_events_of_a_group_do_not_stop_it(server: NatsServer, sink: NatsEventSink) -> None:
    """The last message of the stream is then not the previous event: the rest of the group is sent event by event."""
    events = feed(1, 30)
    await sink.publish([events[9]])  # Another relay was faster, and then the cursor was set back.
    async with connected(server) as jetstream:
        await jetstream.publish("gateway.events.of.others", b"{}")
    await sink.publish(events)
    await sink.publish(feed(31, 40))
    found = [message for message in await stored(server) if "Nats-Msg-Id" in message.headers]
    order = [events[9], *events[:9], *events[10:], *feed(31, 40)]
    assert ids(found) == [event.id for event in order]


async def test_two_sinks_that_publish_the_same_at_once_store_each_event_once(server: NatsServer) -> None:
    events = feed(1, 3000)
    options = NatsOptions(servers=(server.url,))

    async def publish_all() -> None:
        async with open_nats_sink(options) as sink:
            for start in range(0, len(events), 250):
                await sink.publish(events[start : start + 250])

    async with asyncio.timeout(TIMEOUT_SECONDS):
        await asyncio.gather(publish_all(), publish_all())
    found = await stored(server)
    assert sorted(ids(found)) == [event.id for event in events]
    of_objects: defaultdict[str, list[str]] = defaultdict(list)
    for message in found:
        told = json.loads(message.data)
        of_objects[told["subject"]].append(told["sequence"])
    assert all(sequences == sorted(sequences) for sequences in of_objects.values())


async def test_a_missing_stream_is_waited_for_if_it_is_not_to_be_made(server: NatsServer) -> None:
    options = NatsOptions(servers=(server.url,), stream=StreamOptions(create=False))
    async with open_nats_sink(options) as sink:
        with pytest.raises(SinkUnavailable, match="There is no stream GATEWAY_EVENTS"):
            await sink.publish(feed(1, 1))
        async with connected(server) as jetstream:
            await jetstream.add_stream(name=STREAM, subjects=["other.>"])
            with pytest.raises(SinkUnavailable, match=r"No stream answers for the subject gateway\.events\.>"):
                await sink.publish(feed(1, 1))
            await jetstream.update_stream(name=STREAM, subjects=["gateway.events.>"])
        await sink.publish(feed(1, 1))
    assert len(await stored(server)) == 1


async def test_a_server_without_jetstream_is_said_to_be_one(tmp_path: Path) -> None:
    server = NatsServer(tmp_path / "nats", jetstream=False)
    await server.start()
    try:
        async with open_nats_sink(NatsOptions(servers=(server.url,))) as sink:
            with pytest.raises(SinkUnavailable, match=r"JetStream|stream"):
                await sink.publish(feed(1, 1))
    finally:
        server.stop()


async def test_a_server_that_hangs_is_given_up_and_tried_again(server: NatsServer) -> None:
    options = NatsOptions(servers=(server.url,), connect_seconds_max=0.5, acknowledge_seconds_max=0.5)
    async with open_nats_sink(options) as sink:
        await sink.publish(feed(1, 10))
        await server.hang()
        for _ in range(2):
            async with asyncio.timeout(TIMEOUT_SECONDS):
                with pytest.raises(SinkUnavailable):
                    await sink.publish(feed(11, 20))
        server.go_on()
        await publish_until_it_works(sink, feed(11, 20))
    assert ids(await stored(server)) == [event.id for event in feed(1, 20)]


async def test_a_server_that_was_restarted_while_nothing_happened_is_no_failure(
    server: NatsServer, sink: NatsEventSink
) -> None:
    await sink.publish(feed(1, 10))
    server.stop()
    await server.start()
    await asyncio.sleep(0.05)
    await sink.publish(feed(11, 20))
    assert len(await stored(server)) == 20


async def test_the_next_server_is_used_if_one_is_away(server: NatsServer) -> None:
    away = f"nats://127.0.0.1:{NatsServer(server.folder).port}"
    async with open_nats_sink(NatsOptions(servers=(away, server.url))) as sink:
        await sink.publish(feed(1, 10))
    async with open_nats_sink(NatsOptions(servers=(away, away))) as sink:
        with pytest.raises(SinkUnavailable, match=r"127\.0\.0\.1:\d+: .*Connect call failed.*; 127"):
            await sink.publish(feed(1, 10))
    assert len(await stored(server)) == 10
