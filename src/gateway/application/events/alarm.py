"""An alarm clock: waits for some time, or until somebody rings."""

import asyncio


class Alarm:
    """One task waits. A ring while it does not wait is not lost."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Wake the task that waits, or let its next wait end at once."""
        self._rung.set()

    async def wait(self, seconds: float) -> None:
        """Wait until the alarm rings, at most so long."""
        try:
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        except TimeoutError:
            return
        self._rung.clear()
