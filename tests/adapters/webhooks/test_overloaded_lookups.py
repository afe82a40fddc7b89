"""Checks of URLs and webhooks do not hold each other up. The threads wait for events."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from gateway.adapters.webhooks import name_lookup
from gateway.adapters.webhooks.lookup_lane import LOOKUPS_PER_CALLER_MAX
from gateway.adapters.webhooks.name_lookup import THREADS_MAX
from gateway.adapters.webhooks.sender import HttpWebhookSender
from gateway.application.errors import Overloaded, RateLimited
from gateway.application.ports.webhook_sender import WebhookNotSent
from gateway.contracts.records import user_id
from support.receivers import Receiver, receiver
from support.webhook_messages import message, sending

OTHER = user_id(1_000)


@asynccontextmanager
async def sending_beside_dead_names(
    *, timeout_seconds: float = 15.0
) -> AsyncIterator[tuple[HttpWebhookSender, Receiver]]:
    """A sender, and a receiver. Names that begin with `dead` are not answered before the end."""
    end = threading.Event()

    def lookup(host: str) -> Sequence[str]:
        if host.startswith("dead"):
            end.wait(60)
        return ["127.0.0.1"]

    async with receiver() as found, sending(lookup=lookup, timeout_seconds=timeout_seconds) as sender:
        try:
            yield sender, found
        finally:
            end.set()


def check(sender: HttpWebhookSender, owner: int, name: int) -> asyncio.Task[None]:
    """Check a dead URL."""
    task = asyncio.create_task(sender.check(f"http://dead-{owner}-{name}.example/", owner_id=user_id(owner)))
    task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    return task


async def test_checks_of_dead_names_hold_up_no_webhook() -> None:
    async with sending_beside_dead_names() as (sender, found):
        checks = [check(sender, owner, name) for name in range(40) for owner in range(1, THREADS_MAX + 1)]
        await asyncio.sleep(0)
        # A name that no webhook was sent to before: nobody remembers that it is quick.
        response = await sender.send(message(f"http://shop.example:{found.port}/", owner_id=OTHER))
        assert (response.status, response.error) == (200, None)
        assert len(found.requests) == 1
        assert not all(each.done() for each in checks)


async def test_webhooks_to_dead_names_hold_up_no_check() -> None:
    async with sending_beside_dead_names() as (sender, found):
        webhooks = [
            asyncio.create_task(sender.send(message(f"http://dead-{owner}.example/", owner_id=user_id(owner))))
            for owner in range(1, 2 * THREADS_MAX)
        ]
        await asyncio.sleep(0)
        await sender.check(f"http://shop.example:{found.port}/", owner_id=OTHER)
        assert not any(each.done() for each in webhooks)
        for each in webhooks:
            each.cancel()


async def test_checks_beyond_the_share_of_an_owner_are_refused_and_those_of_another_are_made() -> None:
    async with sending_beside_dead_names() as (sender, found):
        checks = [check(sender, 1, name) for name in range(LOOKUPS_PER_CALLER_MAX)]
        await asyncio.sleep(0)
        with pytest.raises(RateLimited):
            await sender.check("http://shop.example/", owner_id=user_id(1))
        await sender.check("http://shop.example/", owner_id=OTHER)
        # An address needs no look-up.
        await sender.check(f"http://127.0.0.1:{found.port}/", owner_id=user_id(1))
        assert not any(each.done() for each in checks)


async def test_what_finds_no_thread_is_not_sent_and_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(name_lookup, "THREADS_MAX", 1)
    async with sending_beside_dead_names(timeout_seconds=3.0) as (sender, found):
        dead = asyncio.create_task(sender.send(message("http://dead.example/", owner_id=user_id(1))))
        await asyncio.sleep(0)
        # It waits for a third of the time of an attempt.
        with pytest.raises(WebhookNotSent):
            await sender.send(message(f"http://shop.example:{found.port}/", owner_id=OTHER))
        assert found.requests == []
        dead.cancel()


async def test_what_finds_no_thread_is_not_called_a_wrong_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(name_lookup, "THREADS_MAX", 1)
    async with sending_beside_dead_names() as (sender, _):
        sender._lookup_of_checks._wait_seconds_max = 0.1  # noqa: SLF001 - nobody waits for 5 s here.
        check(sender, 1, 1)
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await sender.check("http://shop.example/", owner_id=OTHER)
