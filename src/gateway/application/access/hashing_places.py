"""HashingPlaces: whose password is hashed next. Few passwords are hashed at once, since hashing is slow on purpose."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from enum import IntEnum

from gateway.application.errors import Overloaded


class Purpose(IntEnum):
    """What a password is hashed for. Lower numbers come first.

    Attributes:
        KNOWN_LOGIN: A login from a network that the account's user has logged in from before.
        LOGIN: Any other login.
        NEW_PASSWORD: A registration or a change of a password. One place is never given to these.
    """

    KNOWN_LOGIN = 0
    LOGIN = 1
    NEW_PASSWORD = 2


class HashingPlaces:
    """A fixed number of places, and a queue for each purpose.

    A free place goes to the first queue that has somebody waiting. New passwords have all places but one (or the only
    place), and so cannot keep logins waiting for longer than one hash takes.
    """

    def __init__(self, *, places: int, waiting_max: int) -> None:
        self._free = places
        self._free_for_new_passwords = max(places - 1, 1)
        self._waiting_max = waiting_max
        self._queues = {purpose: deque[asyncio.Future[None]]() for purpose in Purpose}

    @asynccontextmanager
    async def place(self, purpose: Purpose) -> AsyncGenerator[None]:
        """Have a place for as long as the block runs.

        Raises:
            Overloaded: Too many wait for a place for this purpose.
        """
        await self._take(purpose)
        try:
            yield
        finally:
            self._give_back(purpose)

    async def _take(self, purpose: Purpose) -> None:
        if self._may_have(purpose):
            self._count(purpose, -1)
            return
        queue = self._queues[purpose]
        if len(queue) >= self._waiting_max:
            raise Overloaded("Too many logins are waiting.")
        turn = asyncio.get_running_loop().create_future()
        queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give_back(purpose)  # It was given the place, and cannot use it.
            elif turn in queue:
                queue.remove(turn)
            raise

    def _may_have(self, purpose: Purpose) -> bool:
        return self._free > 0 and (purpose is not Purpose.NEW_PASSWORD or self._free_for_new_passwords > 0)

    def _count(self, purpose: Purpose, change: int) -> None:
        self._free += change
        if purpose is Purpose.NEW_PASSWORD:
            self._free_for_new_passwords += change

    def _give_back(self, purpose: Purpose) -> None:
        self._count(purpose, 1)
        for waiting, queue in self._queues.items():
            while queue and self._may_have(waiting):
                turn = queue.popleft()
                if not turn.done():
                    self._count(waiting, -1)
                    turn.set_result(None)
