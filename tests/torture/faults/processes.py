"""Processes that are killed, told to end, or suspended."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, Final

from support.servers import Server
from torture.fault import Fault
from torture.scene import Scene

ANY_BACKEND: Final = "SELECT pid FROM pg_stat_activity WHERE application_name = 'gateway' ORDER BY random() LIMIT 1"
Broken = Callable[[Scene], AbstractAsyncContextManager[None]]
Pick = Callable[[Scene], Server]


def _a_server(scene: Scene) -> Server:
    return scene.chance.choice(scene.servers)


def _the_worker(scene: Scene) -> Server:
    return scene.worker


def _killed(pick: Pick) -> Broken:
    @asynccontextmanager
    async def broken(scene: Scene) -> AsyncGenerator[None]:
        process = pick(scene)
        await process.kill()
        yield
        await process.start()

    return broken


def _ended(pick: Pick) -> Broken:
    @asynccontextmanager
    async def broken(scene: Scene) -> AsyncGenerator[None]:
        process = pick(scene)
        process.send(signal.SIGTERM)
        code = await process.ended()
        assert code == 0, f"Exit code {code} after SIGTERM"
        yield
        await process.start()

    return broken


def _suspended(pick: Callable[[Scene], Awaitable[int | None]]) -> Broken:
    @asynccontextmanager
    async def broken(scene: Scene) -> AsyncGenerator[None]:
        pid = await pick(scene)
        if pid is None:
            yield
            return
        os.kill(pid, signal.SIGSTOP)
        yield
        with suppress(ProcessLookupError):  # Postgres ends sessions that are silent too long.
            os.kill(pid, signal.SIGCONT)

    return broken


def _pid(pick: Pick) -> Callable[[Scene], Awaitable[int | None]]:
    async def pid(scene: Scene) -> int:
        return pick(scene).pid

    return pid


async def _postmaster(scene: Scene) -> int:
    return scene.postgres.pid


async def _a_backend(scene: Scene) -> int | None:
    found: list[Any] = await scene.query(ANY_BACKEND)
    return None if not found else int(found[0][0])


def _backend(number: signal.Signals) -> Broken:
    @asynccontextmanager
    async def broken(scene: Scene) -> AsyncGenerator[None]:
        pid = await _a_backend(scene)
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        yield

    return broken


def _postgres_ended(number: signal.Signals) -> Broken:
    @asynccontextmanager
    async def broken(scene: Scene) -> AsyncGenerator[None]:
        if number is signal.SIGKILL:
            await asyncio.to_thread(scene.postgres.kill)
        else:
            await asyncio.to_thread(scene.postgres.stop, number)
        yield
        await asyncio.to_thread(scene.postgres.start)

    return broken


async def _servers_are_not_ready(scene: Scene) -> None:
    for server in scene.servers:
        await server.until_ready(503, 15.0)


async def _others_go_on(scene: Scene) -> None:
    """Clients whose server does not answer ask the other one."""
    await scene.until_done(5)


KILLS: Final = (
    Fault("a server is killed", _killed(_a_server), _others_go_on),
    Fault("the worker is killed", _killed(_the_worker), _others_go_on),
    Fault("a backend of Postgres is killed", _backend(signal.SIGKILL)),
    Fault("Postgres is killed", _postgres_ended(signal.SIGKILL), _servers_are_not_ready),
)
"""kill -9."""

FAULTS: Final = (
    *KILLS,
    Fault("a server gets SIGTERM", _ended(_a_server), _others_go_on),
    Fault("the worker gets SIGTERM", _ended(_the_worker), _others_go_on),
    Fault("a session is ended by an administrator", _backend(signal.SIGTERM)),
    Fault("Postgres is restarted, fast", _postgres_ended(signal.SIGINT), _servers_are_not_ready),
    Fault("Postgres is restarted, immediately", _postgres_ended(signal.SIGQUIT), _servers_are_not_ready),
    Fault("a server is suspended", _suspended(_pid(_a_server))),
    Fault("the worker is suspended", _suspended(_pid(_the_worker)), _others_go_on),
    Fault("a backend of Postgres is suspended", _suspended(_a_backend)),
    Fault("the postmaster is suspended", _suspended(_postmaster), _others_go_on),
)
