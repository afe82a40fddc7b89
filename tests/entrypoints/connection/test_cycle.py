"""Responses are sent as uvicorn sends them, to the byte, and what uvicorn refuses is refused."""

import asyncio
import logging
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from gateway.adapters.http.messages import Header
from gateway.entrypoints.connection import cycle as cycles
from gateway.entrypoints.connection.cycle import LINES_MAX, Cycle, usual_head

LENGTH: Header = (b"content-length", b"2")
JSON: Header = (b"content-type", b"application/json")

names = st.sampled_from(
    [b"content-length", b"Content-Length", b"content-type", b"request-id", b"connection", b"Transfer-Encoding", b"a b"]
) | st.binary(max_size=3)
values = st.sampled_from([b"2", b"02", b"", b"close", b"Keep-Alive, Close", b"chunked"]) | st.binary(max_size=4)
headers = st.lists(st.tuples(names, values), max_size=4)


class Connection:
    """A connection that keeps what is written to it."""

    def __init__(self, default_headers: Sequence[Header]) -> None:
        self.written: list[bytes] = []
        self.scope = {"method": "POST", "http_version": "1.1"}
        self.transport = SimpleNamespace(write=self.written.append, close=lambda: self.written.append(b"closed"))
        self.flow = SimpleNamespace(write_paused=False)
        self.server_state = SimpleNamespace(default_headers=list(default_headers))
        self.logger = self.access_logger = logging.getLogger("test")
        self.access_log = self.expect_100_continue = False

    def on_response_complete(self) -> None:
        """The response is complete."""


def of_uvicorn(connection: Any, *, keep_alive: bool) -> RequestResponseCycle:
    return RequestResponseCycle(
        scope=connection.scope,
        transport=connection.transport,
        flow=connection.flow,
        logger=connection.logger,
        access_logger=connection.access_logger,
        access_log=connection.access_log,
        default_headers=connection.server_state.default_headers,
        message_event=asyncio.Event(),
        expect_100_continue=connection.expect_100_continue,
        keep_alive=keep_alive,
        on_response=connection.on_response_complete,
    )


def of_gateway(connection: Any, *, keep_alive: bool) -> RequestResponseCycle:
    return Cycle(connection, keep_alive=keep_alive)


async def sent(cycle: RequestResponseCycle, written: list[bytes], start: Any, body: Any) -> object:
    """What is written for a response, and what became of the cycle; or the refusal."""
    try:
        await cycle.send(start)
        await cycle.send(body)
    except (RuntimeError, ValueError) as refusal:
        return type(refusal), str(refusal)
    return b"".join(written), cycle.response_complete, cycle.keep_alive, cycle.chunked_encoding


@given(st.sampled_from([200, 201, 204, 304, 503]), headers, st.lists(st.just((b"date", b"now"))))
@example(201, [JSON, LENGTH], [])
@example(201, [JSON, (b"request-id", b"a\r\nset-cookie: b"), LENGTH], [])
@example(201, [JSON, (b"request-id", b"\xe9"), LENGTH], [])
@example(201, [LENGTH, LENGTH], [])
@example(201, [LENGTH], [LENGTH])
async def test_a_response_is_the_same_as_uvicorns(
    status: int, fields: list[Header], default_headers: list[Header]
) -> None:
    start = {"type": "http.response.start", "status": status, "headers": fields}
    body = {"type": "http.response.body", "body": b"{}"}
    for keep_alive in (True, False):
        outcomes: list[object] = []
        for kind in (of_uvicorn, of_gateway):
            connection = Connection(default_headers)
            outcomes.append(await sent(kind(connection, keep_alive=keep_alive), connection.written, start, body))
        assert outcomes[1] == outcomes[0]


def test_a_usual_head_needs_no_uvicorn() -> None:
    fields = [(b"request-id", b"req_1"), JSON, LENGTH]
    expected = (
        b"HTTP/1.1 201 Created\r\nrequest-id: req_1\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n"
    )
    assert usual_head(201, fields) == (expected, 2)
    assert usual_head(201, fields[:1], fields[1:]) == (expected, 2)


@pytest.mark.parametrize("other", [(b"connection", b"close"), (b"x", b"\x00"), (b"x y", b"z"), LENGTH, [b"x", b"z"]])
def test_uvicorn_looks_at_what_is_not_usual(other: Any) -> None:
    assert usual_head(200, [LENGTH, other]) is None


def test_few_lines_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    remembered: dict[Header, bytes] = {}
    monkeypatch.setattr(cycles, "_lines", remembered)
    for number in range(LINES_MAX + 10):
        rate = (b"ratelimit", b"%d" % number)
        head, _ = usual_head(200, [(b"request-id", b"%d" % number), rate, LENGTH]) or (b"", 0)
        assert b"ratelimit: %d\r\n" % number in head
    assert len(remembered) == LINES_MAX
    assert {name for name, _ in remembered} == {b"ratelimit"}
