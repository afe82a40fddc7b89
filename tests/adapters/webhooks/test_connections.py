"""Connections are kept for the next webhook, but not for long, and not too many."""

import asyncio
from collections.abc import Sequence

import pytest

from gateway.adapters.webhooks import connections
from gateway.application.ports.webhook_sender import WebhookError
from support.receivers import OK, answering, free_port, receiver
from support.webhook_messages import allowing, message, names, sending


async def test_a_connection_is_used_again() -> None:
    async with receiver() as found, sending() as sender:
        url = f"http://127.0.0.1:{found.port}/"
        responses = [await sender.send(message(url)) for _ in range(5)]

    assert [response.status for response in responses] == [200] * 5
    assert (found.connections, len(found.requests)) == (1, 5)


async def test_a_connection_is_not_used_for_another_host_port_or_scheme() -> None:
    async with receiver() as found, sending(lookup=names(a_example=["127.0.0.1"], b_example=["127.0.0.1"])) as sender:
        for host in ("127.0.0.1", "a.example", "b.example", "a.example"):
            assert (await sender.send(message(f"http://{host}:{found.port}/"))).status == 200

    assert found.connections == 3


@pytest.mark.parametrize(
    "last",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nmore",
    ],
)
async def test_a_connection_that_the_receiver_ends_or_confuses_is_closed(last: bytes) -> None:
    async with receiver(answering(last)) as found, sending() as sender:
        for _ in range(3):
            assert (await sender.send(message(f"http://127.0.0.1:{found.port}/"))).status == 200

    assert found.connections == 3


async def test_bytes_that_nobody_asked_for_are_not_taken_for_a_response() -> None:
    async with receiver() as found, sending() as sender:
        url = f"http://127.0.0.1:{found.port}/"
        assert (await sender.send(message(url))).status == 200
        found.writers[0].write(b"HTTP/1.1 500 Planted\r\nContent-Length: 0\r\n\r\n")
        await found.closed.wait()
        assert (await sender.send(message(url))).status == 200

    assert found.connections == 2


async def test_a_request_on_a_connection_that_has_just_ended_is_sent_again() -> None:
    ends = False

    async def answer(writer: asyncio.StreamWriter) -> None:
        nonlocal ends
        if ends:
            ends = False
            writer.transport.abort()
        else:
            writer.write(OK)

    async with receiver(answer) as found, sending() as sender:
        url = f"http://127.0.0.1:{found.port}/"
        assert (await sender.send(message(url))).status == 200
        ends = True
        assert (await sender.send(message(url))).status == 200

    assert (found.connections, len(found.requests)) == (2, 3)


async def test_a_request_on_a_new_connection_is_not_sent_again() -> None:
    async def reset(writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with receiver(reset) as found, sending() as sender:
        response = await sender.send(message(f"http://127.0.0.1:{found.port}/"))

    assert response.error is WebhookError.CONNECTION_FAILED
    assert len(found.requests) == 1


async def test_an_old_connection_is_replaced_and_its_address_checked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "CONNECTION_SECONDS_MAX", 0.2)
    known = {"shop.example": ["127.0.0.1"]}

    def lookup(host: str) -> Sequence[str]:
        return known[host]

    async with receiver() as found, sending(allowing("127.0.0.1"), lookup=lookup) as sender:
        url = f"http://shop.example:{found.port}/"
        assert (await sender.send(message(url))).status == 200
        await asyncio.sleep(0.25)
        assert (await sender.send(message(url))).status == 200
        assert found.connections == 2
        known["shop.example"] = ["127.0.0.2"]
        await asyncio.sleep(0.25)
        assert (await sender.send(message(url))).error is WebhookError.ADDRESS_NOT_ALLOWED


async def test_an_idle_connection_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "IDLE_SECONDS_MAX", 0.1)
    async with receiver() as found, sending() as sender:
        await sender.send(message(f"http://127.0.0.1:{found.port}/"))
        await found.closed.wait()


async def test_idle_connections_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "IDLE_OF_A_RECEIVER_MAX", 2)
    monkeypatch.setattr(connections, "IDLE_MAX", 3)
    together = asyncio.Barrier(4)

    async def answer(writer: asyncio.StreamWriter) -> None:
        await together.wait()
        writer.write(OK)

    async with receiver(answer) as one, receiver(answer) as other, sending() as sender:
        for found in (one, other, one, other):
            url = f"http://127.0.0.1:{found.port}/"
            responses = await asyncio.gather(*(sender.send(message(url)) for _ in range(4)))
            assert [response.status for response in responses] == [200] * 4

    # Of four connections two are kept, then, of another four, the one for which there is room.
    assert (one.connections, other.connections) == (4 + 2, 4 + 3)


async def test_a_closed_sender_keeps_no_connection() -> None:
    async with receiver() as found:
        async with sending() as sender:
            await sender.send(message(f"http://127.0.0.1:{found.port}/"))
        await asyncio.wait_for(found.closed.wait(), 20)
        await sender.send(message(f"http://127.0.0.1:{found.port}/"))
        assert found.connections == 2


async def test_the_next_address_is_tried_when_one_refuses() -> None:
    async with (
        receiver(host="127.0.0.3") as found,
        sending(allowing("127.0.0.2", "127.0.0.3"), lookup=names(shop_example=["127.0.0.2", "127.0.0.3"])) as sender,
    ):
        response = await sender.send(message(f"http://shop.example:{found.port}/"))

    assert response.status == 200


async def test_only_a_few_addresses_are_tried() -> None:
    addresses = [f"127.0.0.{number}" for number in range(2, 7)]
    async with (
        receiver(host=addresses[3]) as found,
        sending(allowing(*addresses), lookup=names(shop_example=addresses)) as sender,
    ):
        response = await sender.send(message(f"http://shop.example:{found.port}/"))

    assert response.error is WebhookError.CONNECTION_REFUSED
    assert found.connections == 0


async def test_both_families_are_tried() -> None:
    port = free_port()
    ipv6 = [f"::{number}" for number in range(2, 6)]
    async with (
        receiver(host="127.0.0.1", port=port) as found,
        sending(allowing("127.0.0.1", *ipv6), lookup=names(shop_example=[*ipv6, "127.0.0.1"])) as sender,
    ):
        response = await sender.send(message(f"http://shop.example:{port}/"))

    assert response.status == 200
    assert found.connections == 1
