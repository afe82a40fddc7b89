"""Virtual time: an event loop whose time passes only when nothing else can be done, and then all at once.

`asyncio.sleep`, `asyncio.timeout` and `call_later` work as ever; five days take as long as their events.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from typing_extensions import override

Result = TypeVar("Result")

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
STALLED_SECONDS_MAX = 30.0
"""So long the loop waits in real time for threads and sockets if it has no timer."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time. Its time begins at 0."""

    def __init__(self) -> None:
        self._selector_in_virtual_time = VirtualSelector()
        super().__init__(self._selector_in_virtual_time)

    @override
    def time(self) -> float:
        """Seconds since the beginning."""
        return self._selector_in_virtual_time.now


class VirtualSelector(selectors.BaseSelector):
    """A selector that does not wait for a timer: it lets its time be over."""

    def __init__(self) -> None:
        self.now = 0.0
        self._real = selectors.DefaultSelector()

    @override
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self._real.select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            ready = self._real.select(STALLED_SECONDS_MAX)
            assert ready, "Nothing is left that could wake a task: all of them wait for one another."
            return ready
        self.now += timeout
        return []

    @override
    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    @override
    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    @override
    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    @override
    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()

    @override
    def close(self) -> None:
        self._real.close()


class LoopClock:
    """The port `Clock`, by the time of the running loop."""

    def __call__(self) -> datetime:
        """`BEGINNING`, and as many microseconds as have passed."""
        return BEGINNING + timedelta(microseconds=round(asyncio.get_running_loop().time() * 1_000_000))


def in_virtual_time(work: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Run a coroutine to its end in a virtual event loop of its own."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work())


async def until(condition: Callable[[], bool], *, seconds_max: float, step_seconds: float = 0.01) -> None:
    """Let time pass until the condition holds, step by step."""
    async with asyncio.timeout(seconds_max):
        while not condition():  # noqa: ASYNC110 - time costs nothing here.
            await asyncio.sleep(step_seconds)
