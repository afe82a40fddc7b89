"""More than can be served: some are told to come back, and whoever does is served once."""

import asyncio
from pathlib import Path

import httpx
from sqlalchemy import text

from support.load import Load, code_of, keys, open_shop
from support.servers import PATIENT, Installation

LOCK_ACCOUNT = text("SELECT 1 FROM accounts WHERE id = :id FOR UPDATE")


async def test_whoever_finds_the_queue_full_is_told_to_come_back_and_pays_once(
    postgres_url: str, tmp_path: Path
) -> None:
    gateway = Installation(tmp_path, postgres_url)
    little_room = {"GATEWAY_WAITING_MAX": "8", "GATEWAY_BATCH_SIZE_MAX": "4", "GATEWAY_WRITE_CONNECTIONS": "1"}
    async with (
        gateway.serving(**PATIENT, **little_room) as server,
        server.client() as http,
        gateway.connected() as database,
    ):
        shop = await open_shop(http)
        await database.execute(LOCK_ACCOUNT, {"id": shop.customer.account_id})
        load, asked = Load(shop), keys(100)
        sending = asyncio.create_task(load.send(asked, server.url))
        # A batch of up to 4 waits for the lock, and 8 wait for the batch; there is room for nobody else. It may be 8 in
        # all: those that arrive before the first batch begins wait for it, too.
        await load.until_answered(100 - 4 - 8)
        await gateway.until_sessions("waiting for a lock")
        assert load.paid() == {}
        await database.rollback()
        await sending

        assert set(load.statuses()) == {201, 503}
        assert 8 <= load.statuses()[201] <= 12
        _check_that_they_may_come_back(load)
        paid = await _come_back_until_paid(load, server.url)
        assert set(paid) == set(asked)
        await shop.check(http, paid.values())
    await gateway.verify()


async def test_whoever_finds_too_many_requests_running_is_told_to_come_back(postgres_url: str, tmp_path: Path) -> None:
    gateway = Installation(tmp_path, postgres_url)
    async with gateway.serving(**PATIENT, GATEWAY_REQUESTS_MAX="16") as server, gateway.connected() as database:
        async with server.client() as http:
            shop = await open_shop(http)
        await database.execute(LOCK_ACCOUNT, {"id": shop.customer.account_id})
        load = Load(shop)
        sending = asyncio.create_task(load.send(keys(100), server.url))
        await load.until_answered(100 - 16)
        await database.rollback()
        await sending

        assert set(load.statuses()) == {201, 503}
        _check_that_they_may_come_back(load)


def _check_that_they_may_come_back(load: Load) -> None:
    for answer in load.answers.values():
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            assert code_of(answer) == "overloaded"
            assert int(answer.headers["retry-after"]) >= 1
            assert answer.json()["retryable"] is True


async def _come_back_until_paid(load: Load, url: str) -> dict[str, str]:
    paid = load.paid()
    while refused := [key for key in load.answers if key not in paid]:
        again = Load(load.shop)
        await again.send(refused, url)
        _check_that_they_may_come_back(again)
        assert again.paid(), "Nobody was served"
        paid |= again.paid()
    return paid
