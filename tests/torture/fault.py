"""A fault in five phases: normal, inject, verify, restore, recovered."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final

from torture.checks import check
from torture.scene import Scene

NORMAL_OPERATIONS: Final = 10
"""How many operations are carried out before something breaks."""


async def _nothing(_: Scene) -> None:
    """Nothing is promised beyond what always is."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that breaks.

    Attributes:
        name: What breaks, in a few words.
        broken: Breaks it on entering, and repairs it on leaving.
        verify: Raises AssertionError, while it is broken, unless what is promised holds.
        allowed: Statuses that clients may see beside 200, 201, 207, 409 and 503.
        count: How many faults one injection is.
    """

    name: str
    broken: Callable[[Scene], AbstractAsyncContextManager[None]]
    verify: Callable[[Scene], Awaitable[None]] = _nothing
    allowed: frozenset[int] = frozenset()
    count: int = 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it went.

    Attributes:
        fault: Its name.
        times: How many faults were injected.
        statuses: How many answers had which status; 0 counts requests without an answer.
        recovered_seconds: For each time, from the beginning of its repair until all was well.
        violations: Broken promises.
    """

    fault: str
    times: int
    statuses: Counter[int]
    recovered_seconds: list[float]
    violations: list[str]


async def endure(
    scene: Scene, fault: Fault, *, seconds: float, recovered_seconds_max: float, times: int = 1
) -> Outcome:
    """Inject a fault under load, so often, and then compare everything with what clients were told.

    Args:
        scene: Where all is well.
        fault: What breaks.
        seconds: How long it stays broken each time.
        recovered_seconds_max: How long recovering may take.
        times: How often it breaks before the load stops.
    """
    book = scene.book
    statuses, violations, recovered = book.statuses.copy(), len(book.violations), list[float]()
    scene.load.start()
    book.allowed = fault.allowed
    for _ in range(times):
        await scene.until_done(NORMAL_OPERATIONS)
        took = await _strike(scene, fault, seconds)
        recovered.append(took)
        if took > recovered_seconds_max:
            book.violations.append(f"It took {took:.1f} s to recover")
    await scene.load.stop()
    book.allowed = frozenset()
    await check(scene)
    return Outcome(fault.name, times * fault.count, book.statuses - statuses, recovered, book.violations[violations:])


async def _strike(scene: Scene, fault: Fault, seconds: float) -> float:
    """Break it, verify, repair it, and wait until all is well. Returns how long the last two have taken, in seconds."""
    async with fault.broken(scene):
        try:
            await fault.verify(scene)
        except (AssertionError, TimeoutError) as error:
            scene.book.violations.append(f"While it was broken: {error!r}")
        await asyncio.sleep(seconds)
        restoring = time.monotonic()
    await scene.until_recovered()
    return time.monotonic() - restoring
