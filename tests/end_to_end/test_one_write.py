"""A response leaves the process in one piece: head and body in one write; for HTTP/1.0 without chunks."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from uvicorn import Config
from uvicorn.server import ServerState

from gateway.entrypoints.connection.limits import ConnectionLimits
from gateway.entrypoints.connection.one_write import COPIED_BYTES_MAX, OneWriteProtocol, OneWriteTransport
from gateway.entrypoints.connection.write_deadline import WriteDeadline


class Recording:
    """A transport that remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def write(self, data: bytes) -> None:
        self.told.append(data)

    def writelines(self, pieces: Sequence[bytes]) -> None:
        self.told += pieces

    def get_extra_info(self, _name: str) -> None:
        """It has no socket."""

    def get_write_buffer_size(self) -> int:
        return 0

    def close(self) -> None:
        self.told.append("closed")

    def is_closing(self) -> bool:
        return "closed" in self.told


def one_write(recording: Recording) -> OneWriteTransport:
    transport: Any = recording  # As much of one as is asked for.
    return OneWriteTransport(transport, WriteDeadline(transport, ConnectionLimits()))


async def test_a_head_waits_for_its_body() -> None:
    recording = Recording()
    transport = one_write(recording)
    transport.write(b"HTTP/1.1 201 Created\r\n\r\n")
    assert recording.told == []
    transport.write(b"{}")
    transport.write(b"more")
    assert recording.told == [b"HTTP/1.1 201 Created\r\n\r\n{}", b"more"]


async def test_a_large_body_is_not_copied_behind_its_head() -> None:
    recording = Recording()
    transport = one_write(recording)
    body = b"x" * (COPIED_BYTES_MAX + 1)
    transport.write(b"HTTP/1.1 200 OK\r\n\r\n")
    transport.write(body)
    assert recording.told[0] == b"HTTP/1.1 200 OK\r\n\r\n"
    assert recording.told[1] is body


async def test_what_only_says_to_go_on_does_not_wait() -> None:
    recording = Recording()
    one_write(recording).write(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert recording.told == [b"HTTP/1.1 100 Continue\r\n\r\n"]


async def test_a_head_without_a_body_leaves_when_the_connection_closes() -> None:
    recording = Recording()
    transport = one_write(recording)
    transport.write(b"HTTP/1.1 500 Internal Server Error\r\n\r\n")
    transport.close()
    assert recording.told == [b"HTTP/1.1 500 Internal Server Error\r\n\r\n", "closed"]
    assert transport.is_closing()


async def test_a_head_without_a_body_leaves_when_the_response_is_complete() -> None:
    recording = Recording()
    transport = one_write(recording)
    transport.write(b"HTTP/1.1 200 OK\r\n\r\n")
    transport.flush()
    transport.flush()
    assert recording.told == [b"HTTP/1.1 200 OK\r\n\r\n"]


@asynccontextmanager
async def served(
    parts: Sequence[bytes], headers: Sequence[tuple[bytes, bytes]] = ()
) -> AsyncGenerator[tuple[str, int]]:
    """An application that answers each request with these parts of a body, behind our protocol."""

    async def answer(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": list(headers)})
        for part in parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    config = Config(answer, log_config=None, lifespan="off", proxy_headers=False, access_log=False)
    config.load()
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(lambda: OneWriteProtocol(config, state, {}), "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()


async def answered(address: tuple[str, int], request: bytes) -> tuple[bytes, bytes]:
    """Head and body of what comes until the connection closes."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(request)
    async with asyncio.timeout(10):
        content = await reader.read()
    writer.close()
    head, _, body = content.partition(b"\r\n\r\n")
    return head.lower(), body


async def test_a_body_without_a_length_is_not_chunked_for_http_1_0() -> None:
    async with served([b"id: 1\n\n", b"id: 2\n\n"]) as address:
        for asked in (b"", b"Connection: keep-alive\r\n"):
            head, body = await answered(address, b"GET / HTTP/1.0\r\n" + asked + b"\r\n")
            assert body == b"id: 1\n\nid: 2\n\n"
            assert b"transfer-encoding" not in head
            assert b"connection: close" in head
        head, body = await answered(address, b"HEAD / HTTP/1.0\r\n\r\n")
        assert (body, b"transfer-encoding" in head) == (b"", False)
        head, body = await answered(address, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert body == b"7\r\nid: 1\n\n\r\n7\r\nid: 2\n\n\r\n0\r\n\r\n"
        assert b"transfer-encoding: chunked" in head


async def test_a_body_with_a_length_is_the_same_for_http_1_0() -> None:
    async with served([b"{", b"}"], [(b"content-length", b"2")]) as address:
        head, body = await answered(address, b"GET / HTTP/1.0\r\n\r\n")
        assert body == b"{}"
        assert b"content-length: 2" in head
