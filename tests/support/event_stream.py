"""A reader of server-sent events over a real socket."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from support.load import Person
from support.servers import Server

TIMEOUT_SECONDS = 60


@dataclass(slots=True)
class Message:
    """One message, as the standard's algorithm reads it."""

    id: str = ""
    event: str = ""
    data: str = ""

    @property
    def json(self) -> Any:
        return json.loads(self.data)


@dataclass(slots=True)
class Listener:
    """A browser's EventSource, nearly: reads messages, and remembers the last id."""

    lines: AsyncIterator[str]
    last_id: str = ""
    comments: list[str] = field(default_factory=list[str])

    async def messages(self) -> AsyncIterator[Message]:
        message = Message()
        async for line in self.lines:
            if not line:
                if message.data:
                    self.last_id = message.id or self.last_id
                    yield message
                message = Message()
            elif line.startswith(":"):
                self.comments.append(line[1:].strip())
            else:
                name, _, value = line.partition(":")
                if name in {"id", "event", "data"}:
                    setattr(message, name, value.removeprefix(" "))

    async def read(self, count: int) -> list[Message]:
        """The next messages, so many of them."""
        seen: list[Message] = []
        async with asyncio.timeout(TIMEOUT_SECONDS):
            async for message in self.messages():
                seen.append(message)
                if len(seen) == count:
                    break
        assert len(seen) == count, f"The stream ended after {len(seen)} messages: {self.comments}"
        return seen

    async def until_comment(self) -> str:
        """The next comment."""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            async for line in self.lines:
                if line.startswith(":"):
                    return line[1:].strip()
        raise AssertionError("The stream ended.")

    async def ended(self) -> list[str]:
        """Read to the end. The comments."""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            try:
                async for _ in self.messages():
                    pass
            except httpx.TransportError:
                self.comments.append("cut")
        return self.comments


@asynccontextmanager
async def listening(server: Server, person: Person, *, last_id: str = "", **params: str) -> AsyncIterator[Listener]:
    """An open stream of somebody's events."""
    headers = person.headers | ({"Last-Event-ID": last_id} if last_id else {})
    async with (
        httpx.AsyncClient(base_url=server.url, timeout=TIMEOUT_SECONDS) as http,
        http.stream("GET", "/events/stream", headers=headers, params=params) as response,
    ):
        assert response.status_code == 200, await response.aread()
        assert response.headers["content-type"] == "text/event-stream"
        listener = Listener(response.aiter_lines())
        assert await listener.until_comment() == "open"
        yield listener
