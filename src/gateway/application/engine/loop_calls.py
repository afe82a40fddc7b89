"""Calls from threads: each runs in the event loop of a gateway, while its thread waits."""

import asyncio
import os
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
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
    """Runs coroutines in the event loop of another thread. Any thread may call.

    Nothing is locked while a call is handed over: a signal handler or a finalizer may interrupt the thread there, and
    raise an exception, or make a call itself.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._process_id = os.getpid()
        self._closed = False
        self._handed_over = deque[Callable[[], None]]()
        """Calls that the loop has not begun."""
        self._rounds = 0
        """How often the loop began what was handed over."""
        self._woken_after = -1
        """The number of rounds at which the loop was woken for the next."""
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

    def start(self, function: Callable[[], Coroutine[Any, Any, object]]) -> None:
        """Run a coroutine function in the loop after all calls before, and wait for nothing: for finalizers.

        In a process that was forked, and after `close`, it is not run.
        """
        if os.getpid() == self._process_id:
            with suppress(RuntimeError):  # The loop is closed.
                self._loop.call_soon_threadsafe(self._start, function)

    async def close(self) -> None:
        """Refuse new calls, and wait for those that run. Called in the loop; once more does nothing."""
        self._closed = True
        self._begin_each()
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
        if self._is_closed():
            raise _closed()
        try:
            self._handed_over.append(begin)
            self._wake()
        except BaseException:
            self._take_back(begin)
            raise
        # If it was closed meanwhile, the loop may not have begun the call.
        if self._is_closed() and self._take_back(begin):
            raise _closed()

    def _wake(self) -> None:
        """Let the loop begin what was handed over, unless it was woken since it last did.

        That it was woken is noted afterwards: a thread that is interrupted between wakes it in vain at worst. The note
        has a number, since the loop may have begun everything before it is made.
        """
        rounds = self._rounds
        if self._woken_after != rounds and not self._is_closed():
            try:
                self._loop.call_soon_threadsafe(self._begin_all)
            except RuntimeError:
                if not self._loop.is_closed():
                    raise
            self._woken_after = rounds

    def _is_closed(self) -> bool:
        return self._closed or self._loop.is_closed()

    def _take_back(self, begin: Callable[[], None]) -> bool:
        """Whether the loop had not begun it, and will not."""
        try:
            self._handed_over.remove(begin)
        except ValueError:
            return False
        return True

    def _begin_all(self) -> None:
        if not self._closed:
            self._begin_each()

    def _begin_each(self) -> None:
        self._rounds += 1  # A call that is handed over from now on wakes the loop again.
        for _ in range(len(self._handed_over)):
            try:
                begin = self._handed_over.popleft()
            except IndexError:  # Its thread took it back.
                return
            begin()

    def _start(self, function: Callable[[], Coroutine[Any, Any, object]]) -> None:
        if self._closed:
            return
        task = self._loop.create_task(function())
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def _end(self, task: asyncio.Task[Result], running: set[asyncio.Task[Any]], answer: _Answer[Result]) -> None:
        running.discard(task)
        if task.cancelled():
            answer.fail(GatewayClosed("The gateway was closed during this call."))
        elif error := task.exception():
            answer.fail(error)
        else:
            answer.give(task.result())


def _closed() -> GatewayClosed:
    return GatewayClosed("The gateway is closed.")


def _must_not_hold_up_a_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise WrongEventLoop(_IN_A_LOOP)
