"""NameLookup: the addresses of host names, found by the operating system, in threads that callers share."""

import asyncio
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import Enum
from ipaddress import ip_address
from typing import Final

from gateway.adapters.webhooks.addresses import Address
from gateway.adapters.webhooks.lookup_lane import Lookup, LookupLane
from gateway.application.errors import Overloaded

WAIT_SECONDS_MAX: Final = 5.0
"""How long a caller waits for a thread."""
LOOKUP_SECONDS_MAX: Final = 5.0
"""How long a caller waits for a look-up that runs. The operating system may take longer: see `THREADS_MAX`."""
THREADS_MAX: Final = 32
"""Threads for names whose last look-up found an address within `SLOW_SECONDS`; and as many for unknown names."""
SLOW_THREADS_MAX: Final = 4
"""Threads for names whose last look-up took longer."""
SLOW_SECONDS: Final = 1.0
NAMES_REMEMBERED_MAX: Final = 4096

SystemLookup = Callable[[str], Sequence[str]]
StartThread = Callable[[str, Callable[[], None]], None]


class NameNotResolved(Exception):  # noqa: N818 - names what happened, as every refusal of the gateway does.
    """A host name has no address, or its name servers did not answer."""


class _Pace(Enum):
    """What the last look-up of a name was like. Names without one are unknown, as are those that have no address."""

    QUICK = "quick"
    SLOW = "slow"


def system_lookup(host: str) -> Sequence[str]:
    """All addresses of a host name, in the order in which the operating system prefers them. Blocks its thread."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return [str(sockaddr[0]) for *_, sockaddr in found]


def start_thread(host: str, work: Callable[[], None]) -> None:
    """Run the look-up of a host in a thread of its own, a daemon: it does not delay the end of the process.

    Raises:
        RuntimeError: The operating system allows no further thread.
    """
    threading.Thread(target=work, name=f"lookup of {host}", daemon=True).start()


class NameLookup:
    """Looks names up, each name in one thread at a time.

    `getaddrinfo` blocks and cannot be canceled, and an endpoint's owner may run a name server that never answers. Such
    a name occupies one thread, however many webhooks wait for it. There are three lanes of threads: for names that were
    resolved quickly the last time, for unknown names, and for slow ones. In each lane, callers have shares and take
    turns: see `LookupLane`. A look-up that waits for a thread leaves its lane when nobody waits for it any more.
    """

    def __init__(
        self,
        lookup: SystemLookup = system_lookup,
        *,
        wait_seconds_max: float = WAIT_SECONDS_MAX,
        seconds_max: float = LOOKUP_SECONDS_MAX,
        start: StartThread = start_thread,
    ) -> None:
        self._lookup = lookup
        self._wait_seconds_max = wait_seconds_max
        self._seconds_max = seconds_max
        self._start_thread = start
        self._pending: dict[str, Lookup] = {}
        """The look-ups that run or wait, by host name."""
        self._paces: dict[str, _Pace] = {}
        self._lanes = {
            None: LookupLane(THREADS_MAX),
            _Pace.QUICK: LookupLane(THREADS_MAX),
            _Pace.SLOW: LookupLane(SLOW_THREADS_MAX),
        }

    async def addresses(self, host: str, *, caller: str) -> tuple[Address, ...]:
        """All addresses of a host name: at least one.

        Args:
            host: The name.
            caller: Whose share of the threads is used.

        Raises:
            NameNotResolved: It has none, or they were not found in time.
            RateLimited: Too many look-ups of this caller run or wait. This one has not run.
            Overloaded: Too many look-ups run or wait. This one has not run.
        """
        lookup = self._pending.get(host) or self._new(host)
        if not lookup.started.done():
            lookup.lane.join(lookup, caller)
            self._pending[host] = lookup
        lookup.waiters[caller] = lookup.waiters.get(caller, 0) + 1
        try:
            self._start(lookup.lane)
            await self._turn(lookup)
            # The look-up goes on for others, and so that its thread is counted until it ends.
            async with asyncio.timeout(self._seconds_max):
                return await asyncio.shield(lookup.answer)
        except TimeoutError:
            raise NameNotResolved(host) from None
        finally:
            self._leave(lookup, caller)

    async def close(self) -> None:
        """Stop waiting for look-ups."""
        for lane in self._lanes.values():
            lane.clear()
        for lookup in self._pending.values():
            lookup.started.cancel()
            lookup.answer.cancel()
        self._pending.clear()

    def _new(self, host: str) -> Lookup:
        loop = asyncio.get_running_loop()
        lane = self._lanes[self._paces.get(host)]
        lookup = Lookup(host=host, lane=lane, started=loop.create_future(), answer=loop.create_future())
        lookup.answer.add_done_callback(_retrieve)
        return lookup

    async def _turn(self, lookup: Lookup) -> None:
        try:
            async with asyncio.timeout(self._wait_seconds_max):
                await asyncio.shield(lookup.started)
        except TimeoutError:
            raise lookup.lane.refusal() from None

    def _leave(self, lookup: Lookup, caller: str) -> None:
        lookup.waiters[caller] -= 1
        if lookup.waiters[caller]:
            return
        del lookup.waiters[caller]
        if lookup.started.done():
            return
        lookup.lane.leave(lookup, caller)
        if not lookup.waiters:
            self._pending.pop(lookup.host, None)

    def _start(self, lane: LookupLane) -> None:
        """Run the look-ups whose turn it is."""
        while (turn := lane.next()) is not None:
            lookup, caller = turn
            for waiting in lookup.waiters:
                lane.leave(lookup, waiting)
            lookup.started.set_result(None)
            self._run(lookup, caller)

    def _run(self, lookup: Lookup, caller: str) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()

        def end(addresses: tuple[Address, ...]) -> None:
            self._remember(lookup.host, slow=loop.time() - began > SLOW_SECONDS, found=bool(addresses))
            self._end(lookup, caller, addresses or NameNotResolved(lookup.host))

        def work() -> None:
            addresses: tuple[Address, ...] = ()
            try:
                # UnicodeError: a label that Python's own codec refuses. ValueError: an address that Python cannot read.
                with suppress(OSError, ValueError):
                    addresses = tuple(map(ip_address, self._lookup(lookup.host)))
            finally:
                # RuntimeError: the event loop was closed meanwhile.
                with suppress(RuntimeError):
                    loop.call_soon_threadsafe(end, addresses)

        try:
            self._start_thread(lookup.host, work)
        except RuntimeError:
            loop.call_soon(self._end, lookup, caller, Overloaded("No further thread can be started."))

    def _end(self, lookup: Lookup, caller: str, outcome: tuple[Address, ...] | Exception) -> None:
        if not lookup.answer.done():
            del self._pending[lookup.host]
            if isinstance(outcome, Exception):
                lookup.answer.set_exception(outcome)
            else:
                lookup.answer.set_result(outcome)
        lookup.lane.release(caller)
        self._start(lookup.lane)

    def _remember(self, host: str, *, slow: bool, found: bool) -> None:
        self._paces.pop(host, None)
        if slow or found:
            self._paces[host] = _Pace.SLOW if slow else _Pace.QUICK
        if len(self._paces) > NAMES_REMEMBERED_MAX:
            del self._paces[next(iter(self._paces))]


def _retrieve(answer: asyncio.Future[tuple[Address, ...]]) -> None:
    """Tell asyncio that an exception without a waiter is no bug."""
    if not answer.cancelled():
        answer.exception()
