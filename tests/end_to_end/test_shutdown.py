"""SIGTERM: what was asked before is answered, nobody else is let in, and nothing is lost."""

import asyncio
import json
import signal
from pathlib import Path

import httpx
from sqlalchemy import text

from support.load import Load, keys, open_shop
from support.servers import PATIENT, Installation, until


async def test_requests_that_run_when_sigterm_comes_are_answered_and_no_new_ones_are_taken(
    postgres_url: str, tmp_path: Path
) -> None:
    gateway = Installation(tmp_path, postgres_url)
    async with gateway.serving(**PATIENT) as server, gateway.connected() as database:
        async with server.client() as http:
            shop = await open_shop(http)
        # All are held up in the middle: the first batch waits for this lock, the others for the first batch.
        lock = text("SELECT 1 FROM accounts WHERE id = :id FOR UPDATE")
        await database.execute(lock, {"id": shop.customer.account_id})
        connections = [await server.ask(shop.raw_payment(key)) for key in keys(64)]
        await server.until_read()
        await gateway.until_sessions("waiting for a lock")

        server.send(signal.SIGTERM)
        await until(lambda: _is_refused(server.url), 15)
        await database.rollback()

        answers = [await reader.read() for reader, _ in connections]
        for _, writer in connections:
            writer.close()
        assert [answer.split()[1] for answer in answers] == [b"201"] * 64
        assert await server.ended() == 0

        await server.start()
        async with server.client() as http:
            await shop.check(http, [json.loads(answer.partition(b"\r\n\r\n")[2])["id"] for answer in answers])
    await gateway.verify()


async def test_sigterm_amid_payments_loses_none_that_was_acknowledged(tmp_path: Path) -> None:
    gateway = Installation(tmp_path)
    async with gateway.serving(GATEWAY_BATCH_SIZE_MAX="16") as server:
        async with server.client() as http:
            shop = await open_shop(http)
        load, asked = Load(shop), keys(200)
        sending = asyncio.create_task(load.send(asked, server.url))
        await load.until_answered(50)
        server.send(signal.SIGTERM)
        await sending
        assert await server.ended() == 0
        assert set(load.statuses()) == {201}

        await server.start()
        again = Load(shop)
        await again.send(asked, server.url)
        assert again.statuses() == {201: 200}
        assert load.paid().items() <= again.paid().items()
        async with server.client() as http:
            await shop.check(http, again.paid().values())
    await gateway.verify()


async def _is_refused(url: str) -> bool:
    try:
        async with httpx.AsyncClient() as stranger:
            await stranger.get(f"{url}/health/live")
    except httpx.ConnectError:
        return True
    except httpx.NetworkError:
        return False  # The kernel had let it in, just before the server closed the executor.
    return False
