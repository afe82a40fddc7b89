"""Clients that send prepared requests as fast as they are answered: the client must not be what is slow."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Self

from support.load import Shop

LIVE = b"GET /health/live HTTP/1.1\r\nHost: gateway.test\r\n\r\n"
ITEMS = 1_000
PAUSE_SECONDS = 0.002


class Connection:
    """A connection for one request after the other.

    Attributes:
        headers: Of the last response, in lower case.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.headers = b""

    @classmethod
    async def to(cls, port: int, *, source: str = "127.0.0.1") -> Self:
        """Connect to a server of this machine, from a loopback address."""
        return cls(*await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0)))

    async def ask(self, request: bytes) -> int:
        """Send a request, and return the status of its response."""
        self._writer.write(request)
        await self._writer.drain()
        self.headers = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        await self._reader.readexactly(int(self.headers.split(b"content-length: ")[1].split(b"\r\n")[0]))
        return int(self.headers.split(b" ", 2)[1])

    def close(self) -> None:
        """Close it."""
        self._writer.close()


def raw_post(path: str, body: object, headers: dict[str, str]) -> bytes:
    """A request as it goes over the wire."""
    content = json.dumps(body).encode()
    headers = {"Host": "gateway.test", "Content-Type": "application/json", **headers}
    headers["Content-Length"] = str(len(content))
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode() + content


def raw_batch(shop: Shop, name: str) -> bytes:
    """A batch of 1,000 payments of a shop."""
    items = [{"idempotency_key": f"{name}-{number}", **shop.body(1)} for number in range(ITEMS)]
    headers = {**shop.customer.headers, "Idempotency-Key": name}
    return raw_post("/payments/batch", {"mode": "independent", "items": items}, headers)


def processor_clock(pid: int) -> Callable[[], float]:
    """A clock of the processor time of a process, in seconds: other processes of a busy machine do not move it."""
    return partial(time.clock_gettime, (~pid << 3) | 2)  # Linux: the clock that clock_getcpuclockid(3) names.


async def seconds_of(
    port: int,
    requests: Callable[[int], bytes],
    status: int,
    stop: asyncio.Event,
    *,
    clock: Callable[[], float] = time.perf_counter,
) -> list[float]:
    """How long each of these requests takes by a clock, one after the other, until the event.

    A count of what happens meanwhile is a clock, too.
    """
    connection, seconds = await Connection.to(port), list[float]()
    while not stop.is_set():
        request, began = requests(len(seconds)), clock()
        assert await connection.ask(request) == status
        seconds.append(clock() - began)
        await asyncio.sleep(PAUSE_SECONDS)
    connection.close()
    return seconds


async def flood(port: int, batches: list[bytes], statuses: Counter[int]) -> None:
    """Send all batches at once, each on a connection of its own. Counts the statuses as the responses come."""

    async def send(batch: bytes) -> None:
        connection = await Connection.to(port)
        status = await connection.ask(batch)
        statuses[status] += 1
        connection.close()
        assert status == 207 or b"retry-after: 1\r\n" in connection.headers

    await asyncio.gather(*map(send, batches))


def percentile(seconds: list[float], share: float) -> float:
    """The time that this share of the times does not exceed."""
    ordered = sorted(seconds)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]
