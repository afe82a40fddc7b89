"""Clients that go away, or never finish: nobody else notices."""

import asyncio
import re
from pathlib import Path

from sqlalchemy import text

from gateway.adapters.http.large_bodies import LARGE_BYTES
from support.flood import Connection, raw_batch
from support.load import Load, keys, open_shop
from support.servers import PATIENT, Installation

ANSWERED_SECONDS_MAX = 12.0
MIB = 1024 * 1024
DRIP_SECONDS = 0.25
"""A body takes 20 s in all, longer than its refusal may take."""


async def test_clients_that_go_away_leak_no_connection_and_their_payments_happen_once(
    postgres_url: str, tmp_path: Path
) -> None:
    gateway = Installation(tmp_path, postgres_url)
    few = {"GATEWAY_DATABASE_POOL_SIZE": "2", "GATEWAY_DATABASE_ACCESS_POOL_SIZE": "1"}
    few |= {"GATEWAY_DATABASE_POOL_TIMEOUT_SECONDS": "1"} | PATIENT
    few["GATEWAY_WORKER_IN_SERVE"] = "false"  # A worker has connections of its own.
    async with gateway.serving(**few) as server, server.client() as http, gateway.connected() as database:
        shop = await open_shop(http)
        asked = keys(100)
        # Whatever touches payments waits, reading too; so nobody has been answered when they go away.
        await database.execute(text("LOCK TABLE payments"))
        requests = [*(shop.raw_payment(key) for key in asked), *(shop.raw_list() for _ in range(100))]
        connections = [await server.ask(request) for request in requests]
        await server.until_read()
        await gateway.until_sessions("waiting for a lock", count=3)
        for _, writer in connections:
            writer.transport.abort()
        await server.until_read()
        await database.rollback()

        again = Load(shop)
        await again.send(asked, server.url)
        assert again.statuses() == {201: 100}
        # They were decided although nobody waited: not one of them is decided now.
        assert {answer.headers.get("idempotency-replayed") for answer in again.answers.values()} == {"true"}
        await shop.check(http, again.paid().values())
        lists = [http.get("/payments", headers=shop.customer.headers) for _ in range(20)]
        assert {answer.status_code for answer in await asyncio.gather(*lists)} == {200}
        assert len(await gateway.sessions()) <= 2 + 1 + 2  # Of look-ups, of logins, and for writing.
    await gateway.verify()


async def test_a_body_that_does_not_arrive_in_time_is_refused_while_others_are_served(tmp_path: Path) -> None:
    gateway = Installation(tmp_path)
    async with gateway.serving(GATEWAY_BODY_SECONDS_MAX="1") as server, server.client() as http:
        shop = await open_shop(http)
        head, _, body = shop.raw_payment("order-1").partition(b"\r\n\r\n")
        slow = [await server.ask(head + b"\r\n\r\n") for _ in range(50)]
        dripping = [asyncio.create_task(_drip(writer, body[:-1])) for _, writer in slow]
        for key in keys(10):
            assert (await shop.pay(http, key)).status_code == 201
        async with asyncio.timeout(ANSWERED_SECONDS_MAX):
            answers = await asyncio.gather(*(reader.readuntil(b"}") for reader, _ in slow))
        for task in dripping:
            task.cancel()
        for _, writer in slow:
            writer.close()

        for answer in answers:
            assert answer.startswith(b"HTTP/1.1 408 ")
            assert b'"code":"request_timeout"' in answer
        assert (await shop.pay(http, "order-1")).status_code == 201
    await gateway.verify()


async def _drip(writer: asyncio.StreamWriter, body: bytes) -> None:
    """Send a body byte by byte."""
    for position in range(len(body)):
        writer.write(body[position : position + 1])
        await asyncio.sleep(DRIP_SECONDS)


async def test_bodies_that_are_announced_and_do_not_come_keep_nobody_from_sending_a_batch(tmp_path: Path) -> None:
    gateway = Installation(tmp_path)
    few = {"GATEWAY_LARGE_BODIES_BYTES_MAX": str(MIB), "GATEWAY_LARGE_BODIES_BYTES_PER_CALLER_MAX": str(MIB)}
    async with gateway.serving(**few) as server, server.client() as http:
        attacker, other = await open_shop(http), await open_shop(http)
        head, _, _ = raw_batch(attacker, "announced").partition(b"\r\n\r\n")
        head = re.sub(rb"(?i)(content-length: )\d+", rb"\g<1>%d" % MIB, head)
        announced = [await server.ask(head + b"\r\n\r\n") for _ in range(8)]
        await server.until_read()
        connection = await Connection.to(server.port)
        batch = raw_batch(other, "sent")
        assert len(batch) > LARGE_BYTES
        assert await connection.ask(batch) == 207
        connection.close()
        for _, writer in announced:
            writer.close()
