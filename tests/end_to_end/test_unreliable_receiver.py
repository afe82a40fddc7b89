"""Every event reaches a receiver that fails half of the time, while the workers that deliver are killed."""

import asyncio
import json
import os
import random
import sys
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from standardwebhooks.webhooks import Webhook
from svix.webhooks import Webhook as SvixWebhook

from gateway import FeedEvent, open_gateway
from support.load import Load, Shop, keys, open_shop
from support.processes import DEVNULL, started
from support.servers import Installation, until

PAYMENTS = int(os.environ.get("GATEWAY_TEST_WEBHOOK_PAYMENTS", "60"))
"""How many payments the test makes. Run by hand with 10,000, too."""
ALIVE_SECONDS = (1.0, 4.0)
"""How long a worker works until it is killed."""
LOOK_SECONDS = 0.5
DELIVERED_SECONDS_MAX = 120 + PAYMENTS / 5
SETTINGS = (
    ("GATEWAY_WORKER_IN_SERVE", "false"),
    ("GATEWAY_WEBHOOK_RETRY_SECONDS", ",".join(["0.2"] * 20)),
    ("GATEWAY_WEBHOOK_TIMEOUT_SECONDS", "1"),
    ("GATEWAY_WEBHOOK_LEASE_SECONDS", "1"),
    ("GATEWAY_WEBHOOK_PAUSE_SECONDS", "0.2"),
    # As long as all attempts of an event may take, so that the order holds without exception.
    ("GATEWAY_WEBHOOK_ORDER_SECONDS", "600"),
)


@pytest.mark.timeout(2 * DELIVERED_SECONDS_MAX)
async def test_every_event_arrives_signed_and_in_order_though_receivers_fail_and_workers_die(
    postgres_url: str, tmp_path: Path
) -> None:
    gateway = Installation(tmp_path, postgres_url, SETTINGS)
    log = tmp_path / "received.jsonl"
    async with gateway.serving() as one, gateway.serving() as other, one.client() as http:
        shop = await open_shop(http, balance=PAYMENTS)
        async with an_unreliable_receiver(log) as port, dying_workers(gateway, 2):
            endpoint = await open_endpoint(http, shop, f"http://127.0.0.1:{port}/")
            requests = Requests(log, endpoint["secret"])
            verifying = asyncio.create_task(requests.verify_as_they_arrive())
            load = Load(shop)
            await load.send(keys(PAYMENTS), one.url, other.url, at_once=50)
            assert set(load.statuses()) == {201}
            events = await events_since(postgres_url, shop, endpoint)

            async def has_arrived() -> bool:
                await asyncio.sleep(LOOK_SECONDS)
                return verifying.done() or {event.id for event in events} <= requests.accepted.keys()

            async def nothing_waits() -> bool:
                return await waiting(gateway) == 0

            await until(has_arrived, DELIVERED_SECONDS_MAX)
            await until(nothing_waits, DELIVERED_SECONDS_MAX)
            requests.is_complete = True
            await verifying
    assert len(events) >= PAYMENTS
    assert requests.accepted.keys() >= {event.id for event in events}
    assert requests.are_in_order()


@dataclass(slots=True)
class Requests:
    """The requests that the receiver has logged: every one is signed, and an id has one body.

    They are verified soon after they arrive: libraries refuse signatures that are older than five minutes.

    Attributes:
        log: The receiver's file, a line for each request.
        secret: The endpoint's.
        bodies: The bodies by event.
        accepted: The events that the receiver has answered with success, in the order of the first success.
        is_complete: Whether no more requests follow.
        read: How many bytes of the log were read.
    """

    log: Path
    secret: str
    bodies: dict[str, str] = field(default_factory=dict[str, str])
    accepted: dict[str, None] = field(default_factory=dict[str, None])
    is_complete: bool = False
    read: int = 0

    async def verify_as_they_arrive(self) -> None:
        """Verify new requests again and again, until there are no more."""
        rest, is_last = "", False
        while not is_last:
            is_last = self.is_complete
            *complete, rest = (rest + self._new_text()).split("\n")
            for line in complete:
                self._verify(json.loads(line))
            await asyncio.sleep(LOOK_SECONDS)

    def _new_text(self) -> str:
        with self.log.open("ab+") as log:
            log.seek(self.read)
            new = log.read()
        self.read += len(new)
        return new.decode()

    def _verify(self, request: dict[str, Any]) -> None:
        for webhook in (Webhook(self.secret), SvixWebhook(self.secret)):
            webhook.verify(request["body"], request["headers"])
        event_id = request["headers"]["webhook-id"]
        assert self.bodies.setdefault(event_id, request["body"]) == request["body"]
        if request["answer"] == "204":
            self.accepted.setdefault(event_id)

    def are_in_order(self) -> bool:
        """Whether the first successes of each object came in the order of its events."""
        sequences: defaultdict[str, list[int]] = defaultdict(list)
        for event_id in self.accepted:
            event = json.loads(self.bodies[event_id])
            sequences[event["data"]["object"]["id"]].append(event["sequence"])
        return all(found == sorted(found) for found in sequences.values())


@asynccontextmanager
async def an_unreliable_receiver(log: Path) -> AsyncGenerator[int]:
    """The port of a receiver that runs until the end of the block."""
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parent.parent)}
    command = [sys.executable, "-m", "support.unreliable_receiver", str(log)]
    with started(command, env=environ, cwd=log.parent) as process:
        assert process.stdout is not None
        yield int(await asyncio.to_thread(process.stdout.readline))


@asynccontextmanager
async def dying_workers(gateway: Installation, count: int) -> AsyncGenerator[None]:
    """Workers of which one after the other is killed, some time after it has begun to work, and replaced."""
    async with asyncio.TaskGroup() as tasks:
        working = [tasks.create_task(one_worker_after_the_other(gateway)) for _ in range(count)]
        yield
        for each in working:
            each.cancel()


async def one_worker_after_the_other(gateway: Installation) -> None:
    """Start a worker, kill it, start the next one, until cancelled."""
    command = [sys.executable, "-m", "gateway", "worker"]
    while True:
        with started(command, env=gateway.environment, cwd=gateway.folder, stderr=DEVNULL) as process:
            assert process.stdout is not None
            await asyncio.to_thread(process.stdout.readline)
            await asyncio.sleep(random.uniform(*ALIVE_SECONDS))  # noqa: S311 - no secret.


async def open_endpoint(http: httpx.AsyncClient, shop: Shop, url: str) -> dict[str, Any]:
    """An endpoint of the merchant, for all events."""
    answer = await http.post("/webhook-endpoints", headers=shop.merchant.headers, json={"url": url, "events": ["*"]})
    assert answer.status_code == 201, answer.text
    endpoint: dict[str, Any] = answer.json()
    return endpoint


async def events_since(database_url: str, shop: Shop, endpoint: dict[str, Any]) -> list[FeedEvent]:
    """The merchant's events after the endpoint was made."""
    found: list[FeedEvent] = []
    async with open_gateway(database_url) as gateway:
        after = 0
        while page := await gateway.events.read(after=after, limit=1000):
            after = page[-1].position
            found += [event for event in page if event.merchant_id == shop.merchant.id]
    return [event for event in found if event.created_at.isoformat() >= endpoint["created_at"].replace("Z", "+00:00")]


async def waiting(gateway: Installation) -> int:
    """How many deliveries wait."""
    async with gateway.connected() as connection:
        found = await connection.scalar(text("SELECT count(*) FROM webhook_deliveries WHERE due_at IS NOT NULL"))
    return int(found or 0)
