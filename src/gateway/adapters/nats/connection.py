"""A connection to NATS: made, used until something fails, and closed for good.

nats-py can reconnect by itself, and then sends what it buffered meanwhile. Here a failed group of events is published
again from its beginning, over a new connection: what was buffered must not be sent before it.
"""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from typing import Final
from urllib.parse import unquote, urlsplit

from nats.aio.client import Client
from nats.errors import ConnectionClosedError, Error
from nats.js import JetStreamContext

from gateway.adapters.nats.options import NatsOptions, NatsRefused, check_credentials
from gateway.application.ports.event_sink import SinkUnavailable

FAILURES: Final = (Error, OSError, TimeoutError, ValueError)
"""What connecting and publishing raise when the server or the network is at fault."""

CLOSE_SECONDS_MAX: Final = 2.0
"""How long closing may take. A server that hangs does not read what is still to be sent."""

PING_SECONDS: Final = 10
"""How often a silent server is asked whether it is there; it has as long to answer."""


class NatsConnection:
    """One connection. Made by `connect`.

    Attributes:
        jetstream: Publishes.
    """

    def __init__(self, options: NatsOptions) -> None:
        self._options = options
        self._client = Client()
        self.jetstream = JetStreamContext(self._client, timeout=options.acknowledge_seconds_max)
        self._failed = asyncio.Event()
        self._last_error: Exception | None = None

    async def open(self, server: str) -> None:
        """Connect and log in.

        Raises:
            SinkUnavailable: It failed; the connection is closed.
        """
        options, parts = self._options, urlsplit(server)
        address = parts.netloc.rpartition("@")[2]
        user, password = (unquote(text) if text else None for text in (parts.username, parts.password))

        def after_tls(secret: str) -> str:
            # The client begins TLS only if the server asks for it: without this, anybody on the way could turn it off.
            if parts.scheme == "tls" and not self._client._server_info.get("tls_required"):  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
                raise ConnectionError("the server does not use TLS, and its URL begins with tls://")
            return secret

        try:
            async with asyncio.timeout(options.connect_seconds_max):
                await self._client.connect(
                    f"{parts.scheme}://{address}",
                    name="gateway events",
                    error_cb=self._notice,
                    closed_cb=self._notice_end,
                    allow_reconnect=False,
                    max_reconnect_attempts=1,
                    reconnect_time_wait=0,
                    connect_timeout=max(1, round(options.connect_seconds_max)),
                    ping_interval=PING_SECONDS,
                    max_outstanding_pings=1,
                    user=None if user is None else lambda: after_tls(user),
                    password=None if password is None else lambda: after_tls(password),
                    user_credentials=None if options.credentials_file is None else str(options.credentials_file),
                    tls=options.tls,
                )
            after_tls("")
            # A first try may have failed before the one that succeeded.
            self._failed.clear()
            self._last_error = None
        except FAILURES as error:
            await self.close()
            # "No servers available" says less than the error before it.
            cause = self._last_error or error
            raise SinkUnavailable(f"{address}: {str(cause) or type(cause).__name__}") from None

    @property
    def failed(self) -> bool:
        """Whether the server closed it or reported an error since it was opened."""
        return self._failed.is_set()

    async def unless_it_fails(self, work: Awaitable[None]) -> None:
        """Do work, and cancel it if the connection fails first.

        Raises:
            ConnectionClosedError: The connection was closed.
            Error: The server reported an error, such as a missing permission.
        """
        working = asyncio.ensure_future(work)
        failing = asyncio.ensure_future(self._failed.wait())
        try:
            await asyncio.wait([working, failing], return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise self._last_error or ConnectionClosedError
        finally:
            failing.cancel()
            working.cancel()
            await asyncio.gather(working, failing, return_exceptions=True)
        working.result()

    async def close(self) -> None:
        """Close it, if it is open."""
        with suppress(*FAILURES):
            async with asyncio.timeout(CLOSE_SECONDS_MAX):
                await self._client.close()

    async def _notice(self, error: Exception) -> None:
        self._last_error = error
        self._failed.set()

    async def _notice_end(self) -> None:
        self._failed.set()


async def connect(options: NatsOptions) -> NatsConnection:
    """Connect to the first server that answers.

    Raises:
        SinkUnavailable: None does, or the file of credentials cannot be used any more.
    """
    if options.credentials_file is not None:
        try:
            check_credentials(options.credentials_file)
        except NatsRefused as refused:
            raise SinkUnavailable(str(refused)) from None
    failures: list[str] = []
    for server in options.servers:
        connection = NatsConnection(options)
        try:
            await connection.open(server)
        except SinkUnavailable as unavailable:
            failures.append(str(unavailable))
            continue
        return connection
    raise SinkUnavailable("; ".join(failures))
