"""Two server processes on one Postgres let no more payments through together than a limit says."""

import asyncio
from pathlib import Path

import httpx

from support.load import open_shop
from support.servers import Installation

PAYMENTS = 40
LIMIT = 7
SETTINGS = (
    ("GATEWAY_RISK_REFUSE", f"count.1d={LIMIT}"),
    # Many small transactions side by side: in one, payments take turns anyway.
    ("GATEWAY_BATCH_SIZE_MAX", "2"),
    ("GATEWAY_WRITE_CONNECTIONS", "4"),
)


async def test_payments_at_two_processes_never_exceed_a_limit_together(postgres_url: str, tmp_path: Path) -> None:
    gateway = Installation(tmp_path, postgres_url, environ=SETTINGS)
    async with gateway.serving() as first, gateway.serving() as second, first.client() as one, second.client() as other:
        shop = await open_shop(one, 1_000_000)

        async def pay(number: int) -> httpx.Response:
            return await shop.pay((one, other)[number % 2], f"order-{number}")

        answers = await asyncio.gather(*map(pay, range(PAYMENTS)))
        assert sorted(answer.status_code for answer in answers) == [201] * LIMIT + [403] * (PAYMENTS - LIMIT)
        refused = next(answer for answer in answers if answer.status_code == 403)
        assert (refused.json()["code"], refused.json()["rule"]) == ("limit_exceeded", "count.1d")
        assert refused.headers["retry-after"] == str(refused.json()["retry_after_seconds"])
        await shop.check(one, [answer.json()["id"] for answer in answers if answer.status_code == 201])
    await gateway.verify()
