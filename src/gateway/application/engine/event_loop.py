"""A gateway belongs to one event loop. A call from another one fails at once, before anything is written."""

import asyncio
from typing import Final

_WHAT_TO_DO: Final = (
    "This gateway belongs to the event loop that opened it. From a thread, call gateway.sync: "
    "gateway.sync.execute(command). In another event loop, open another gateway. A program without an event loop opens "
    "a gateway with open_gateway_sync."
)


class WrongEventLoop(RuntimeError):  # noqa: N818 - the name says what is wrong.
    """A gateway was called from another event loop than its own. Nothing was done; the message says what to do.

    The connections and the queue of a gateway wake callers in its own loop only. A caller in another loop would wait
    for ever, although its payment is committed.
    """

    def __init__(self, what_to_do: str = _WHAT_TO_DO) -> None:
        super().__init__(what_to_do)


class OneEventLoop:
    """The event loop that runs when this is created, or else at the first check."""

    __slots__ = ("_loop",)

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            return

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """This event loop; `None` if none was running yet."""
        return self._loop

    def check(self) -> asyncio.AbstractEventLoop:
        """The running event loop, which must be this one.

        Raises:
            WrongEventLoop: Another event loop is running.
        """
        running = asyncio.get_running_loop()
        if running is not self._loop:
            if self._loop is not None:
                raise WrongEventLoop
            self._loop = running
        return running
