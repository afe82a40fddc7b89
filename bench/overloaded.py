"""A server under overload, and what is measured beside it."""

import asyncio
import secrets
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import psutil  # type: ignore[import-untyped]  # psutil ships no types.

from support.flood import LIVE, percentile, seconds_of
from support.load import Shop
from support.postgres import PostgresServer, temporary_database
from support.servers import Installation, Server

Figures = dict[str, str]
"""What was measured, in words and numbers."""

UNLOADED_SECONDS: Final = 5.0
BALANCE: Final = 1_000_000_000
NO_LIMITS: Final = {"GATEWAY_RATE_LIMIT_REQUESTS": "0", "GATEWAY_LOG_LEVEL": "warning"}


@asynccontextmanager
async def served(postgres: PostgresServer, **settings: str) -> AsyncGenerator[Server]:
    """A server on a database of its own, whose ledger is verified in the end."""
    async with temporary_database(postgres) as database:
        with tempfile.TemporaryDirectory(prefix="bench-overload-") as folder:
            gateway = Installation(Path(folder), postgres.url(database))
            async with gateway.serving(**NO_LIMITS, **settings) as server:
                yield server
            await gateway.verify()


def milliseconds(seconds: list[float]) -> str:
    """The median, the 99th percentile and the longest."""
    if not seconds:
        return "none"
    p50, p99 = percentile(seconds, 0.5), percentile(seconds, 0.99)
    return f"p50 {p50 * 1e3:.1f}, p99 {p99 * 1e3:.1f}, longest {max(seconds) * 1e3:.1f} ms of {len(seconds)}"


def memory_mib(server: Server) -> float:
    """The resident memory of the server's process."""
    return float(psutil.Process(server.pid).memory_info().rss) / 2**20


class Beside:
    """Single payments and questions for liveness, one after the other, while something else happens."""

    def __init__(self, server: Server, shop: Shop) -> None:
        self._server = server
        self._shop = shop

    async def measure(self, work: Callable[[], Awaitable[object]]) -> tuple[list[float], list[float]]:
        """The times of the payments and of liveness while the work runs."""
        stop, run = asyncio.Event(), secrets.token_hex(4)
        port = self._server.port
        paying = asyncio.create_task(seconds_of(port, lambda n: self._shop.raw_payment(f"{run}-{n}"), 201, stop))
        living = asyncio.create_task(seconds_of(port, lambda _: LIVE, 200, stop))
        try:
            await work()
        finally:
            stop.set()
        return await paying, await living

    async def unloaded(self) -> list[float]:
        """The times of payments when nothing else happens."""
        payments, _ = await self.measure(lambda: asyncio.sleep(UNLOADED_SECONDS))
        return payments
