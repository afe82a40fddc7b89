"""A receiver of webhooks on this machine: verifies, tells, and forwards each one."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Callable, Generator, Iterable
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Final

import click
import httpx
import msgspec
import uvicorn
from standardwebhooks import Webhook, WebhookVerificationError
from typing_extensions import override

from gateway.entrypoints.remote.gateway import Json, http_client

HOST: Final = "127.0.0.1"
BODY_BYTES_MAX: Final = 1_048_576
CONNECTIONS_MAX: Final = 100
FORWARD_SECONDS_MAX: Final = 15.0
STOP_SECONDS_MAX: Final = 2
OF_ONE_CONNECTION: Final = frozenset(
    {b"connection", b"content-length", b"expect", b"host", b"keep-alive", b"te", b"transfer-encoding", b"upgrade"}
)
"""Headers that belong to a connection, not to what is forwarded over another one."""

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request that has arrived.

    Attributes:
        event: What it brought; `None` if its signature is not right.
        outcome: What came of it, in words that are not the sender's.
    """

    event: Json | None
    outcome: str


Tell = Callable[[Arrival], None]


class Receiver:
    """An ASGI application that answers webhooks.

    Attributes:
        about: What GET answers, so that scripts can find out whom to pay.
    """

    def __init__(self, *, forward_to: str | None, tell: Tell) -> None:
        self.about: Json = {"object": "webhook_listener"}
        self._forward_to = forward_to
        self._tell = tell
        self._verifier: Webhook | None = None
        self._secret_known = asyncio.Event()
        self._http = http_client(httpx.URL(forward_to or f"http://{HOST}"), timeout=FORWARD_SECONDS_MAX)

    def know_secret(self, secret: str) -> None:
        """Verify with the secret of an endpoint: webhooks that came before wait for it."""
        self._verifier = Webhook(secret)
        self._secret_known.set()

    async def close(self) -> None:
        """Close the connections to where webhooks are forwarded."""
        await self._http.aclose()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request."""
        if scope["method"] in {"GET", "HEAD"}:
            await self._secret_known.wait()  # From then on it is known which merchant is to be paid.
            await _answer(send, 200, msgspec.json.encode(self.about) + b"\n", [(b"content-type", b"application/json")])
            return
        body = await _read(receive)
        if scope["method"] != "POST" or body is None:
            await _answer(send, 405 if body is not None else 413)
            return
        await self._secret_known.wait()
        headers: Headers = scope["headers"]
        problem = self._problem(headers, body)
        if problem is not None:
            self._tell(Arrival(None, f"NOT VERIFIED: {problem}"))
            await _answer(send, 400)
            return
        event = msgspec.json.decode(body)
        if self._forward_to is None:
            self._tell(Arrival(event, "verified"))
            await _answer(send, 204)
            return
        try:
            response = await self._forwarded(self._forward_to, scope["query_string"], headers, body)
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            self._tell(Arrival(event, f"verified, but {self._forward_to} does not answer: {reason}"))
            await _answer(send, 502)
            return
        self._tell(Arrival(event, f"verified, forwarded: {response.status_code}"))
        passed_on = [(name, value) for name, value in response.headers.raw if name.lower() == b"retry-after"]
        await _answer(send, response.status_code, headers=passed_on)

    def _problem(self, headers: Headers, body: bytes) -> str | None:
        """Why a request is not a webhook of this endpoint; `None` if it is one. The words are not the sender's."""
        assert self._verifier is not None  # noqa: S101 - the caller has waited for it.
        try:
            given = {name.decode("ascii"): value.decode("ascii") for name, value in headers}
            self._verifier.verify(body, given, json_parse=False)
        except WebhookVerificationError as error:
            return str(error)
        except ValueError:  # Text that is not ASCII or UTF-8, or a signature that is not Base64.
            return "Malformed headers or body"
        return None

    async def _forwarded(self, url: str, query: bytes, headers: Headers, body: bytes) -> httpx.Response:
        kept = [(name, value) for name, value in headers if name.lower() not in OF_ONE_CONNECTION]
        target = httpx.URL(url)
        if query:
            target = target.copy_with(query=query)
        return await self._http.send(httpx.Request("POST", target, headers=kept, content=body))


@contextmanager
def listening(port: int) -> Generator[socket.socket]:
    """A socket on the loopback interface.

    Raises:
        ClickException: The port is taken, or may not be used.
    """
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
            listener.listen()  # Only this fails if another process listens: the option lets both bind.
        except OSError as error:
            raise click.ClickException(
                f"Cannot listen on {HOST}, port {port}: {error.strerror}. Choose another one with --port."
            ) from error
        yield listener


@asynccontextmanager
async def serving(receiver: Receiver, listener: socket.socket) -> AsyncGenerator[None]:
    """Serve on a socket, and answer what has arrived before this ends."""
    config = uvicorn.Config(
        receiver,
        interface="asgi3",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=CONNECTIONS_MAX,
        timeout_graceful_shutdown=STOP_SECONDS_MAX,
    )
    server = _Server(config)
    running = asyncio.create_task(server.serve(sockets=[listener]), name="receiver")
    try:
        await server.accepts.wait()
        yield
    finally:
        server.should_exit = True
        await running
        await receiver.close()


class _Server(uvicorn.Server):
    """Leaves signals to the command, and says when it accepts connections."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.accepts = asyncio.Event()

    @override
    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.accepts.set()


async def _read(receive: Any) -> bytes | None:
    """The body of a request; `None` if it is too large, or the client has gone."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if message["type"] == "http.disconnect" or len(body) > BODY_BYTES_MAX:
            return None
        if not message.get("more_body", False):
            return bytes(body)


async def _answer(send: Any, status: int, body: bytes = b"", headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
    length = [] if status == 204 else [(b"content-length", b"%d" % len(body))]  # noqa: PLR2004 - RFC 9110, 8.6.
    await send({"type": "http.response.start", "status": status, "headers": [*length, *headers]})
    await send({"type": "http.response.body", "body": body})
