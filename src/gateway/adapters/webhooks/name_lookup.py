"""NameLookup: the addresses of host names, found by the operating system, in threads that slow names cannot use up."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from ipaddress import ip_address
from typing import Final

from gateway.adapters.webhooks.addresses import Address

LOOKUP_SECONDS_MAX: Final = 5.0
"""How long a caller waits. The operating system may take longer: see `THREADS_MAX`."""
THREADS_MAX: Final = 32
"""Threads for names whose last look-up took at most `SLOW_SECONDS`; and as many for names that are looked up first."""
SLOW_THREADS_MAX: Final = 4
"""Threads for all other names."""
SLOW_SECONDS: Final = 1.0
NAMES_REMEMBERED_MAX: Final = 4096
WAITING_MAX: Final = 1024
"""Names that are looked up or wait for a thread. One more counts as not resolved."""

SystemLookup = Callable[[str], Sequence[str]]


class NameNotResolved(Exception):  # noqa: N818 - names what happened, as every refusal of the gateway does.
    """A host name has no address, or its name servers did not answer."""


def system_lookup(host: str) -> Sequence[str]:
    """All addresses of a host name, in the order in which the operating system prefers them. Blocks its thread."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return [str(sockaddr[0]) for *_, sockaddr in found]


class NameLookup:
    """Looks names up, each name in one thread at a time.

    `getaddrinfo` blocks and cannot be canceled, and an endpoint's owner may run a name server that never answers. Such
    a name occupies one thread of the few for slow names, however many webhooks wait for it. Names that are looked up
    for the first time have threads of their own, so that a flood of registrations does not delay webhooks. Threads are
    daemons: they do not delay the end of the process.
    """

    def __init__(self, lookup: SystemLookup = system_lookup, *, seconds_max: float = LOOKUP_SECONDS_MAX) -> None:
        self._lookup = lookup
        self._seconds_max = seconds_max
        self._running: dict[str, asyncio.Task[tuple[Address, ...]]] = {}
        # The names of the last look-ups, and whether these were slow.
        self._slow: dict[str, bool] = {}
        self._threads = {
            None: asyncio.Semaphore(THREADS_MAX),
            False: asyncio.Semaphore(THREADS_MAX),
            True: asyncio.Semaphore(SLOW_THREADS_MAX),
        }

    async def addresses(self, host: str) -> tuple[Address, ...]:
        """All addresses of a host name: at least one.

        Raises:
            NameNotResolved: It has none, or they were not found in time.
        """
        running = self._running.get(host)
        if running is None:
            if len(self._running) >= WAITING_MAX:
                raise NameNotResolved(host)
            running = asyncio.get_running_loop().create_task(self._run(host), name=f"lookup of {host}")
            self._running[host] = running
            running.add_done_callback(_retrieve)
        try:
            # The lookup goes on for others, and so that its thread is counted until it ends.
            async with asyncio.timeout(self._seconds_max):
                return await asyncio.shield(running)
        except TimeoutError:
            raise NameNotResolved(host) from None

    async def close(self) -> None:
        """Stop waiting for lookups."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _run(self, host: str) -> tuple[Address, ...]:
        try:
            async with self._threads[self._slow.get(host)]:
                began = time.monotonic()
                try:
                    return await self._in_thread(host)
                finally:
                    self._remember(host, slow=time.monotonic() - began > SLOW_SECONDS)
        finally:
            del self._running[host]

    async def _in_thread(self, host: str) -> tuple[Address, ...]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[tuple[Address, ...]] = loop.create_future()

        def settle(addresses: tuple[Address, ...] | None) -> None:
            if answer.done():
                return
            if addresses:
                answer.set_result(addresses)
            else:
                answer.set_exception(NameNotResolved(host))

        def run() -> None:
            addresses = None
            # UnicodeError: a label that Python's own codec refuses. ValueError: an address that Python cannot read.
            with suppress(OSError, ValueError):
                addresses = tuple(map(ip_address, self._lookup(host)))
            # RuntimeError: the event loop was closed meanwhile.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(settle, addresses)

        threading.Thread(target=run, name="webhook-name-lookup", daemon=True).start()
        return await answer

    def _remember(self, host: str, *, slow: bool) -> None:
        self._slow.pop(host, None)
        self._slow[host] = slow
        if len(self._slow) > NAMES_REMEMBERED_MAX:
            del self._slow[next(iter(self._slow))]


def _retrieve(task: asyncio.Task[tuple[Address, ...]]) -> None:
    """Tell asyncio that an exception without a waiter is no bug."""
    if not task.cancelled():
        task.exception()
