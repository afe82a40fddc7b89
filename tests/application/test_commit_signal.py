"""Readers are woken by commits of their own process."""

import asyncio

import msgspec
import pytest

from gateway.adapters.system.identifiers import time_ordered_id
from gateway.application.engine.batch import Batch
from gateway.application.events.commit_signal import CommitSignal
from gateway.application.events.feed import Events
from gateway.application.ports.storage import Storage
from gateway.application.views.events import event_view_json
from support.builders import StandingClock, a_batch, opened, pay, submit, usd

LONG = 3_600.0
TIMEOUT_SECONDS = 30


async def test_all_who_wait_are_woken_by_one_commit() -> None:
    signal = CommitSignal()
    waiting = [asyncio.create_task(signal.wait(LONG)) for _ in range(3)]
    await asyncio.sleep(0)
    signal.notify()
    async with asyncio.timeout(TIMEOUT_SECONDS):
        await asyncio.gather(*waiting)


async def test_a_wait_ends_after_its_time() -> None:
    signal = CommitSignal()
    async with asyncio.timeout(TIMEOUT_SECONDS):
        await signal.wait(0.001)
        await signal.wait(0.001)
    signal.notify()


async def test_a_commit_between_the_read_and_the_wait_is_not_missed() -> None:
    signal = CommitSignal()
    seen = signal.commits
    signal.notify()
    async with asyncio.timeout(TIMEOUT_SECONDS):
        await signal.wait(LONG, seen=seen)


async def test_a_wait_that_is_cancelled_wakes_no_other() -> None:
    signal = CommitSignal()
    one, other = (asyncio.create_task(signal.wait(LONG)) for _ in range(2))
    await asyncio.sleep(0)
    one.cancel()
    with pytest.raises(asyncio.CancelledError):
        await one
    assert not other.done()
    signal.notify()
    async with asyncio.timeout(TIMEOUT_SECONDS):
        await other


async def test_only_commits_with_events_are_told(storage: Storage) -> None:
    await opened(storage)
    signal = CommitSignal()
    batch = watched_batch(storage, signal)
    await batch.run([submit(pay(usd(1)), "first")])
    assert signal.commits == 1
    await batch.run([submit(pay(usd(1)), "first")])
    assert signal.commits == 1
    await batch.run([submit(pay(usd(1)), "second"), submit(pay(usd(1)), "third")])
    assert signal.commits == 2


async def test_who_follows_gets_a_payment_without_polling(storage: Storage) -> None:
    await opened(storage)
    signal = CommitSignal()
    events = Events(storage.events, signal)
    [*known] = await events.read()
    following = events.follow(after=known[-1].position, poll_seconds=LONG)
    waiting = asyncio.ensure_future(anext(following))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not waiting.done()
    await watched_batch(storage, signal).run([submit(pay(usd(1)), "first")])
    async with asyncio.timeout(TIMEOUT_SECONDS):
        assert (await waiting).type == "payment.captured"
    await following.aclose()


async def test_the_json_of_an_event_has_its_data_unchanged(storage: Storage) -> None:
    await opened(storage)
    await a_batch(storage).run([submit(pay(usd(1)), "first")])
    for event in await storage.events.read(after=0, limit=100):
        shown = event_view_json(event)
        assert shown == event_view_json(event)
        assert shown.endswith(b',"data":{"object":' + event.data + b"}}")
        told = msgspec.json.decode(shown)
        assert list(told) == ["id", "object", "type", "position", "sequence", "created_at", "data"]
        assert told["id"] == event.id
        assert told["object"] == "event"
        assert told["type"] == event.type.value
        assert told["position"] == event.position
        assert told["sequence"] == event.sequence
        assert msgspec.json.decode(msgspec.json.encode(event.created_at)) == told["created_at"]


def watched_batch(storage: Storage, signal: CommitSignal) -> Batch:
    return Batch(
        unit_of_work=storage.unit_of_work,
        clock=StandingClock(),
        identifiers=time_ordered_id,
        committed=signal.notify,
    )
