"""Clients that wear the server down by what they send, or do not send, or do not read: each costs next to nothing.

One server with short deadlines serves all of them; its other limits are the usual ones.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from itertools import chain, repeat

import psutil  # type: ignore[import-untyped]  # psutil ships no types.
import pytest

from gateway.entrypoints.connection.limits import ConnectionLimits
from support import short_deadlines
from support.raw_connections import RawResponse, answer_to, connected
from support.servers import Server
from support.short_deadlines import HEAD_SECONDS, LINGER_SECONDS, WRITE_SECONDS

MIB = 1024 * 1024
KEEP_ALIVE_SECONDS = 2
TOLERANCE_SECONDS = 8.0
"""How much later than it should a busy machine may close a connection."""
LIVE = b"GET /health/live HTTP/1.1\r\nHost: a\r\n"
LOGIN = b"POST /users/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
LARGE_FILE = "/docs/static/swagger-ui-bundle.js"
UNREAD_RESPONSES = 300
"""With a copy of the file for each, they would take 500 MiB."""
PIPELINING_CLIENTS = 20
"""With all their requests, they would take 440 MiB."""


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    gateway = short_deadlines.installation(tmp_path_factory.mktemp("hostile"))
    async with gateway.serving(GATEWAY_KEEP_ALIVE_SECONDS=str(KEEP_ALIVE_SECONDS)) as running:
        yield running


class Memory:
    """How much more memory the server has than at the beginning."""

    def __init__(self, server: Server) -> None:
        self._process = psutil.Process(server.pid)
        self._before = self._bytes()

    def grown(self) -> float:
        """In MiB."""
        return (self._bytes() - self._before) / MIB

    def _bytes(self) -> int:
        resident: int = self._process.memory_info().rss
        return resident


def pieces_of(unit: bytes, mebibytes: int) -> Iterator[bytes]:
    """So much of one unit, in pieces of a quarter of a MiB."""
    piece = unit * (MIB // 4 // len(unit))
    return repeat(piece, mebibytes * 4)


@pytest.mark.parametrize(
    ("unit", "mebibytes"),
    [
        pytest.param(b"x", 192, id="a header value without an end"),
        pytest.param(b"x-fill: " + b"y" * 1000 + b"\r\n", 192, id="headers without an end"),
        pytest.param(b"x: y\r\n", 64, id="one repeated header"),
        pytest.param(b":\r\n", 16, id="headers without names"),
    ],
)
async def test_headers_without_an_end_are_refused_before_they_are_kept(
    server: Server, unit: bytes, mebibytes: int
) -> None:
    start = [LIVE, b"x-long: " if unit == b"x" else b""]
    await answer_to(server.port, chain(start, pieces_of(unit, 1)))  # Buffers that the server keeps are made here.
    memory = Memory(server)
    answer = await answer_to(server.port, chain(start, pieces_of(unit, mebibytes)))
    if unit == b":\r\n":
        answer.problem(400, "validation_error")
    else:
        answer.problem(431, "headers_too_large")
    assert memory.grown() <= 1


async def test_a_header_name_of_32_mebibytes_is_refused_before_it_is_kept(server: Server) -> None:
    await answer_to(server.port, chain([LIVE], pieces_of(b"x", 1)))
    memory = Memory(server)
    answer = await answer_to(server.port, chain([LIVE], pieces_of(b"x", 32), [b": y\r\n\r\n"]))
    answer.problem(431, "headers_too_large")
    assert memory.grown() <= 1


async def test_a_request_line_without_an_end_is_refused_before_it_is_kept(server: Server) -> None:
    await answer_to(server.port, chain([b"GET /"], pieces_of(b"x", 1)))
    memory = Memory(server)
    answer = await answer_to(server.port, chain([b"GET /"], pieces_of(b"x", 32)))
    answer.problem(431, "headers_too_large")
    assert memory.grown() <= 1


def head_of(size: int) -> bytes:
    """A request without a body, of this size."""
    begin, end = LIVE + b"Connection: close\r\nx-fill: ", b"\r\n\r\n"
    return begin + b"y" * (size - len(begin + end)) + end


@pytest.mark.parametrize("piece_bytes", [100_000, 16_000, 500])
async def test_16_kibibytes_before_the_body_are_taken_and_not_one_byte_more(server: Server, piece_bytes: int) -> None:
    def pieces(size: int) -> list[bytes]:
        head = head_of(size)
        return [head[:50], *(head[begin : begin + piece_bytes] for begin in range(50, size, piece_bytes))]

    assert (await answer_to(server.port, pieces(16 * 1024))).status == 200
    (await answer_to(server.port, pieces(16 * 1024 + 1))).problem(431, "headers_too_large")


async def test_100_headers_are_taken_and_no_101st(server: Server) -> None:
    fill = b"".join(b"x-%d: y\r\n" % number for number in range(98))
    assert (await answer_to(server.port, [LIVE + b"Connection: close\r\n" + fill + b"\r\n"])).status == 200
    for end in (b"x: y\r\n\r\n", b"x: y\r\n" * 2):  # Refused as soon as it is known, not when the rest fails to come.
        answer = await answer_to(server.port, [LIVE + b"Connection: close\r\n" + fill + end])
        answer.problem(431, "headers_too_large")


async def test_a_refusal_has_the_request_id_of_the_client(server: Server) -> None:
    answer = await answer_to(server.port, [LIVE + b"Request-Id: order-4711\r\nx: " + b"y" * 20_000 + b"\r\n\r\n"])
    assert answer.problem(431, "headers_too_large")["request_id"] == "order-4711"


@pytest.mark.parametrize(
    "head",
    [
        b"GET /health/live HTTP/1.1\r\n\r\n",
        b"GET /health/live HTTP/2.0\r\nHost: a\r\n\r\n",
        b"GET /health/live HTTP/0.9\r\nHost: a\r\n\r\n",
    ],
    ids=["no Host", "HTTP/2.0", "HTTP/0.9"],
)
async def test_a_request_without_a_host_or_of_another_version_is_refused(server: Server, head: bytes) -> None:
    (await answer_to(server.port, [head])).problem(400, "validation_error")


async def test_a_request_of_http_1_0_needs_no_host(server: Server) -> None:
    assert (await answer_to(server.port, [b"GET /health/live HTTP/1.0\r\n\r\n"])).status == 200


async def test_a_connection_that_sends_nothing_is_closed(server: Server) -> None:
    async with connected(server.port) as connection:
        assert await connection.seconds_until_closed() < HEAD_SECONDS + TOLERANCE_SECONDS


@pytest.mark.parametrize(
    "request_begin",
    [
        pytest.param(b"GET /hea", id="half a request line"),
        pytest.param(LIVE + b"x-fill: y", id="half a header"),
    ],
)
async def test_a_head_that_does_not_arrive_in_time_is_refused(server: Server, request_begin: bytes) -> None:
    (await answer_to(server.port, [request_begin])).problem(408, "request_timeout")


async def test_a_head_that_comes_byte_by_byte_is_refused_when_its_time_is_over(server: Server) -> None:
    drip = [LIVE + b"x: ", *[b"y"] * 1000]
    began = asyncio.get_running_loop().time()
    (await answer_to(server.port, drip, pause=0.1)).problem(408, "request_timeout")
    assert asyncio.get_running_loop().time() - began < HEAD_SECONDS + TOLERANCE_SECONDS


async def test_the_head_of_a_later_request_has_a_deadline_too(server: Server) -> None:
    async with connected(server.port) as connection:
        await connection.send(LIVE + b"\r\n")
        assert b"200 OK" in await connection.read()
        dripping = asyncio.create_task(connection.send_slowly([b"GET /", *[b"x"] * 1000], pause=0.1))
        RawResponse.parse(await connection.rest()).problem(408, "request_timeout")
        await dripping


async def test_a_connection_with_a_request_now_and_then_stays_open(server: Server) -> None:
    async with connected(server.port) as connection:
        for _ in range(5):
            await connection.send(LIVE + b"\r\n")
            assert b"200 OK" in await connection.read()
            await asyncio.sleep(KEEP_ALIVE_SECONDS * 0.3)


async def test_an_idle_connection_is_closed_although_bytes_come(server: Server) -> None:
    async with connected(server.port) as connection:
        await connection.send(LIVE + b"\r\n")
        assert b"200 OK" in await connection.read()
        dripping = asyncio.create_task(connection.send_slowly(repeat(b"\r\n", 1000), pause=0.1))
        assert await connection.seconds_until_closed() < KEEP_ALIVE_SECONDS + TOLERANCE_SECONDS
        await dripping


async def test_a_body_that_is_dripped_after_its_response_ends_the_connection(server: Server) -> None:
    async with connected(server.port) as connection:
        await connection.send(b"POST /payments HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n")
        assert b"401 Unauthorized" in await connection.read()
        dripping = asyncio.create_task(connection.send_slowly(repeat(b"x", 1000), pause=0.1))
        assert await connection.seconds_until_closed() < LINGER_SECONDS + TOLERANCE_SECONDS
        await dripping


async def test_a_body_that_arrives_soon_after_its_response_leaves_the_connection_open(server: Server) -> None:
    async with connected(server.port) as connection:
        await connection.send(b"POST /payments HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nx")
        assert b"401 Unauthorized" in await connection.read()
        await connection.send(b"xxxx")
        await asyncio.sleep(LINGER_SECONDS * 1.4)
        await connection.send(LIVE + b"\r\n")
        assert b"200 OK" in await connection.read()


async def test_clients_that_never_read_a_large_file_share_its_bytes_and_lose_their_connections(server: Server) -> None:
    request = f"GET {LARGE_FILE} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
    async with server.client() as http:
        assert len((await http.get(LARGE_FILE)).content) > MIB  # The server loads it when it is first asked for.
    async with AsyncExitStack() as stack:
        readers = [await stack.enter_async_context(connected(server.port)) for _ in range(UNREAD_RESPONSES)]
        memory = Memory(server)
        await asyncio.gather(*(reader.send(request) for reader in readers))
        await server.until_read()
        assert memory.grown() <= UNREAD_RESPONSES * 50 / 3000
        await asyncio.sleep(WRITE_SECONDS)
        taken = await asyncio.gather(*(reader.rest() for reader in readers))
    assert max(map(len, taken)) < MIB


async def test_a_client_that_reads_a_byte_now_and_then_loses_its_connection(server: Server) -> None:
    async with connected(server.port, receive_bytes_max=4096) as reader:
        await reader.send(f"GET {LARGE_FILE} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        for _ in range(round((2 * WRITE_SECONDS + 1) / 0.1)):
            await reader.read(1)
            await asyncio.sleep(0.1)
        assert len(await reader.rest()) < MIB


async def test_a_slow_client_that_goes_on_reading_gets_all_of_a_file(server: Server) -> None:
    async with connected(server.port, receive_bytes_max=65_536) as reader:
        await reader.send(f"GET {LARGE_FILE} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        content = bytearray()
        while piece := await reader.read(100_000):
            content += piece
            await asyncio.sleep(0.15)
    answer = RawResponse.parse(bytes(content))
    assert len(answer.body) == int(answer.headers["content-length"]) > MIB


async def test_requests_that_are_sent_without_reading_a_response_are_few(server: Server) -> None:
    """Each request that waits takes 3 KiB: of 7,000 in 300 KB, 22 MiB were kept for each connection."""
    pipelined = b"GET /docs HTTP/1.1\r\nHost: a\r\n\r\n" * 8_000
    async with AsyncExitStack() as stack:
        writers = [await stack.enter_async_context(connected(server.port)) for _ in range(PIPELINING_CLIENTS)]
        memory = Memory(server)
        await asyncio.gather(*(writer.send(pipelined) for writer in writers))
        await server.until_read()
        assert memory.grown() <= PIPELINING_CLIENTS / 4
        for content in await asyncio.gather(*(writer.rest() for writer in writers)):
            # One was being answered, and as many as may wait, waited.
            assert 1 <= content.count(b"HTTP/1.1 200 OK") <= 1 + ConnectionLimits().pipelined_max


async def test_requests_that_wait_for_earlier_responses_are_answered_in_order(server: Server) -> None:
    paths = [b"/docs", b"/health/live", b"/openapi.json"] * 3
    async with connected(server.port) as connection:
        await connection.send(b"".join(b"HEAD %b HTTP/1.1\r\nHost: a\r\n\r\n" % path for path in paths))
        content = await connection.responses(len(paths))
        await connection.send(LIVE + b"Connection: close\r\n\r\n")
        assert RawResponse.parse(await connection.rest()).status == 200
    kinds = [line.partition(b": ")[2] for line in content.split(b"\r\n") if line.startswith(b"content-type")]
    assert kinds == [b"text/html; charset=utf-8", b"application/json", b"application/json"] * 3


async def test_trailer_fields_do_not_become_headers(server: Server) -> None:
    trailers = b"Request-Id: of-the-trailer\r\nContent-Type: text/plain\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n"
    async with connected(server.port) as connection:
        await connection.send(LOGIN + b"2\r\n{}\r\n0\r\n" + trailers + LIVE + b"\r\n")
        content = await connection.responses(2)
    assert b"of-the-trailer" not in content
    assert b'"code":"validation_error"' in content


@pytest.mark.parametrize("field", [pytest.param(b"x" * 32, id="a name"), pytest.param(b"x: y\r\n", id="fields")])
async def test_trailer_fields_without_an_end_are_refused_before_they_are_kept(server: Server, field: bytes) -> None:
    await answer_to(server.port, chain([LOGIN, b"2\r\n{}\r\n0\r\n"], pieces_of(field, 1)))
    memory = Memory(server)
    answer = await answer_to(server.port, chain([LOGIN, b"2\r\n{}\r\n0\r\n"], pieces_of(field, 64)))
    answer.problem(431, "headers_too_large")
    assert memory.grown() <= 1


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", id="TLS"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nx y: z\r\n\r\n", id="a space in a name"),
        pytest.param(b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n", id="a path that is not ASCII"),
        pytest.param(LOGIN + b"2\r\n{}\r\nzz\r\n", id="a chunk without a size"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", id="two lengths"),
    ],
)
async def test_what_is_not_http_is_refused_with_a_problem(server: Server, request_: bytes) -> None:
    (await answer_to(server.port, [request_])).problem(400, "validation_error")


async def test_an_error_behind_a_request_does_not_become_its_answer(server: Server) -> None:
    answer = await answer_to(server.port, [LIVE + b"\r\n" + b"\x00 garbage"])
    assert (answer.status, b'"status":"ok"' in answer.body) == (200, True)
    assert b"HTTP/1.1 400" not in answer.body
