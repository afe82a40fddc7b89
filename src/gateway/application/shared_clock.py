"""The clock that all processes share, for what several of them plan together (docs/decisions/0037)."""

import sys
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

from gateway.application.ports.clock import Clock

ROUND_TRIP_SECONDS_MAX: Final = 1.0
"""An answer that took longer says too little about the present moment. It counts if there is no other."""


def elapsed_seconds() -> float:
    """Seconds since some moment, by a clock that nobody sets. On Linux, it goes on while the machine is suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if sys.platform == "linux" else time.monotonic()


class SharedClock:
    """The port `Clock`: the time that the storage told, and what has passed since by a clock that nobody sets.

    If all processes run on one machine, the storage tells no time, and the clock of the machine is the one they share.
    """

    def __init__(
        self,
        ask: Callable[[], Awaitable[datetime]] | None,
        own: Clock,
        monotonic: Callable[[], float] = elapsed_seconds,
    ) -> None:
        """A clock that has not asked yet.

        Args:
            ask: Asks the storage; `None` if it tells no time.
            own: The clock of this process, until the storage has told the time.
            monotonic: Seconds since some moment.
        """
        self._ask = ask
        self._own = own
        self._monotonic = monotonic
        self._told: tuple[datetime, float] | None = None

    def __call__(self) -> datetime:
        """The present moment."""
        if self._told is None:
            return self._own()
        at, seconds = self._told
        return at + timedelta(seconds=self._monotonic() - seconds)

    async def synchronize(self) -> None:
        """Ask the storage.

        Raises:
            StorageUnavailable: The storage is away; time goes on as it was told last.
        """
        if self._ask is None:
            return
        began = self._monotonic()
        at = await self._ask()
        ended = self._monotonic()
        if self._told is None or ended - began <= ROUND_TRIP_SECONDS_MAX:
            self._told = at, (began + ended) / 2


async def synchronize(clock: Clock) -> None:
    """Let a clock ask for the time, if it is one that asks.

    Raises:
        StorageUnavailable: The storage is away.
    """
    if isinstance(clock, SharedClock):
        await clock.synchronize()
