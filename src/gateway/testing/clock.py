"""A clock that tests move."""

from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from datetime import datetime, timedelta

from gateway.adapters.system.clock import system_clock
from gateway.domain.checks import wrong_type


class MovableClock:
    """The clock of the machine, as far ahead or behind as a test has moved it.

    Tools that change the time of the machine for a test (freezegun, time-machine) change this clock, too.
    """

    def __init__(self) -> None:
        self._ahead = timedelta()
        self._told = list[Callable[[], Awaitable[object]]]()

    def __call__(self) -> datetime:
        """The time, aware, in UTC."""
        return system_clock() + self._ahead

    def move(self, by: timedelta) -> None:
        """Move the clock. What is due then is shown as due; nothing is written.

        Raises:
            InvalidInput: `by` is no `timedelta`.
        """
        if not isinstance(by, timedelta):  # pyright: ignore[reportUnnecessaryIsInstance] - tests may have no types.
            raise wrong_type("by", "a timedelta", by)
        self._ahead += by

    async def wait(self, by: timedelta) -> None:
        """Move the clock, and do what a worker would have done: payments whose time is over expire.

        Raises:
            InvalidInput: As `move`.
        """
        self.move(by)
        for tell in self._told:
            await tell()

    @contextmanager
    def telling(self, work: Callable[[], Awaitable[object]]) -> Generator[None]:
        """Call `work` whenever time has passed by `wait`."""
        self._told.append(work)
        try:
            yield
        finally:
            self._told.remove(work)
