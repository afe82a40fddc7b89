"""Requests as a server hands them to the application: for what no client library would send."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec
from litestar import Litestar

Message = dict[str, Any]


@dataclass(slots=True)
class RawAnswer:
    """Every message that the application sent."""

    messages: list[Message] = field(default_factory=list[Message])

    @property
    def is_empty(self) -> bool:
        return not self.messages

    @property
    def status(self) -> int:
        status: int = self.messages[0]["status"]
        return status

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.messages[0]["headers"])

    @property
    def body(self) -> bytes:
        return b"".join(message["body"] for message in self.messages[1:])

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


async def ask(
    app: Litestar,
    method: str,
    path: str,
    *,
    headers: Sequence[tuple[bytes, bytes]] = (),
    chunks: Sequence[bytes] = (),
    hangs_after_chunks: bool = False,
    disconnects_after_chunks: bool = False,
    kind: str = "http",
) -> RawAnswer:
    """Send one request and wait until the application is done with it.

    The body is complete after `chunks`, unless the client then hangs or disconnects.
    """
    answer = RawAnswer()
    waiting = list(chunks)
    is_complete = not (hangs_after_chunks or disconnects_after_chunks)

    async def receive() -> Message:
        if waiting:
            chunk = waiting.pop(0)
            return {"type": "http.request", "body": chunk, "more_body": bool(waiting) or not is_complete}
        if disconnects_after_chunks:
            return {"type": "http.disconnect"}
        if hangs_after_chunks:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        answer.messages.append(message)

    scope = {
        "type": kind,
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(errors="replace"),
        "query_string": b"",
        "root_path": "",
        "headers": list(headers),
        "client": ("192.0.2.1", 50_000),
        "server": ("gateway.test", 80),
        "state": {},
    }
    if kind == "websocket":
        del scope["method"]
    await app(cast("Any", scope), cast("Any", receive), cast("Any", send))  # Plain messages, as servers send them.
    return answer
