"""Large bodies: bounded in bytes, and decoded one at a time, so that they hold up nobody's small requests."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from gateway.application.engine.fair_queue import FairQueue
from gateway.application.errors import Overloaded, RateLimited

LARGE_BYTES: Final = 16 * 1024
"""Bodies above this are large. Smaller ones are bounded by the number of requests, and decoded in a millisecond."""

RETRY_AFTER_SECONDS: Final = 1
"""When a caller with too many bytes may try again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LargeBodyLimits:
    """Limits of all large bodies of one process, from their first byte to the response.

    Attributes:
        bytes_max: Of all bodies. Further ones are refused.
        bytes_per_caller_max: Of the bodies of one caller. Further ones of this caller are refused.
    """

    bytes_max: int = 64 * 1024 * 1024
    bytes_per_caller_max: int = 16 * 1024 * 1024


class LargeBodies:
    """The large bodies of one process. Create it in any place; use it in one event loop."""

    def __init__(self, limits: LargeBodyLimits) -> None:
        self._limits = limits
        self._bytes = 0
        self._bytes_of: dict[str, int] = {}
        self._waiting = FairQueue[asyncio.Future[None]](batch_size=1)
        self._is_busy = False

    def hold(self, caller: str, size: int) -> None:
        """Count `size` more bytes of a caller. `release` them when the request has ended.

        Raises:
            Overloaded: All bodies together would have too many bytes.
            RateLimited: The bodies of this caller would.
        """
        held, limits = self._bytes_of.get(caller, 0), self._limits
        # A body that is larger than a limit may be held alone.
        if held and held + size > limits.bytes_per_caller_max:
            detail = "Too many bytes of your requests are waiting."
            raise RateLimited(detail, retry_after_seconds=RETRY_AFTER_SECONDS)
        if self._bytes and self._bytes + size > limits.bytes_max:
            raise Overloaded("Too many bytes of requests are waiting.")
        self._bytes_of[caller] = held + size
        self._bytes += size

    def release(self, caller: str, size: int) -> None:
        """Count `size` bytes less."""
        self._bytes -= size
        left = self._bytes_of[caller] - size
        if left:
            self._bytes_of[caller] = left
        else:
            del self._bytes_of[caller]

    @asynccontextmanager
    async def turn(self, caller: str) -> AsyncGenerator[None]:
        """Wait for a turn of the processor. One caller has the turn at a time, and waiting callers follow in turns.

        The holder of a turn should let the event loop run other tasks after some milliseconds.
        """
        if self._is_busy:
            await self._wait(caller)
        self._is_busy = True
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, caller: str) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.add(caller, 1, turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._pass_on()  # The turn had been given to this task already.
            raise

    def _pass_on(self) -> None:
        while self._waiting:
            [turn] = self._waiting.take()
            if not turn.done():
                turn.set_result(None)
                return
        self._is_busy = False
