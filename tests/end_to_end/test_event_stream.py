"""Server-sent events from real servers, over real sockets."""

import asyncio
import signal
import socket
import time
from pathlib import Path
from typing import Any

from support.event_stream import TIMEOUT_SECONDS, listening
from support.load import PASSWORD, Load, Person, Shop, keys, open_shop, sign_up
from support.servers import Installation, Server, until

QUICK_SECONDS = 5.0
"""Less than anything here waits for that is not told."""
LARGE_PAYMENTS = 400
"""Their events have 10 MB: more than the sockets between reader and server hold."""


async def pay(server: Server, shop: Shop, count: int) -> None:
    """Pay so often, many at once."""
    load = Load(shop)
    await load.send(keys(count), server.url)
    assert load.statuses() == {201: count}


async def all_events(server: Server, person: Person, **params: str) -> list[Any]:
    """All events of somebody, oldest first, page by page."""
    found: list[Any] = []
    after = ""
    async with server.client() as http:
        while True:
            query = {"limit": "100", "after": after, **params}
            page = (await http.get("/events", headers=person.headers, params=query)).json()
            found += page["data"]
            after = str(page["last_position"])
            if not page["has_more"]:
                return found


async def test_a_thousand_events_come_while_connected_each_once_and_in_order(tmp_path: Path) -> None:
    async with Installation(tmp_path).serving() as server:
        async with server.client() as http:
            shop = await open_shop(http)
        async with (
            listening(server, shop.merchant) as merchant,
            listening(server, shop.customer, type="payment.*", after="") as customer,
        ):
            reading = [asyncio.create_task(each.read(1_000)) for each in (merchant, customer)]
            await pay(server, shop, 1_000)
            for seen in await asyncio.gather(*reading):
                wanted = await all_events(server, shop.merchant, type="payment.*")
                assert [message.json for message in seen] == wanted
                assert [message.id for message in seen] == [str(event["position"]) for event in wanted]
                assert {message.event for message in seen} == {"payment.captured"}
            async with server.client() as http:
                for message in (await reading[0])[::100]:
                    found = await http.get(f"/events/{message.json['id']}", headers=shop.merchant.headers)
                    assert found.text == message.data


async def test_an_event_comes_at_once(tmp_path: Path) -> None:
    async with Installation(tmp_path).serving() as server, server.client() as http:
        shop = await open_shop(http)
        async with listening(server, shop.merchant) as merchant:
            began = time.monotonic()
            for number in range(20):
                assert (await shop.pay(http, f"key-{number}")).status_code == 201
                await merchant.read(1)
        assert time.monotonic() - began < QUICK_SECONDS


async def test_a_stream_resumes_at_another_process_after_kill_9(postgres_url: str, tmp_path: Path) -> None:
    gateway = Installation(tmp_path, postgres_url)
    async with gateway.serving() as first, gateway.serving() as second:
        async with first.client() as http:
            shop = await open_shop(http)
        async with listening(first, shop.merchant, after="") as merchant:
            paying = [asyncio.create_task(pay(server, shop, 200)) for server in (first, second)]
            seen = await merchant.read(100)
            await asyncio.gather(*paying)
            await first.kill()
            assert await merchant.ended()
        # What had been sent and was not read yet is lost with the connection, and comes again.
        async with listening(second, shop.merchant, last_id=seen[-1].id, after="1") as merchant:
            await pay(second, shop, 50)
            wanted = await all_events(second, shop.merchant)
            seen += await merchant.read(len(wanted) - len(seen))
    assert [message.json for message in seen] == wanted
    assert len(wanted) == 451


async def test_two_processes_write_and_both_tell_everything(postgres_url: str, tmp_path: Path) -> None:
    gateway = Installation(tmp_path, postgres_url)
    async with gateway.serving() as first, gateway.serving() as second:
        async with first.client() as http:
            shop = await open_shop(http)
        async with listening(first, shop.merchant) as one, listening(second, shop.merchant) as other:
            reading = [asyncio.create_task(each.read(600)) for each in (one, other)]
            await asyncio.gather(pay(first, shop, 300), pay(second, shop, 300))
            seen, same = await asyncio.gather(*reading)
            assert seen == same
            assert [message.json for message in seen] == await all_events(first, shop.merchant, type="payment.*")


