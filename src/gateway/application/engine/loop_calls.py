"""Calls from threads: each runs in the event loop of a gateway, while its thread waits."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from threading import Lock
from typing import Any, ParamSpec, TypeVar

from gateway.application.engine.event_loop import WrongEventLoop

P = ParamSpec("P")
Result = TypeVar("Result")

_IN_A_LOOP = (
    "An event loop is running in this thread, and a blocking call would hold it up. Await the gateway that "
    "open_gateway opens, or make the call in another thread: await asyncio.to_thread(gateway.sync.execute, command)."
)


class GatewayClosed(RuntimeError):  # noqa: N818 - the name says what is wrong.
    """A blocking call came after the gateway was closed, or in a process that was forked later. Nothing was done."""


class LoopCalls:
    """Runs coroutines in the event loop of another thread. Any thread may call."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._process_id = os.getpid()
        self._lock = Lock()
        self._closed = False
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
        answer = Future[Result]()

        def begin() -> None:
            try:
                task = self._loop.create_task(call())
            except BaseException as error:  # noqa: BLE001 - the thread would wait for ever.
                answer.set_exception(error)
                return
            running.add(task)
            task.add_done_callback(lambda ended: self._end(ended, running, answer))

        self._hand_over(begin)
        return answer.result()

    def _hand_over(self, begin: Callable[[], None]) -> None:
        if os.getpid() != self._process_id:
            raise GatewayClosed("The gateway was opened before this process was forked. Open one in this process.")
        # A closed loop calls nothing any more: `close` waits for this lock, and runs the loop once more.
        with self._lock:
            if self._closed or self._loop.is_closed():
                raise GatewayClosed("The gateway is closed.")
            self._loop.call_soon_threadsafe(begin)

    def _end(self, task: asyncio.Task[Result], running: set[asyncio.Task[Any]], answer: Future[Result]) -> None:
        running.discard(task)
        if task.cancelled():
            answer.set_exception(GatewayClosed("The gateway was closed during this call."))
        elif error := task.exception():
            answer.set_exception(error)
        else:
            answer.set_result(task.result())


def _must_not_hold_up_a_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise WrongEventLoop(_IN_A_LOOP)
