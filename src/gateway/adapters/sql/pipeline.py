"""Pipeline: a unit of work is decided while the one before it commits."""

import asyncio

Landed = asyncio.Future[bool]
"""Whether what was under way has been committed."""


class Pipeline:
    """The units of work of one storage, in a row.

    One at a time has its turn: it loads, and decides on what is remembered, which is how the one before it leaves the
    accounts. Then it waits until that one has landed, and takes off itself: its statement is on the way, and the next
    one has its turn. If that one has not been committed, what rests on it is decided again.
    """

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._under_way: Landed | None = None

    async def enter(self) -> None:
        """Wait for the turn."""
        await self._turn.acquire()

    @property
    def under_way(self) -> Landed | None:
        """What has taken off and not landed."""
        return None if self._under_way is None or self._under_way.done() else self._under_way

    def take_off(self) -> Landed:
        """Be under way, until the result of the future is set. It is the next one's turn."""
        self._under_way = asyncio.get_running_loop().create_future()
        self._turn.release()
        return self._under_way

    def leave(self) -> None:
        """Give the turn away without having taken off."""
        self._turn.release()
