"""Faults between the gateway and Postgres: cut connections, and a network that is partitioned."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from support.servers import until
from torture.fault import Fault
from torture.proxy import RESETS, Cuts, Kind, Moment
from torture.scene import Scene

SHARES: Final = {Kind.SETTLE: 0.4, Kind.COMMIT: 0.4, Kind.WRITE: 0.15, Kind.READ: 0.02, Kind.LOGIN: 0.02}
SHARES_SILENT: Final = {Kind.SETTLE: 0.2, Kind.COMMIT: 0.2}
CUT_SECONDS_MAX: Final = 600.0
GIVEN_UP_SECONDS_MAX: Final = 30.0
"""More than any time-out of the gateway."""
SILENT: Final = 5
"""How many answers are swallowed: each takes a connection, and its batch, as long as a time-out."""


def cutting(number: int) -> Fault:
    """So many cuts, around statements that write above all."""

    @asynccontextmanager
    async def broken(scene: Scene) -> AsyncGenerator[None]:
        async with _cut(scene, Cuts(scene.chance, SHARES, RESETS, left=number)):
            yield

    return Fault("connections to Postgres are cut around statements", broken, _until_all_are_made, count=number)


@asynccontextmanager
async def _silent(scene: Scene) -> AsyncGenerator[None]:
    async with _cut(scene, Cuts(scene.chance, SHARES_SILENT, [Moment.SILENT], left=SILENT)):
        yield


@asynccontextmanager
async def _cut(scene: Scene, cuts: Cuts) -> AsyncGenerator[None]:
    scene.proxy.cuts = cuts
    yield
    scene.proxy.cuts = None
    scene.cuts += cuts.counts


async def _until_all_are_made(scene: Scene) -> None:
    cuts = scene.proxy.cuts
    assert cuts is not None

    async def are_made() -> bool:
        return cuts.left == 0

    await until(are_made, CUT_SECONDS_MAX)


async def _until_time_is_over(scene: Scene) -> None:
    """Until every statement whose answer never came has been given up."""
    await _until_all_are_made(scene)

    async def are_given_up() -> bool:
        return not scene.proxy.silent

    await until(are_given_up, GIVEN_UP_SECONDS_MAX)


@asynccontextmanager
async def _partitioned(scene: Scene) -> AsyncGenerator[None]:
    scene.proxy.flows.clear()
    yield
    scene.proxy.flows.set()


@asynccontextmanager
async def _reset(scene: Scene) -> AsyncGenerator[None]:
    scene.proxy.break_all()
    yield


async def _none_is_ready(scene: Scene) -> None:
    for process in scene.processes:
        await process.until_ready(503, 15.0)


FAULTS: Final = (
    Fault("Postgres never answers a statement that writes", _silent, _until_time_is_over, count=SILENT),
    Fault("all connections to Postgres are reset at once", _reset),
    Fault("nothing gets through to Postgres, and nobody is told", _partitioned, _none_is_ready),
)
