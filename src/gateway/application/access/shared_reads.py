"""SharedReads: look-ups that arrive together share a read, so that a flood of them takes one connection."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from gateway.application.errors import Overloaded

PAUSE_PER_READ: Final = 3
"""After a read, the next one begins so many times later than the read took: reads take a quarter of one connection."""
PAUSE_SECONDS_MAX: Final = 0.05
"""How long the next read waits at most: about as long as one hash takes on a busy machine."""
READ_MAX: Final = 256
"""The look-ups of one read."""
WAITING_MAX: Final = 1_024
"""The look-ups that wait for a read."""

Asked = TypeVar("Asked")
Found = TypeVar("Found")


@dataclass(slots=True, eq=False)
class _Waiting(Generic[Asked, Found]):
    asked: Asked
    found: asyncio.Future[Found]


class SharedReads(Generic[Asked, Found]):
    """Looks up all that wait in one read at a time.

    Args:
        read: Finds all of them, in their order.
        name: Of the task that reads.
    """

    def __init__(self, read: Callable[[Sequence[Asked]], Awaitable[Sequence[Found]]], name: str) -> None:
        self._read = read
        self._name = name
        self._waiting: deque[_Waiting[Asked, Found]] = deque()
        self._reading: asyncio.Task[None] | None = None
        self._clients = 0
        self._next_at = 0.0

    async def find(self, asked: Asked) -> Found:
        """What is found.

        Raises:
            Overloaded: Too many wait.
            StorageUnavailable: The storage is away.
        """
        if len(self._waiting) >= WAITING_MAX:
            raise Overloaded("Too many look-ups are waiting.")
        waiting = _Waiting[Asked, Found](asked, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._reading is None:
            self._reading = asyncio.create_task(self._read_all(), name=self._name)
        self._clients += 1
        try:
            return await waiting.found
        finally:
            self._clients -= 1
            if not self._clients:
                self._end_reading()

    def _end_reading(self) -> None:
        """End a read whose clients have all gone away: it may hang."""
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    async def _read_all(self) -> None:
        try:
            while self._waiting:
                await self._read_next()
        finally:
            if self._reading is asyncio.current_task():
                self._reading = None

    async def _read_next(self) -> None:
        loop = asyncio.get_running_loop()
        if (pause := self._next_at - loop.time()) > 0:
            await asyncio.sleep(pause)
        taken = [self._waiting.popleft() for _ in range(min(len(self._waiting), READ_MAX))]
        # Cancelled look-ups are not read.
        taken = [each for each in taken if not each.found.done()]
        if not taken:
            return
        began = loop.time()
        try:
            found = await self._read([each.asked for each in taken])
        except Exception as error:  # noqa: BLE001 - whatever it is, all of them wait to be told.
            for each in taken:
                if not each.found.done():
                    each.found.set_exception(error)
            return
        finally:
            ended = loop.time()
            self._next_at = ended + min(PAUSE_PER_READ * (ended - began), PAUSE_SECONDS_MAX)
        for each, one in zip(taken, found, strict=True):
            if not each.found.done():
                each.found.set_result(one)
