"""An event loop in virtual time: a timer is over as soon as nothing else can be done.

`asyncio.sleep`, `asyncio.timeout` and `call_later` work as ever; five days take as long as their events.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Mapping
from math import ceil
from typing import Any, Final, TypeVar

from typing_extensions import override

from gateway.simulation.clock import BEGINNING, VirtualClock

Result = TypeVar("Result")

_MICROSECONDS: Final = 1_000_000


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is that of a virtual clock."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        super().__init__(_VirtualSelector(clock))
        # As a number of seconds, a moment after some weeks is no longer exact to the loop's own nanosecond: a timer
        # would never be over.
        self._clock_resolution = 1 / _MICROSECONDS

    @override
    def time(self) -> float:
        """Seconds since the clock's beginning."""
        return (self._clock.now - BEGINNING).total_seconds()


class _VirtualSelector(selectors.BaseSelector):
    """A selector that does not wait for a timer: it lets its time pass."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._real = selectors.DefaultSelector()

    @override
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            return self._real.select(None)
        if timeout > 0:
            # Rounded up: the clock has microseconds, and a timer that is not quite over would be waited for in vain.
            self._clock.wait(ceil(timeout * _MICROSECONDS))
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


def in_virtual_time(work: Callable[[VirtualClock], Coroutine[Any, Any, Result]]) -> Result:
    """Run a coroutine to its end in a virtual event loop of its own. Nothing in it may wait for threads or sockets."""
    clock = VirtualClock()
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(clock)) as runner:
        return runner.run(work(clock))
