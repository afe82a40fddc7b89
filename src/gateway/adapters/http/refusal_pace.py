"""The pace of refusals under overload: clients who ask again at once must not keep the processor busy with refusals.

A client of HTTP/1.1 sends its next request on a connection after the response to the last request. A delayed refusal
therefore slows down clients that ignore `Retry-After`. The delay costs the server a timer.
"""

import asyncio
from typing import Final

REFUSALS_PER_SECOND: Final = 200
"""Refusals that are sent at once, on average: they take less than a tenth of a processor."""
BURST: Final = 200
"""Refusals that are sent at once after a quiet second."""
WAIT_SECONDS_MAX: Final = 2.0
"""How long a refusal waits. Beyond that many refusals, their number a second grows with the number of connections."""


class RefusalPace:
    """Spreads refusals over time. Use it in one event loop."""

    def __init__(self) -> None:
        self._next_at = 0.0

    async def wait(self) -> None:
        """Wait until the next refusal may be sent, for `WAIT_SECONDS_MAX` at most."""
        now = asyncio.get_running_loop().time()
        at = max(self._next_at, now - BURST / REFUSALS_PER_SECOND)
        if at - now < WAIT_SECONDS_MAX:
            self._next_at = at + 1 / REFUSALS_PER_SECOND
        if at > now:
            await asyncio.sleep(min(at - now, WAIT_SECONDS_MAX))
