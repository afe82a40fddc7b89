"""Calls from threads: each runs in the event loop of a gateway, while its thread waits."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from threading import Lock
from typing import Any, Generic, ParamSpec, TypeVar, cast

from gateway.application.engine.event_loop import WrongEventLoop

P = ParamSpec("P")
Result = TypeVar("Result")

_IN_A_LOOP = (
    "An event loop is running in this thread, and a blocking call would hold it up. Await the gateway that "
    "open_gateway opens, or make the call in another thread: await asyncio.to_thread(gateway.sync.execute, command)."
)


class GatewayClosed(RuntimeError):  # noqa: N818 - the name says what is wrong.
    """A call came after the gateway was closed, or a blocking call in a process that was forked later.

    Nothing was done, and this gateway will never do it: open another one.
    """


class _Answer(Generic[Result]):
    """What one thread waits for. Futures of `concurrent.futures` make more locks: a call took 250 µs, and takes 180."""

    __slots__ = ("_error", "_given", "_result")

    def __init__(self) -> None:
        self._given = Lock()
        self._given.acquire()
        self._result: Result | None = None
        self._error: BaseException | None = None

    def give(self, result: Result) -> None:
        self._result = result
        self._given.release()

    def fail(self, error: BaseException) -> None:
        self._error = error
        self._given.release()

    def wait(self) -> Result:
        self._given.acquire()
        if self._error is not None:
            try:
                raise self._error
            finally:
                self._error = None  # The error refers to this frame.
        return cast("Result", self._result)


class LoopCalls:
    """Runs coroutines in the event loop of another thread. Any thread may call."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._process_id = os.getpid()
        self._lock = Lock()
        self._closed = False
        self._handed_over: list[Callable[[], None]] = []
        """Calls that the loop has not begun. It is woken for the first of them."""
        self._running = set[asyncio.Task[Any]]()
        self._endless = set[asyncio.Task[Any]]()

    def call(self, function: Callable[P, Coroutine[Any, Any, Result]], *args: P.args, **kwargs: P.kwargs) -> Result:
        """Run a coroutine function in the loop, and return what it returns. A thread that is interrupted ends no call.

        Raises:
            WrongEventLoop: An event loop is running in this thread. Nothing was done.
            GatewayClosed: `close` was called, or the process was forked. Nothing was done.
        """
        return self._call(self._running, lambda: function(*args, **kwargs))

    def wait(self, function: Callable[P, Coroutine[Any, Any, Result]], *args: P.args, **kwargs: P.kwargs) -> Result:
        """As `call`, for what may wait without end: `close` interrupts it, which raises `GatewayClosed`."""
        return self._call(self._endless, lambda: function(*args, **kwargs))

    async def close(self) -> None:
        """Refuse new calls, and wait for those that run. Called in the loop."""
        with self._lock:
            self._closed = True
        await asyncio.sleep(0)  # What was handed over before has begun now.
        for task in self._endless:
            task.cancel()
        waiting = [*self._running, *self._endless]
        if waiting:
            await asyncio.wait(waiting)

    def _call(self, running: set[asyncio.Task[Any]], call: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        _must_not_hold_up_a_loop()
        answer = _Answer[Result]()

        def begin() -> None:
            try:
                task = self._loop.create_task(call())
            except BaseException as error:  # noqa: BLE001 - the thread would wait for ever.
                answer.fail(error)
                return
            running.add(task)
            task.add_done_callback(lambda ended: self._end(ended, running, answer))

        self._hand_over(begin)
        return answer.wait()

    def _hand_over(self, begin: Callable[[], None]) -> None:
        if os.getpid() != self._process_id:
            raise GatewayClosed("The gateway was opened before this process was forked. Open one in this process.")
        # A closed loop calls nothing any more: `close` waits for this lock, and runs the loop once more.
        with self._lock:
            if self._closed or self._loop.is_closed():
                raise GatewayClosed("The gateway is closed.")
            self._handed_over.append(begin)
            if len(self._handed_over) == 1:
                self._loop.call_soon_threadsafe(self._begin_all)

    def _begin_all(self) -> None:
        with self._lock:
            calls, self._handed_over = self._handed_over, []
        for begin in calls:
            begin()

    def _end(self, task: asyncio.Task[Result], running: set[asyncio.Task[Any]], answer: _Answer[Result]) -> None:
        running.discard(task)
        if task.cancelled():
            answer.fail(GatewayClosed("The gateway was closed during this call."))
        elif error := task.exception():
            answer.fail(error)
        else:
            answer.give(task.result())


def _must_not_hold_up_a_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise WrongEventLoop(_IN_A_LOOP)
