"""Clocks that are wrong: of one server, of both, of the worker, of all.

Between processes whose clocks differ, access tokens are not valid: clients get 401 and log in again.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

from support.servers import Server
from torture.fault import Fault
from torture.scene import Scene

HOUR: Final = 3600
DAY: Final = 24 * HOUR
STEPS: Final = {"an hour ahead": HOUR, "an hour behind": -HOUR, "a day ahead": DAY, "a day behind": -DAY}


Pick = Callable[[Scene], Sequence[Server]]


def _wrong(seconds: int, pick: Pick) -> Callable[[Scene], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def broken(scene: Scene) -> AsyncGenerator[None]:
        picked = pick(scene)
        for process in picked:
            scene.set_clock(process, seconds)
        yield
        for process in picked:
            scene.set_clock(process, 0)

    return broken


def _a_server(scene: Scene) -> Sequence[Server]:
    return [scene.chance.choice(scene.servers)]


def _servers(scene: Scene) -> Sequence[Server]:
    return scene.servers


def _all(scene: Scene) -> Sequence[Server]:
    return scene.processes


def _worker(scene: Scene) -> Sequence[Server]:
    return [scene.worker]


async def _payments_go_on(scene: Scene) -> None:
    await scene.until_done(20)


# The worker first: clients take tokens of the future from servers that are ahead, and are refused later.
FAULTS: Final = (
    *(
        Fault(f"the clock of the worker is {step}", _wrong(seconds, _worker), _payments_go_on)
        for step, seconds in STEPS.items()
    ),
    *(
        Fault(f"the clock of {whose} is {step}", _wrong(seconds, pick), _payments_go_on, frozenset({401}))
        for whose, pick in (("a server", _a_server), ("both servers", _servers), ("all processes", _all))
        for step, seconds in STEPS.items()
    ),
)
