"""Fairness: one caller's single payments beside another caller's flood of batches."""

import asyncio
import time
from dataclasses import dataclass
from typing import Final

from bench.overloaded import BALANCE, Beside, served
from support.flood import ITEMS, Connection, percentile, raw_batch
from support.load import open_shop
from support.postgres import PostgresServer
from support.servers import Server

PAYING_CONNECTIONS: Final = 8
WARM_UP_BATCHES: Final = 3
TOO_MANY_REQUESTS: Final = 429


@dataclass(frozen=True, slots=True, kw_only=True)
class Fairness:
    """What single payments, one after the other, take beside the flood and without it.

    Attributes:
        alone_p50_ms: Without the flood.
        beside_p50_ms: Beside the flood.
        beside_p99_ms: As above.
        flood_per_second: Payments of the flood that were committed in a second.
    """

    alone_p50_ms: float
    beside_p50_ms: float
    beside_p99_ms: float
    flood_per_second: float

    @property
    def p99_by_p50_alone(self) -> float:
        """How much longer the slowest payments take beside the flood than a usual one without it."""
        return self.beside_p99_ms / self.alone_p50_ms


async def measure(postgres: PostgresServer, batches: int) -> Fairness:
    """Measure on a database of its own, whose ledger is verified in the end, with a flood of so many batches."""
    async with served(postgres) as server, server.client() as http:
        flooder, other = await open_shop(http, BALANCE), await open_shop(http, BALANCE)
        beside = Beside(server, other)
        await all_paid(server, [raw_batch(flooder, f"warm-{n}") for n in range(WARM_UP_BATCHES)])
        alone = await beside.unloaded()
        requests = [raw_batch(flooder, f"flood-{n}") for n in range(batches)]
        began = time.perf_counter()
        payments, _ = await beside.measure(lambda: all_paid(server, requests))
        seconds = time.perf_counter() - began
    return Fairness(
        alone_p50_ms=percentile(alone, 0.5) * 1e3,
        beside_p50_ms=percentile(payments, 0.5) * 1e3,
        beside_p99_ms=percentile(payments, 0.99) * 1e3,
        flood_per_second=batches * ITEMS / seconds,
    )


async def all_paid(server: Server, batches: list[bytes]) -> None:
    """Send all batches, on `PAYING_CONNECTIONS` connections, until each is paid."""
    await asyncio.gather(*(_until_paid(server, batches[n::PAYING_CONNECTIONS]) for n in range(PAYING_CONNECTIONS)))


async def _until_paid(server: Server, batches: list[bytes]) -> None:
    """Send batches one after the other; each as often as it is refused for too many waiting payments."""
    connection = await Connection.to(server.port)
    for batch in batches:
        while await connection.ask(batch) == TOO_MANY_REQUESTS:  # noqa: ASYNC110 - the server is asked again.
            await asyncio.sleep(1)  # The response's `Retry-After`.
    connection.close()
