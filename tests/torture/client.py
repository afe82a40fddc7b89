"""A client that says what came back, and what did not: httpx takes ten times the processor time of a request."""

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from support.load import PASSWORD, Person

ANSWER_SECONDS_MAX = 30.0
"""Longer than any server may take: one that takes longer hangs."""

NO_ANSWER = (OSError, EOFError, TimeoutError)
"""What `Client.post` raises if the connection ends before the answer does, or nothing comes."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response. The names of its headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


@dataclass(slots=True, eq=False)
class Operation:
    """A request under a key, sent until its outcome is known.

    Attributes:
        key: Its idempotency key.
        path: Where it is sent.
        body: What it asks for.
        who: Who asks.
        answer: The answer that said that it was carried out; None while nobody has said so.
        attempts: How often it was sent.
    """

    key: str
    path: str
    body: dict[str, Any]
    who: Person
    answer: Answer | None = None
    attempts: int = 0


class Client:
    """One connection to one server, made anew whenever it has ended."""

    def __init__(self, url: str) -> None:
        self._host = urlsplit(url).netloc
        self._connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._tokens: dict[str, dict[str, str]] = {}

    async def send(self, operation: Operation) -> Answer:
        """Send an operation under its key. Raises as `post` does."""
        token = self._tokens.get(operation.who.id, operation.who.headers)
        return await self.post(operation.path, operation.body, token | {"Idempotency-Key": operation.key})

    async def log_in(self, who: Person) -> None:
        """Get a token for this server alone: servers whose clocks differ refuse each other's. It may fail."""
        with suppress(*NO_ANSWER):
            answer = await self.post("/users/login", {"email": who.email, "password": PASSWORD}, {})
            if answer.status == 200:
                self._tokens[who.id] = {"Authorization": f"Bearer {answer.json['access_token']}"}

    async def post(self, path: str, body: dict[str, Any], headers: dict[str, str]) -> Answer:
        """Send a request, and wait for its answer.

        Raises:
            OSError, EOFError, TimeoutError: There is no answer: nobody knows what has happened.
        """
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                return await self._exchange(path, json.dumps(body).encode(), headers)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the connection."""
        if self._connection is not None:
            self._connection[1].transport.abort()
            self._connection = None

    async def _exchange(self, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        if self._connection is None or self._connection[0].at_eof():
            self.close()
            host, _, port = self._host.partition(":")
            self._connection = await asyncio.open_connection(host, int(port))
        reader, writer = self._connection
        lines = [f"POST {path} HTTP/1.1", f"Host: {self._host}", "Content-Type: application/json"]
        lines += [f"Content-Length: {len(body)}", *(f"{name}: {value}" for name, value in headers.items())]
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        found = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])}
        answer = Answer(int(head[0].split()[1]), found, await reader.readexactly(int(found["content-length"])))
        if found.get("connection") == "close":
            self.close()
        return answer


async def pause(seconds: float, until: asyncio.Event) -> None:
    """Wait so long, or until the event, if that comes first."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await until.wait()
