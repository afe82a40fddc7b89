"""Whatever a receiver does, an attempt ends in time, reads little, and tells a stable word."""

import asyncio
import gzip
import tracemalloc

import pytest
import uvloop

from gateway.adapters.webhooks.connection import BODY_BYTES_MAX, HEAD_BYTES_MAX
from gateway.application.ports.webhook_sender import WebhookError, WebhookResponse
from support.receivers import OK, Answer, Receiver, answering, closing_after, free_port, receiver
from support.webhook_messages import message, sending


async def _sent_to(answer: Answer, *, timeout_seconds: float = 15.0) -> tuple[WebhookResponse, Receiver]:
    async with receiver(answer) as found, sending(timeout_seconds=timeout_seconds) as sender:
        response = await sender.send(message(f"http://127.0.0.1:{found.port}/"))
        return response, found


def _shown(response: WebhookResponse) -> tuple[int | None, WebhookError | None]:
    return response.status, response.error


@pytest.mark.parametrize("status", [200, 201, 202, 204, 206, 226, 299])
async def test_2xx_is_success(status: int) -> None:
    length = b"" if status == 204 else b"Content-Length: 0\r\n"
    response, _ = await _sent_to(answering(b"HTTP/1.1 %d Fine\r\n%b\r\n" % (status, length)))

    assert _shown(response) == (status, None)
    assert response.success


@pytest.mark.parametrize("status", [304, 400, 401, 403, 404, 410, 429, 500, 502, 503, 504, 599, 999])
async def test_every_other_status_is_told(status: int) -> None:
    response, _ = await _sent_to(closing_after(b"HTTP/1.1 %d No\r\nConnection: close\r\n\r\nsorry" % status))

    assert _shown(response) == (status, None)
    assert not response.success


@pytest.mark.parametrize(
    "ok",
    [
        OK,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nRetry-After: 7\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nRetry-After: 7\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length:0\r\nX-Long: " + b"x" * 10_000 + b"\r\n\r\n",
    ],
)
async def test_forms_of_a_response(ok: bytes) -> None:
    response, _ = await _sent_to(answering(ok))

    assert _shown(response) == (200, None)
    assert response.retry_after_seconds is None


async def test_a_response_may_arrive_byte_by_byte() -> None:
    async def slowly(writer: asyncio.StreamWriter) -> None:
        for byte in b"HTTP/1.1 429 No\r\nRetry-After: 12\r\nContent-Length: 2\r\n\r\nno":
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)

    response, _ = await _sent_to(slowly)

    assert _shown(response) == (429, None)
    assert response.retry_after_seconds == 12


async def test_a_response_without_a_length_ends_with_the_connection() -> None:
    response, _ = await _sent_to(closing_after(b"HTTP/1.1 200 OK\r\n\r\nok"))

    assert _shown(response) == (200, None)


@pytest.mark.parametrize(
    ("response", "shown"),
    [
        (b"", (None, WebhookError.CONNECTION_FAILED)),
        (b"HTTP/1.1 200 OK\r\nContent-Le", (None, WebhookError.CONNECTION_FAILED)),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", (200, WebhookError.CONNECTION_FAILED)),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nok", (200, WebhookError.CONNECTION_FAILED)),
        (b"SSH-2.0-OpenSSH_9.9\r\n", (None, WebhookError.PROTOCOL_ERROR)),
        (b"HTTP/2 200\r\n\r\n", (None, WebhookError.PROTOCOL_ERROR)),
        (b"HTTP/1.1 2000 OK\r\n\r\n", (None, WebhookError.PROTOCOL_ERROR)),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", (None, WebhookError.PROTOCOL_ERROR)),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok", (None, WebhookError.PROTOCOL_ERROR)),
        (b"HTTP/1.1 200 OK\r\n bad name: x\r\n\r\n", (None, WebhookError.PROTOCOL_ERROR)),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", (200, WebhookError.PROTOCOL_ERROR)),
        (
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
            (None, WebhookError.PROTOCOL_ERROR),
        ),
    ],
)
async def test_a_broken_response_is_told(response: bytes, shown: tuple[int | None, WebhookError]) -> None:
    assert _shown((await _sent_to(closing_after(response)))[0]) == shown


async def test_a_refused_connection_is_told() -> None:
    async with sending() as sender:
        response = await sender.send(message(f"http://127.0.0.1:{free_port()}/"))

    assert _shown(response) == (None, WebhookError.CONNECTION_REFUSED)


