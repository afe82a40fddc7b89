"""One caller sends 64 batches of 1,000 payments at once. Another caller's payments go on, and so does liveness.

Times are processor time of the server, and batches that it answered meanwhile: they are the same on a busy machine.
"""

import asyncio
from asyncio import Task
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median

from support.flood import ITEMS, LIVE, Connection, flood, processor_clock, raw_batch, seconds_of
from support.load import open_shop
from support.servers import Installation

BATCHES = 64
WAITING_PER_CALLER = 9_000
"""So many items of the flood wait: in one queue for all, a payment would wait for as many, nine batches."""
BATCHES_WAITED_MAX = 4
"""A payment on other accounts waits for less than their time; on accounts of the batches, for fewer to be answered. Two
are in flight, and a client may read several responses at once."""
SHARE_OF_A_BATCH_MAX = 0.6
"""A payment on other accounts does not wait for a batch, but shares the processor with it."""


async def test_a_flood_of_batches_holds_up_neither_the_payments_of_others_nor_liveness(
    postgres_url: str, tmp_path: Path
) -> None:
    gateway = Installation(tmp_path, postgres_url)
    waiting = {"GATEWAY_WAITING_PER_CALLER_MAX": str(WAITING_PER_CALLER), "GATEWAY_RATE_LIMIT_REQUESTS": "0"}
    async with gateway.serving(**waiting) as server, server.client() as http:
        flooder, other, third = await open_shop(http), await open_shop(http), await open_shop(http)
        neighbour = replace(third, merchant=flooder.merchant)
        port, clock = server.port, processor_clock(server.pid)
        connection = await Connection.to(port)
        alone = list[float]()
        for number in range(4):
            batch, began = raw_batch(flooder, f"alone-{number}"), clock()
            assert await connection.ask(batch) == 207
            alone.append(clock() - began)
        connection.close()
        batches = [raw_batch(flooder, f"flood-{number}") for number in range(BATCHES)]

        stop = asyncio.Event()
        statuses = Counter[int]()

        async with asyncio.TaskGroup() as beside:

            def repeat(request: Callable[[int], bytes], status: int, by: Callable[[], float]) -> Task[list[float]]:
                return beside.create_task(seconds_of(port, request, status, stop, clock=by))

            paying = repeat(lambda n: other.raw_payment(f"single-{n}"), 201, clock)
            sharing = repeat(lambda n: neighbour.raw_payment(f"shared-{n}"), 201, lambda: statuses[207])
            living = repeat(lambda _: LIVE, 200, clock)
            await asyncio.sleep(0.1)
            await flood(port, batches, statuses)
            stop.set()
        payments, shared, liveness = paying.result(), sharing.result(), living.result()

        one_batch = median(alone[1:])
        print(  # noqa: T201 - pytest shows it after a failure.
            f"{statuses}, one batch {one_batch:.3f} s, payments {median(payments):.3f}, up to {max(payments):.3f}; on "
            f"accounts of the batches up to {max(shared)} batches, live up to {max(liveness):.3f}"
        )
        assert set(statuses) == {207, 429}
        assert statuses[207] >= WAITING_PER_CALLER // ITEMS
        assert median(payments) <= SHARE_OF_A_BATCH_MAX * one_batch
        assert max(payments) <= BATCHES_WAITED_MAX * one_batch
        assert max(shared) <= BATCHES_WAITED_MAX
        assert max(liveness) <= one_batch
        assert await other.customer.available(http) == other.balance - len(payments)
        assert await third.customer.available(http) == third.balance - len(shared)
        assert await flooder.customer.available(http) == flooder.balance - ITEMS * (statuses[207] + len(alone))
    await gateway.verify()
