"""One request and its response: uvicorn's cycle, which makes the head of a usual response in a third of the time.

uvicorn searches the name and the value of each field with a regular expression. Here, names and the lines of fields
with few values are remembered. What is not usual is left to uvicorn, which decides or refuses.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import lru_cache
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HEADER_RE, STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from gateway.adapters.http.messages import Header

DECIDED_BY_UVICORN: Final = frozenset({b"connection", b"transfer-encoding"})
"""Fields that say how a response ends."""
CONTENT_LENGTH: Final = b"content-length: "
FEW_VALUES: Final = frozenset(
    {b"cache-control", b"content-type", b"ratelimit", b"ratelimit-policy", b"x-content-type-options"}
)
"""Fields whose lines are remembered."""
LINES_MAX: Final = 1024
"""How many lines are remembered."""

_lines: Final[dict[Header, bytes]] = {}


class Cycle(RequestResponseCycle):
    """A request and its response. What is sent is the same, to the byte, as what uvicorn sends.

    Args:
        protocol: The connection. The request's headers have arrived.
        keep_alive: Whether the connection may have another request.
    """

    def __init__(self, protocol: HttpToolsProtocol, *, keep_alive: bool) -> None:
        super().__init__(
            scope=protocol.scope,
            transport=protocol.transport,
            flow=protocol.flow,
            logger=protocol.logger,
            access_logger=protocol.access_logger,
            access_log=protocol.access_log,
            default_headers=protocol.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=protocol.expect_100_continue,
            keep_alive=keep_alive,
            on_response=protocol.on_response_complete,
        )

    def begin_again(self, on_response: Callable[[], None]) -> None:
        """Begin the response to another request like the last one, whose response is complete.

        Args:
            on_response: Called when this response is complete.
        """
        self.response_started = self.response_complete = False
        self.on_response = on_response

    def send(self, message: Any) -> Awaitable[None]:  # type: ignore[override]
        """Send the head or a part of the body."""
        # No coroutine around uvicorn's: nearly each response would have one more.
        if (
            message["type"] == "http.response.start"
            and self.keep_alive
            and not self.response_started
            and not self.disconnected
            and not self.flow.write_paused
            and not self.access_log
        ):
            return self._send_head(message)
        return RequestResponseCycle.send(self, message)

    def respond(self, status: int, headers: Iterable[Header], body: bytes) -> bool:
        """Send a whole response at once. False if it is not usual: nothing was sent."""
        if not self.keep_alive or self.disconnected or self.flow.write_paused or self.access_log:
            return False
        usual = usual_head(status, self.default_headers, headers)
        if usual is None or usual[1] != len(body):
            return False
        self.response_started = self.response_complete = True
        self.transport.write(usual[0])
        self.transport.write(body)
        # As `run_asgi`: otherwise connection and cycle would hold each other.
        complete, self.on_response = self.on_response, _nothing
        complete()
        return True

    async def _send_head(self, message: Any) -> None:
        usual = usual_head(message["status"], self.default_headers, message.get("headers", ()))
        if usual is None:
            await RequestResponseCycle.send(self, message)
            return
        head, self.expected_content_length = usual
        self.response_started = True
        self.waiting_for_100_continue = False
        self.chunked_encoding = False
        self.transport.write(head)


def _nothing() -> None:
    """In place of a callback that was called."""


def usual_head(status: int, *fields: Iterable[Header]) -> tuple[bytes, int] | None:
    """The head of a response, and the length of its body. `None` if it has no length, or if uvicorn must look at it."""
    length = None
    lines = [STATUS_LINE[status]]
    for headers in fields:
        for header in headers:
            if type(header) is not tuple:
                return None  # ASGI allows any iterable, and other applications may give lists.
            line = _lines.get(header)
            if line is None:
                line = _line(header)
                if line is None:
                    return None
                if line.startswith(CONTENT_LENGTH):
                    if length is not None or not header[1].isdigit():
                        return None
                    length = int(header[1])
            lines.append(line)
    if length is None:
        return None
    lines.append(b"\r\n")
    return b"".join(lines), length


def _line(header: Header) -> bytes | None:
    """A field as it is sent, or `None` if uvicorn must look at it."""
    name, value = header
    start = _start_of_line(name)
    # Every value that uvicorn would refuse has a character that cannot be printed.
    if start is None or not value.decode("latin-1").isprintable():
        return None
    line = b"%b%b\r\n" % (start, value)
    if name in FEW_VALUES and len(_lines) < LINES_MAX:
        _lines[header] = line
    return line


@lru_cache(maxsize=256)
def _start_of_line(name: bytes) -> bytes | None:
    """The name of a field as it is sent, with what follows it; `None` if uvicorn must look at the field."""
    lower = name.lower()
    return None if HEADER_RE.search(lower) or lower in DECIDED_BY_UVICORN else lower + b": "
