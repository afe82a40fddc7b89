"""Pipeline: a unit of work is decided while the one before it commits."""

import asyncio

InFlight = asyncio.Future[bool]
"""Whether what was under way has been committed."""


class Pipeline:
    """The units of work of one storage, in a row.

    One at a time has its turn: it loads, and decides on what is remembered, which is how the one before it leaves the
    accounts. Then it waits until that one has landed, and takes off itself: its statement is on the way, and the next
    one has its turn. Who does not take off keeps the turn to the end. If the one before lands without having been
    committed, what rests on it is decided again (docs/decisions/0011).
    """

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._in_flight: InFlight | None = None

    async def enter(self) -> None:
        """Wait for the turn."""
        await self._turn.acquire()

    @property
    def in_flight(self) -> InFlight | None:
        """What has taken off and not landed."""
        return None if self._in_flight is None or self._in_flight.done() else self._in_flight

    def begin_commit(self) -> InFlight:
        """Be under way, until the result of the future is set. It is the next one's turn."""
        loop = asyncio.get_running_loop()
        self._in_flight = loop.create_future()
        # Not at once, but behind what this task starts now, its statement: the next one may take as long to decide as
        # this one takes to be written, and the statement should be on its way meanwhile.
        loop.call_soon(self._turn.release)
        return self._in_flight

    def leave(self) -> None:
        """Give the turn away without having taken off."""
        self._turn.release()


async def was_committed(before: InFlight) -> bool:
    """Wait for one that is under way; whether it was committed. Whoever gives up waiting leaves it alone."""
    return await asyncio.shield(before)
