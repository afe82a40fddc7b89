"""One caller sends 64 batches of 1,000 payments at once. Another caller's payments go on, and so does liveness."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import median

from support.load import Shop, open_shop
from support.servers import Installation, Server

BATCHES = 64
ITEMS = 1_000
WAITING_PER_CALLER = 9_000
"""So many items of the flood wait: in one queue for all, a payment would wait for as many, nine batches."""
BATCHES_WAITED_MAX = 5.0
"""A payment waits for one batch, two at the beginning; and the processor decodes and refuses the others meanwhile."""


class Connection:
    """A connection that sends prepared requests: the client must not be what is slow."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.headers = b""

    @classmethod
    async def to(cls, server: Server) -> "Connection":
        return cls(*await asyncio.open_connection("127.0.0.1", server.port))

    async def ask(self, request: bytes) -> int:
        """Send a request, and return the status of its response."""
        self._writer.write(request)
        await self._writer.drain()
        self.headers = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        await self._reader.readexactly(int(self.headers.split(b"content-length: ")[1].split(b"\r\n")[0]))
        return int(self.headers.split(b" ", 2)[1])

    def close(self) -> None:
        self._writer.close()


def raw_batch(shop: Shop, name: str) -> bytes:
    items = [{"idempotency_key": f"{name}-{number}", **shop.body(1)} for number in range(ITEMS)]
    body = json.dumps({"mode": "independent", "items": items}).encode()
    headers = {"Host": "gateway.test", **shop.customer.headers, "Idempotency-Key": name}
    headers |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
    lines = ["POST /payments/batch HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode() + body


async def seconds_of(server: Server, requests: Callable[[int], bytes], status: int, stop: asyncio.Event) -> list[float]:
    """How long each of these requests takes, one after the other, until the event."""
    connection, seconds = await Connection.to(server), list[float]()
    while not stop.is_set():
        request, began = requests(len(seconds)), time.perf_counter()
        assert await connection.ask(request) == status
        seconds.append(time.perf_counter() - began)
        await asyncio.sleep(0.002)
    connection.close()
    return seconds


async def flood(server: Server, batches: list[bytes]) -> Counter[int]:
    """Send all batches at once, each on a connection of its own. Returns how many have which status."""

    async def send(batch: bytes) -> int:
        connection = await Connection.to(server)
        status = await connection.ask(batch)
        connection.close()
        assert status == 207 or b"retry-after: 1\r\n" in connection.headers
        return status

    return Counter(await asyncio.gather(*map(send, batches)))


async def test_a_flood_of_batches_holds_up_neither_the_payments_of_others_nor_liveness(
    postgres_url: str, tmp_path: Path
) -> None:
    gateway = Installation(tmp_path, postgres_url)
    waiting = {"GATEWAY_WAITING_PER_CALLER_MAX": str(WAITING_PER_CALLER), "GATEWAY_RATE_LIMIT_REQUESTS": "0"}
    async with gateway.serving(**waiting) as server, server.client() as http:
        flooder, other = await open_shop(http), await open_shop(http)
        connection = await Connection.to(server)
        alone = list[float]()
        for number in range(4):
            batch, began = raw_batch(flooder, f"alone-{number}"), time.perf_counter()
            assert await connection.ask(batch) == 207
            alone.append(time.perf_counter() - began)
        connection.close()
        batches = [raw_batch(flooder, f"flood-{number}") for number in range(BATCHES)]

        stop = asyncio.Event()
        live = b"GET /health/live HTTP/1.1\r\nHost: gateway.test\r\n\r\n"
        paying = asyncio.create_task(seconds_of(server, lambda n: other.raw_payment(f"single-{n}"), 201, stop))
        living = asyncio.create_task(seconds_of(server, lambda _: live, 200, stop))
        await asyncio.sleep(0.1)
        statuses = await flood(server, batches)
        stop.set()
        payments, liveness = await paying, await living

        one_batch = median(alone[1:])
        print(f"{statuses}, one batch {one_batch:.3f} s, payments up to {max(payments):.3f}, live {max(liveness):.3f}")  # noqa: T201 - pytest shows it after a failure.
        assert set(statuses) == {207, 429}
        assert statuses[207] >= WAITING_PER_CALLER // ITEMS
        assert max(payments) <= BATCHES_WAITED_MAX * one_batch
        assert max(liveness) <= one_batch
        assert await other.customer.available(http) == other.balance - len(payments)
        assert await flooder.customer.available(http) == flooder.balance - ITEMS * (statuses[207] + len(alone))
    await gateway.verify()
