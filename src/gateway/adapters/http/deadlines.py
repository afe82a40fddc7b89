"""Deadlines: one timer cancels all tasks that take too long."""

import asyncio
import time
from types import TracebackType
from typing import Any, Final, Protocol, Self

SWEEP_SECONDS: Final = 0.25
"""The interval of the timer: a task is cancelled at most so long after its deadline."""


class Enforced(Protocol):
    """Something with a deadline."""

    def enforce(self, now: float) -> None:
        """Cancel it, if the deadline is over at `now`, by `time.monotonic`."""
        ...


class Deadlines:
    """The deadlines of running tasks, on one event loop.

    `asyncio.timeout` creates and cancels two timers for each request and looks up the running loop five times: a tenth
    of the time of a request in HTTP (docs/performance.md).
    """

    def __init__(self, *, sweep_seconds: float = SWEEP_SECONDS) -> None:
        self.running: set[Enforced] = set()
        self._sweep_seconds = sweep_seconds
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sweeping = False

    def within(self, seconds: float) -> "Deadline":
        """A context with a deadline for the current task.

        Raises:
            TimeoutError: On leaving the context after the deadline: the task was cancelled in it.
            RuntimeError: There is no current task.
        """
        task = asyncio.current_task(self._sweeping_loop())
        if task is None:
            raise RuntimeError("Only a task can be cancelled.")
        return Deadline(self, task, seconds)

    def add(self, enforced: "Enforced") -> None:
        """Enforce a deadline of something that is no task, until it leaves `running`."""
        self._sweeping_loop()
        self.running.add(enforced)

    def _sweeping_loop(self) -> asyncio.AbstractEventLoop:
        """The running event loop, on which the timer runs."""
        # Cached: `get_running_loop` makes a system call (it compares process ids).
        if self._loop is None or self._loop.is_closed():
            self._loop = asyncio.get_running_loop()
            self._sweeping = False
        if not self._sweeping:
            self._sweeping = True
            self._loop.call_later(self._sweep_seconds, self._sweep)
        return self._loop

    def _sweep(self) -> None:
        now = time.monotonic()
        for deadline in self.running:
            deadline.enforce(now)
        self._sweeping = bool(self.running)
        if self._sweeping and self._loop is not None:
            self._loop.call_later(self._sweep_seconds, self._sweep)


class Deadline:
    """The deadline of one task in its context."""

    __slots__ = ("_at", "_deadlines", "_is_over", "_task")

    def __init__(self, deadlines: Deadlines, task: asyncio.Task[Any], seconds: float) -> None:
        self._deadlines = deadlines
        self._task = task
        self._at = time.monotonic() + seconds
        self._is_over = False

    def prolong(self, seconds: float) -> None:
        """Move the deadline to so many seconds from now."""
        self._at = time.monotonic() + seconds

    def enforce(self, now: float) -> None:
        """Cancel the task once, if the deadline is over."""
        if now >= self._at and not self._is_over:
            self._is_over = True
            self._task.cancel()

    def __enter__(self) -> Self:
        """Start the deadline."""
        self._deadlines.running.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop the deadline. A cancellation by `enforce` becomes a `TimeoutError`; others propagate."""
        self._deadlines.running.discard(self)
        if self._is_over and kind is asyncio.CancelledError and self._task.uncancel() == 0:
            raise TimeoutError from error
