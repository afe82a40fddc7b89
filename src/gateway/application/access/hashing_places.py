"""HashingPlaces: whose password is hashed next. Few passwords are hashed at once, since hashing is slow on purpose."""

import asyncio
from collections.abc import AsyncGenerator
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from dataclasses import dataclass
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

    Within a queue, lines take turns, and each line is first in, first out. If the queue is full, the last of the
    longest line is refused in favour of somebody whose line is shorter: one line cannot fill the queue.
    """

    def __init__(self, *, places: int, waiting_max: int) -> None:
        self._free = places
        self._free_for_new_passwords = max(places - 1, 1)
        self._queues = {purpose: _Queue(waiting_max) for purpose in Purpose}
        self._alone: set[str] = set()

    @asynccontextmanager
    async def place(self, purpose: Purpose, *, line: str = "", alone: str = "") -> AsyncGenerator[None]:
        """Have a place for as long as the block runs.

        Args:
            purpose: Whose queue to wait in.
            line: In which line of the queue.
            alone: Of those with the same text, one has a place at a time. Empty for no such rule.

        Raises:
            Overloaded: Too many wait for a place for this purpose.
        """
        await self._take(purpose, line, alone)
        try:
            yield
        finally:
            self._give_back(purpose, alone)

    async def _take(self, purpose: Purpose, line: str, alone: str) -> None:
        if self._may_have(purpose) and alone not in self._alone:
            self._hand_over(purpose, alone)
            return
        queue, waiting = self._queues[purpose], _Waiting(asyncio.get_running_loop().create_future(), line, alone)
        queue.add(waiting)
        try:
            await waiting.turn
        except asyncio.CancelledError:
            queue.discard(waiting)
            if waiting.turn.done() and not waiting.turn.cancelled() and waiting.turn.exception() is None:
                self._give_back(purpose, alone)  # It was given the place, and cannot use it.
            raise

    def _may_have(self, purpose: Purpose) -> bool:
        return self._free > 0 and (purpose is not Purpose.NEW_PASSWORD or self._free_for_new_passwords > 0)

    def _hand_over(self, purpose: Purpose, alone: str) -> None:
        self._count(purpose, -1)
        if alone:
            self._alone.add(alone)

    def _count(self, purpose: Purpose, change: int) -> None:
        self._free += change
        if purpose is Purpose.NEW_PASSWORD:
            self._free_for_new_passwords += change

    def _give_back(self, purpose: Purpose, alone: str) -> None:
        self._count(purpose, 1)
        self._alone.discard(alone)
        for waiting_for, queue in self._queues.items():
            while self._may_have(waiting_for) and (waiting := queue.take(self._alone)) is not None:
                self._hand_over(waiting_for, waiting.alone)
                waiting.turn.set_result(None)


@dataclass(slots=True, eq=False)
class _Waiting:
    turn: asyncio.Future[None]
    line: str
    alone: str


class _Queue:
    """Those who wait for one purpose, in lines that take turns: the first line has the next turn."""

    def __init__(self, waiting_max: int) -> None:
        self._waiting_max = waiting_max
        self._size = 0
        self._lines: dict[str, list[_Waiting]] = {}

    def add(self, waiting: _Waiting) -> None:
        """Wait.

        Raises:
            Overloaded: The queue is full, and no line in it is longer than this one would be.
        """
        if self._size >= self._waiting_max:
            self._make_room(len(self._lines.get(waiting.line, ())))
        self._lines.setdefault(waiting.line, []).append(waiting)
        self._size += 1

    def take(self, alone: AbstractSet[str]) -> _Waiting | None:
        """Remove and return the next one who may have a place beside those, or `None`. Their line is then the last."""
        for line in self._lines.values():
            for waiting in line:
                if not waiting.turn.done() and waiting.alone not in alone:
                    self.discard(waiting)
                    if line:
                        self._lines[waiting.line] = self._lines.pop(waiting.line)
                    return waiting
        return None

    def discard(self, waiting: _Waiting) -> None:
        """Remove somebody who may be waiting."""
        line = self._lines.get(waiting.line, [])
        if waiting in line:
            line.remove(waiting)
            self._size -= 1
            if not line:
                del self._lines[waiting.line]

    def _make_room(self, line_size: int) -> None:
        longest = max(self._lines.values(), key=len, default=None)
        if longest is None or len(longest) < line_size + 2:
            raise _overloaded()
        last = longest[-1]
        self.discard(last)
        if not last.turn.done():
            last.turn.set_exception(_overloaded())


def _overloaded() -> Overloaded:
    return Overloaded("Too many logins are waiting.")
