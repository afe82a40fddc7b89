"""Deadlines: what takes too long is cancelled, by one timer for all requests."""

import asyncio
import time
from types import TracebackType
from typing import Any, Final, Self

SWEEP_SECONDS: Final = 0.25
"""How much later than its deadline a task may be cancelled."""


class Deadlines:
    """The deadlines of all that runs now, on one event loop.

    `asyncio.timeout` does the same with timers of its own: two for each request, made and cancelled again, and five
    looks at the running loop, were a tenth of what a request cost in HTTP (docs/performance.md).
    """

    def __init__(self, *, sweep_seconds: float = SWEEP_SECONDS) -> None:
        self.running: set[Deadline] = set()
        self._sweep_seconds = sweep_seconds
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sweeping = False

    def within(self, seconds: float) -> "Deadline":
        """The deadline of what is inside its `with`.

        Raises:
            TimeoutError: It was not left in time: the task was cancelled where it waited.
        """
        # Kept, because asking which loop runs is a system call (it compares process ids).
        if self._loop is None or self._loop.is_closed():
            self._loop = asyncio.get_running_loop()
            self._sweeping = False
        if not self._sweeping:
            self._sweeping = True
            self._loop.call_later(self._sweep_seconds, self._sweep)
        task = asyncio.current_task(self._loop)
        if task is None:
            raise RuntimeError("Only a task can be cancelled.")
        return Deadline(self, task, seconds)

    def _sweep(self) -> None:
        now = time.monotonic()
        for deadline in self.running:
            deadline.look(now)
        self._sweeping = bool(self.running)
        if self._sweeping and self._loop is not None:
            self._loop.call_later(self._sweep_seconds, self._sweep)


class Deadline:
    """When one task is cancelled, unless it has left the `with` by then."""

    __slots__ = ("_among", "_at", "_is_over", "_task")

    def __init__(self, among: Deadlines, task: asyncio.Task[Any], seconds: float) -> None:
        self._among = among
        self._task = task
        self._at = time.monotonic() + seconds
        self._is_over = False

    def prolong(self, seconds: float) -> None:
        """Let it take so long from now on."""
        self._at = time.monotonic() + seconds

    def look(self, now: float) -> None:
        """Cancel the task if its time is over, once."""
        if now >= self._at and not self._is_over:
            self._is_over = True
            self._task.cancel()

    def __enter__(self) -> Self:
        """Begin."""
        self._among.running.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End. A cancellation of ours becomes a `TimeoutError`; one of somebody else's stays what it is."""
        self._among.running.discard(self)
        if self._is_over and kind is asyncio.CancelledError and self._task.uncancel() == 0:
            raise TimeoutError from error