async def test_a_reset_is_told() -> None:
    async def reset(writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    assert _shown((await _sent_to(reset))[0]) == (None, WebhookError.CONNECTION_FAILED)


async def _silence(_writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def test_a_receiver_that_does_not_answer_is_left_after_the_timeout() -> None:
    response, found = await _sent_to(_silence, timeout_seconds=1.0)

    assert _shown(response) == (None, WebhookError.TIMEOUT)
    assert response.latency_ms >= 990
    assert len(found.requests) == 1


async def _drip(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("before", "status"),
    [
        (b"", None),
        (b"HTTP/1.1 200 OK\r\nX-Endless: ", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n", 200),
    ],
)
async def test_a_slow_loris_is_left_after_the_timeout(before: bytes, status: int | None) -> None:
    async def loris(writer: asyncio.StreamWriter) -> None:
        writer.write(before)
        await _drip(writer)

    response, _ = await _sent_to(loris, timeout_seconds=1.5)

    assert response.status == status
    # The first byte of the first one is no beginning of a response.
    assert response.error is (WebhookError.TIMEOUT if before else WebhookError.PROTOCOL_ERROR)


@pytest.mark.parametrize("framing", [b"Content-Length: 104857600\r\n", b"", b"Transfer-Encoding: chunked\r\n"])
async def test_a_body_of_100_megabytes_is_not_read(framing: bytes) -> None:
    part = b"x" * 65_536
    chunk = b"%x\r\n%b\r\n" % (len(part), part) if b"chunked" in framing else part
    written = 0

    async def flood(writer: asyncio.StreamWriter) -> None:
        nonlocal written
        while written < 104_857_600:
            if not written:
                writer.write(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n")
            writer.write(chunk)
            written += len(part)
            await writer.drain()

    tracemalloc.start()
    async with receiver(flood) as found, sending() as sender:
        response = await sender.send(message(f"http://127.0.0.1:{found.port}/"))
        await found.closed.wait()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert _shown(response) == (200, WebhookError.RESPONSE_TOO_LARGE)
    assert response.success
    # What the buffers of both sockets hold.
    assert written < 20_000_000
    assert peak < 5_000_000


async def test_a_body_of_64_kibibytes_is_read_and_one_more_byte_is_not() -> None:
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BODY_BYTES_MAX + b"x" * BODY_BYTES_MAX
    response, _ = await _sent_to(answering(whole))
    assert _shown(response) == (200, None)

    unbounded = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (BODY_BYTES_MAX + HEAD_BYTES_MAX)
    response, _ = await _sent_to(answering(unbounded))
    assert _shown(response) == (200, WebhookError.RESPONSE_TOO_LARGE)


@pytest.mark.parametrize(
    ("head", "repeated"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"X-More: " + b"x" * 500 + b"\r\n"),
        (b"HTTP/1.1 200 OK\r\nX-One: ", b"x" * 500),
        (b"HTTP/1.1 200 O", b"K" * 500),
        (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
        (b"", b"\r\n" * 250),
    ],
)
async def test_endless_headers_are_not_read(head: bytes, repeated: bytes) -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(repeated)
            await writer.drain()

    async with receiver(endless) as found, sending() as sender:
        response = await sender.send(message(f"http://127.0.0.1:{found.port}/"))
        await found.closed.wait()

    assert _shown(response) == (None, WebhookError.RESPONSE_TOO_LARGE)


async def test_a_trailer_without_an_end_is_not_read() -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n")
        while True:
            writer.write(b"X-More: " + b"x" * 500 + b"\r\n")
            await writer.drain()

    assert _shown((await _sent_to(endless))[0]) == (200, WebhookError.RESPONSE_TOO_LARGE)


async def test_a_compressed_body_is_not_unpacked() -> None:
    bomb = gzip.compress(bytes(20_000_000))
    assert len(bomb) < BODY_BYTES_MAX
    packed = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb) + bomb

    tracemalloc.start()
    response, found = await _sent_to(answering(packed))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert _shown(response) == (200, None)
    assert peak < 2_000_000
    assert "accept-encoding" not in found.requests[0].headers


async def test_a_canceled_attempt_closes_its_connection() -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nX-Endless: ")
        await _drip(writer)

    async with receiver(endless) as found, sending() as sender:
        attempt = asyncio.create_task(sender.send(message(f"http://127.0.0.1:{found.port}/")))
        await found.requested.wait()
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt
        await found.closed.wait()


def test_everything_works_on_uvloop() -> None:
    async def attempts() -> list[tuple[int | None, WebhookError | None]]:
        flood = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 200_000
        answers = [answering(OK), closing_after(b""), answering(flood)]
        return [
            *[_shown((await _sent_to(answer))[0]) for answer in answers],
            _shown((await _sent_to(_silence, timeout_seconds=0.2))[0]),
        ]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(attempts()) == [
            (200, None),
            (None, WebhookError.CONNECTION_FAILED),
            (200, WebhookError.RESPONSE_TOO_LARGE),
            (None, WebhookError.TIMEOUT),
        ]