async def test_a_reader_that_does_not_read_is_cut_off_and_resumes(tmp_path: Path) -> None:
    limits = {"GATEWAY_EVENT_STREAM_WAITING_MAX": "50"}
    async with Installation(tmp_path).serving(**limits) as server, server.client() as http:
        shop = await open_shop(http)
        lines = ["GET /events/stream HTTP/1.1", "Host: x", *map(": ".join, shop.merchant.headers.items()), "", ""]
        request = "\r\n".join(lines)
        reader, writer = await asyncio.open_connection(sock=await small_socket(server))
        writer.write(request.encode())
        async with asyncio.timeout(2 * TIMEOUT_SECONDS):
            await reader.readuntil(b"retry: 1000\n\n")
            # The reader's buffer is full after two chunks of 64 KiB, and then its transport reads nothing.
            body = {**shop.body(1), "metadata": {str(number): "x" * 500 for number in range(50)}}

            async def pay_large(key: str) -> int:
                headers = shop.customer.headers | {"Idempotency-Key": key}
                return (await http.post("/payments", headers=headers, json=body)).status_code

            for _ in range(LARGE_PAYMENTS // 50):
                assert set(await asyncio.gather(*map(pay_large, keys(50)))) == {201}
            received = b""
            while b": too_slow\n\n" not in received:
                part = await reader.read(1 << 20)
                assert part, "The connection was closed without a word."
                received += part
        writer.close()
        positions = [int(line[4:]) for line in received.splitlines() if line.startswith(b"id: ")]
        assert len(positions) < LARGE_PAYMENTS
        async with listening(server, shop.merchant, last_id=str(positions[-1])) as merchant:
            rest = await merchant.read(LARGE_PAYMENTS - len(positions))
        assert positions + [int(message.id) for message in rest] == [
            event["position"] for event in await all_events(server, shop.merchant, type="payment.*")
        ]


async def small_socket(server: Server) -> socket.socket:
    """A connection whose end here holds few bytes that were not read."""
    connection = socket.socket()
    connection.setblocking(False)  # noqa: FBT003 - its name says what.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 * 1024)
    await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", server.port))
    return connection


async def test_sigterm_ends_streams_at_once(tmp_path: Path) -> None:
    async with Installation(tmp_path).serving() as server:
        async with server.client() as http:
            shop = await open_shop(http)
        async with listening(server, shop.merchant) as merchant, listening(server, shop.customer) as customer:
            began = time.monotonic()
            server.send(signal.SIGTERM)
            await asyncio.gather(merchant.ended(), customer.ended())
            assert await server.ended() == 0
        assert time.monotonic() - began < QUICK_SECONDS
        assert "Traceback" not in server.log()
        assert '"level": "error"' not in server.log()


async def test_a_stream_ends_with_its_token_and_with_its_session(tmp_path: Path) -> None:
    async with Installation(tmp_path).serving() as server, server.client() as http:
        shop = await open_shop(http)
        async with listening(server, shop.merchant) as merchant:
            password = {"current_password": PASSWORD, "new_password": "a longer and better one"}
            changed = await http.post("/users/me/password", headers=shop.merchant.headers, json=password)
            assert changed.status_code == 204
            assert (await merchant.ended())[-1] == "token_revoked"
    async with Installation(tmp_path).serving(GATEWAY_TOKEN_LIFETIME_SECONDS="5") as server, server.client() as http:
        customer = await sign_up(http, "customer")
        async with listening(server, customer) as listener:
            assert (await listener.ended())[-1] == "token_expired"


async def test_heartbeats_come_while_nothing_happens(tmp_path: Path) -> None:
    async with Installation(tmp_path).serving(GATEWAY_EVENT_STREAM_HEARTBEAT_SECONDS="0.2") as server:
        async with server.client() as http:
            shop = await open_shop(http)
        async with listening(server, shop.merchant) as merchant:
            assert await merchant.until_comment() == "heartbeat"
            assert await merchant.until_comment() == "heartbeat"


async def test_more_streams_than_there_may_be_are_refused(tmp_path: Path) -> None:
    limits = {"GATEWAY_EVENT_STREAMS_MAX": "3", "GATEWAY_EVENT_STREAMS_PER_USER_MAX": "2"}
    async with Installation(tmp_path).serving(**limits) as server, server.client() as http:
        shop = await open_shop(http)

        async def status(person: Person) -> int:
            return (await http.get("/events/stream", headers=person.headers)).status_code

        async with listening(server, shop.merchant), listening(server, shop.merchant):
            assert await status(shop.merchant) == 429
            async with listening(server, shop.customer):
                assert await status(shop.customer) == 503

        async def is_free() -> bool:
            async with http.stream("GET", "/events/stream", headers=shop.merchant.headers) as response:
                return response.status_code == 200

        await until(is_free, TIMEOUT_SECONDS)
