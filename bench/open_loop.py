"""The open loop: requests at a rate of their own, whether or not the server keeps up.

Latency counts from the moment at which a request was due, so that waiting for a slow server is not left out (Tene's
"coordinated omission"). Arrivals are a Poisson process.
"""

import asyncio
import contextlib
import random
import secrets
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

from bench.ledger import VoidRun
from bench.servers import HOST, Server

CONNECTIONS: Final = 128
CREATED: Final = b"HTTP/1.1 201"
LENGTH: Final = b"content-length: "
FINISH_SECONDS_MAX: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRun:
    """Latencies at a rate, in milliseconds."""

    rate: float
    requests: int
    p50_ms: float
    p99_ms: float
    p999_ms: float


class _Connection(asyncio.Protocol):
    """One request at a time on a connection that stays open."""

    def __init__(self, loop: "_Loop") -> None:
        self._loop = loop
        self._received = b""
        self._due = 0.0
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)  # TCP's are; uvloop's do not inherit from it.
        self._loop.idle.append(self)

    def connection_lost(self, _: Exception | None) -> None:
        self._loop.lost += 1

    def send(self, request: bytes, due: float) -> None:
        self._due = due
        if self._transport is not None:
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return
        _, _, length = head.lower().partition(LENGTH)
        if len(body) < int(length.partition(b"\r\n")[0] or 0):
            return
        self._received = b""
        self._loop.answered(self, head.startswith(CREATED), time.perf_counter() - self._due)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class _Loop:
    """What is due, who is free to send it, and how long everything took."""

    def __init__(self) -> None:
        self.idle: deque[_Connection] = deque()
        self.waiting: deque[tuple[bytes, float]] = deque()
        self.latencies: list[float] = []
        self.refused = 0
        self.lost = 0
        self.missing = 0
        self.finished = asyncio.Event()

    def ask(self, request: bytes, due: float) -> None:
        if self.idle:
            self.idle.popleft().send(request, due)
        else:
            self.waiting.append((request, due))

    def answered(self, connection: _Connection, created: bool, seconds: float) -> None:  # noqa: FBT001 - private.
        self.latencies.append(seconds)
        self.refused += not created
        self.missing -= 1
        if not self.missing:
            self.finished.set()
        if self.waiting:
            connection.send(*self.waiting.popleft())
        else:
            self.idle.append(connection)


async def drive(
    server: Server, *, tokens: Sequence[str], payees: Sequence[str], rate: float, seconds: float
) -> OpenRun:
    """Pay at `rate` requests a second.

    Raises:
        VoidRun: A request was refused, or got no answer.
    """
    loop = _Loop()
    running = asyncio.get_running_loop()
    for _ in range(CONNECTIONS):
        await running.create_connection(lambda: _Connection(loop), HOST, server.port)
    connections = list(loop.idle)
    requests = _requests(tokens, payees, int(rate * seconds))
    loop.missing = len(requests)
    due = time.perf_counter()
    for request in requests:
        due += random.expovariate(rate)
        if (early := due - time.perf_counter()) > 0:
            await asyncio.sleep(early)
        loop.ask(request, due)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(loop.finished.wait(), FINISH_SECONDS_MAX)
    lost = loop.lost
    for connection in connections:
        connection.close()
    if loop.refused or lost or loop.missing:
        raise VoidRun(f"{loop.refused} refusals, {lost} lost connections, {loop.missing} without an answer.")
    ordered = sorted(loop.latencies)
    return OpenRun(
        rate=rate,
        requests=len(requests),
        p50_ms=percentile(ordered, 0.5),
        p99_ms=percentile(ordered, 0.99),
        p999_ms=percentile(ordered, 0.999),
    )


def percentile(ordered: Sequence[float], share: float) -> float:
    """The latency, in milliseconds, which that share of the sorted seconds does not pass."""
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1000


def _requests(tokens: Sequence[str], payees: Sequence[str], count: int) -> list[bytes]:
    """Made before the clock runs."""
    keys = secrets.token_hex(4)
    return [
        _request(token, payee, f"{keys}-{number}")
        for number, (token, payee) in enumerate(
            zip(random.choices(tokens, k=count), random.choices(payees, k=count), strict=True)
        )
    ]


def _request(token: str, payee: str, key: str) -> bytes:
    body = f'{{"merchant_id":"{payee}","amount":5,"currency":"USD"}}'
    return (
        f"POST /payments HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
        f"Idempotency-Key: {key}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()
