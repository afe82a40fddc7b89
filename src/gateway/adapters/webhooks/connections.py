"""PinnedConnections: connections to receivers, each to an address that was checked."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from itertools import chain, zip_longest
from typing import Final

from gateway.adapters.webhooks.addresses import Address
from gateway.adapters.webhooks.connection import HttpConnection
from gateway.adapters.webhooks.name_lookup import NameLookup
from gateway.adapters.webhooks.rules import SendingRules
from gateway.domain.user import UserId
from gateway.domain.webhook_url import WebhookUrl

CONNECT_SECONDS_MAX: Final = 4.0
"""The longest time to connect to one address, TLS included."""
ADDRESSES_TRIED_MAX: Final = 3
CONNECTION_SECONDS_MAX: Final = 60.0
"""After this time a connection gets no new request: the next one looks the name up, and checks its addresses, again."""
IDLE_SECONDS_MAX: Final = 10.0
IDLE_OF_A_RECEIVER_MAX: Final = 128
"""Several endpoints may be of one host, and each has up to 32 requests in flight."""
IDLE_MAX: Final = 512

_Receiver = tuple[str, str, int]


async def checked_addresses(
    url: WebhookUrl, owner_id: UserId, *, rules: SendingRules, lookup: NameLookup
) -> tuple[Address, ...]:
    """The addresses of the host, each of them allowed.

    Raises:
        DestinationRefused: Scheme, port or an address is not allowed.
        NameNotResolved: There is no address.
        RateLimited, Overloaded: The host was not looked up, as too many look-ups of this owner, or of all, run or wait.
    """
    rules.check_scheme(url)
    found = (url.address,) if url.address is not None else await lookup.addresses(url.host, caller=owner_id)
    return rules.checked(url, found)


class PinnedConnections:
    """Opens connections, and keeps idle ones for the next request to the same scheme, host and port.

    A host name is looked up once for each new connection. The addresses that were found are checked, and the connection
    goes to one of them by its number: no second look-up could give another address. The certificate must be the
    host's.
    """

    def __init__(self, *, rules: SendingRules, lookup: NameLookup, tls: Callable[[], ssl.SSLContext]) -> None:
        self._rules = rules
        self._lookup = lookup
        self._tls = tls
        self._tls_context: ssl.SSLContext | None = None
        self._tls_lock = asyncio.Lock()
        self._idle: dict[_Receiver, list[HttpConnection]] = {}
        self._idle_count = 0
        self._sweep_timer: asyncio.TimerHandle | None = None
        self._closed = False

    def take(self, url: WebhookUrl) -> HttpConnection | None:
        """An idle connection, if there is one."""
        idle = self._idle.get(_receiver(url))
        now = asyncio.get_running_loop().time()
        while idle:
            connection = idle.pop()
            self._idle_count -= 1
            if _is_usable(connection, now):
                return connection
            connection.abort()
        return None

    async def open(self, url: WebhookUrl, owner_id: UserId) -> HttpConnection:
        """A new connection.

        Raises:
            DestinationRefused: As `checked_addresses`.
            NameNotResolved: As `checked_addresses`.
            RateLimited, Overloaded: As `checked_addresses`.
            OSError: No address can be reached (`TimeoutError` if it took too long), or TLS fails (`ssl.SSLError`).
        """
        addresses = _order_of_attempts(await checked_addresses(url, owner_id, rules=self._rules, lookup=self._lookup))
        for address in addresses[:-1]:
            try:
                return await self._connect(url, address)
            except ssl.SSLError:
                raise
            except OSError:
                continue
        return await self._connect(url, addresses[-1])

    def give_back(self, url: WebhookUrl, connection: HttpConnection) -> None:
        """Keep a connection for the next request, unless it is closed, old, or one too many."""
        loop = asyncio.get_running_loop()
        connection.idle_since = loop.time()
        receiver = _receiver(url)
        idle = self._idle.get(receiver, [])
        has_room = self._idle_count < IDLE_MAX and len(idle) < IDLE_OF_A_RECEIVER_MAX and not self._closed
        if not has_room or not _is_usable(connection, connection.idle_since):
            connection.abort()
            return
        idle.append(connection)
        self._idle[receiver] = idle
        self._idle_count += 1
        if self._sweep_timer is None:
            self._sweep_timer = loop.call_later(IDLE_SECONDS_MAX, self._sweep)

    def close(self) -> None:
        """Close all idle connections, and those that are given back from now on."""
        self._closed = True
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
        for connection in chain.from_iterable(self._idle.values()):
            connection.abort()
        self._idle.clear()
        self._idle_count = 0

    async def _connect(self, url: WebhookUrl, address: Address) -> HttpConnection:
        tls = await self._context() if url.scheme == "https" else None
        async with asyncio.timeout(CONNECT_SECONDS_MAX):
            _, connection = await asyncio.get_running_loop().create_connection(
                HttpConnection,
                host=str(address),
                port=url.port,
                # The address is a number: there is nothing to look up.
                flags=socket.AI_NUMERICHOST,
                ssl=tls,
                server_hostname=url.host if tls else None,
            )
        return connection

    async def _context(self) -> ssl.SSLContext:
        async with self._tls_lock:
            if self._tls_context is None:
                # Reading the certificates of all authorities takes some 20 ms.
                self._tls_context = await asyncio.to_thread(self._tls)
            return self._tls_context

    def _sweep(self) -> None:
        """Close what was idle for too long. Receivers without idle connections are forgotten."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._sweep_timer = None
        kept: dict[_Receiver, list[HttpConnection]] = {}
        for receiver, idle in self._idle.items():
            usable = [each for each in idle if _is_usable(each, now)]
            for connection in idle:
                if connection not in usable:
                    connection.abort()
            if usable:
                kept[receiver] = usable
        self._idle = kept
        self._idle_count = sum(map(len, kept.values()))
        if kept:
            self._sweep_timer = loop.call_later(IDLE_SECONDS_MAX, self._sweep)


def _receiver(url: WebhookUrl) -> _Receiver:
    return (url.scheme, url.host, url.port)


def _is_usable(connection: HttpConnection, now: float) -> bool:
    return (
        connection.is_open
        and now - connection.opened_at < CONNECTION_SECONDS_MAX
        and now - connection.idle_since < IDLE_SECONDS_MAX
    )


def _order_of_attempts(addresses: Sequence[Address]) -> Sequence[Address]:
    """The first addresses, IPv6 and IPv4 in turns: a network without one of them still reaches the host."""
    first = [address for address in addresses if address.version == addresses[0].version]
    second = [address for address in addresses if address.version != addresses[0].version]
    in_turns = (address for pair in zip_longest(first, second) for address in pair if address is not None)
    return list(in_turns)[:ADDRESSES_TRIED_MAX]
