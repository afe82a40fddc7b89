"""A gateway for programs without an event loop: it has one of its own, in a thread."""

import asyncio
from collections.abc import Callable, Generator
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, contextmanager
from os import PathLike
from threading import Thread
from typing import TypeAlias

from gateway.application.gateway import Gateway
from gateway.application.sync_gateway import SyncGateway
from gateway.bootstrap.wiring import open_gateway
from gateway.domain.errors import invalid
from gateway.settings.values import Settings

Opener: TypeAlias = Callable[[], AbstractAsyncContextManager[Gateway]]


@contextmanager
def open_gateway_sync(
    settings: Settings | str | PathLike[str] | Opener | None = None, *, worker: bool = False
) -> Generator[SyncGateway]:
    """Open a gateway for threads. At the end it answers all accepted commands, then closes what it has opened.

    The event loop runs in a thread of its own. Any thread may call; payments of several threads share batches. Open one
    in each process, after it was forked.

    Args:
        settings: What `open_gateway` takes; or a function that opens the gateway, in the event loop of the thread:
            `in_memory_gateway`, or `lambda: open_gateway(url, tokens=…)` for parts of your own.
        worker: As in `open_gateway`. A function says it itself.

    Raises:
        InvalidInput: Both a function and `worker` were given; or as `open_gateway`.
        SettingsRefused, StartRefused, StorageUnavailable: As `open_gateway`.
    """
    if callable(settings):
        if worker:
            raise invalid("worker", "value_invalid", "The function says whether there is a worker.")
        opener = settings
    else:
        chosen = settings

        def opener() -> AbstractAsyncContextManager[Gateway]:
            return open_gateway(chosen, worker=worker)

    opened, stop = Future[tuple[SyncGateway, Callable[[], None]]](), Future[BaseException | None]()
    thread = Thread(target=_run, args=(opener, opened, stop), name="gateway", daemon=True)
    try:
        thread.start()
        gateway, begin_to_close = opened.result()
    except BaseException:
        # An interrupted thread (Ctrl-C) leaves no gateway, and no worker, that nobody can close.
        opened.add_done_callback(_close_unused)
        raise
    try:
        yield gateway
    finally:
        begin_to_close()
        thread.join()
        error = stop.result()
        if error is not None:
            raise error


def _run(
    opener: Opener, opened: "Future[tuple[SyncGateway, Callable[[], None]]]", stopped: "Future[BaseException | None]"
) -> None:
    """The thread: open, serve calls, close. Errors go to the thread that opened the gateway."""
    try:
        asyncio.run(_serve(opener, opened))
    except BaseException as error:  # noqa: BLE001 - the opener's thread raises it.
        if opened.done():
            stopped.set_result(error)
        else:
            opened.set_exception(error)
    else:
        stopped.set_result(None)


async def _serve(opener: Opener, opened: "Future[tuple[SyncGateway, Callable[[], None]]]") -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    async with opener() as gateway:
        opened.set_result((gateway.sync, lambda: _stop(loop, stop)))
        await stop.wait()


def _close_unused(opened: "Future[tuple[SyncGateway, Callable[[], None]]]") -> None:
    if opened.exception() is None:
        _, begin_to_close = opened.result()
        begin_to_close()


def _stop(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(stop.set)
