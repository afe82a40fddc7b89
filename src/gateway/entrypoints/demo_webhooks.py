"""The webhooks of `gateway demo`: a receiver of the shop's in this process, and what has arrived at it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from rich.table import Table

from gateway.entrypoints.demo_story import Json, Person, Stage
from gateway.entrypoints.remote.event_lines import amount_of
from gateway.entrypoints.remote.receiver import HOST, Arrival, Receiver, listening, serving

FILTERS: Final = ("payment.*", "refund.*", "payout.*")
ARRIVAL_SECONDS_MAX: Final = 10.0
LIST_LIMIT: Final = 100


class Webhooks:
    """What has arrived at the shop's receiver."""

    def __init__(self, stage: Stage, shop: Person) -> None:
        self._stage = stage
        self._shop = shop
        self._arrivals: list[Arrival] = []
        self._arrived = asyncio.Event()

    def tell(self, arrival: Arrival) -> None:
        """Note an arrival."""
        self._arrivals.append(arrival)
        self._arrived.set()

    async def until_all_arrived(self) -> None:
        """Wait for every event that the shop sees, but not for ever: a sandbox elsewhere cannot reach this machine."""
        events = await self._stage.ask(self._shop, "GET", f"/events?limit={LIST_LIMIT}", expect=200)
        kinds = tuple(each.removesuffix("*") for each in FILTERS)
        missing = {event["id"] for event in events["data"] if event["type"].startswith(kinds)}
        try:
            async with asyncio.timeout(ARRIVAL_SECONDS_MAX):
                while missing := missing - {each.event["id"] for each in self._arrivals if each.event is not None}:
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            return

    def table(self) -> Table:
        """Every webhook, in the order in which they arrived."""
        table = Table("event", "about", "amount", "status", "signature", title="What arrived at the shop's webhook")
        for arrival in self._arrivals:
            event = arrival.event
            if event is not None:
                thing: Json = event["data"]["object"]
                table.add_row(event["type"], thing["id"], amount_of(thing), thing.get("status", ""), arrival.outcome)
        if not self._arrivals:
            table.caption = "Nothing: this sandbox does not reach this machine."
        return table


@asynccontextmanager
async def webhooks_of(stage: Stage, shop: Person) -> AsyncGenerator[Webhooks]:
    """A receiver on this machine, and a webhook endpoint of the shop's that sends to it."""
    webhooks = Webhooks(stage, shop)
    receiver = Receiver(forward_to=None, tell=webhooks.tell)
    with listening(port=0) as listener:
        async with serving(receiver, listener):
            url = f"http://{HOST}:{listener.getsockname()[1]}/"
            body = {"url": url, "events": list(FILTERS), "description": "gateway demo"}
            endpoint = await stage.ask(shop, "POST", "/webhook-endpoints", body, expect=201)
            receiver.know_secret(endpoint["secret"])
            yield webhooks
            await stage.ask(shop, "DELETE", f"/webhook-endpoints/{endpoint['id']}", expect=204)
