"""Jobs: work that goes on beside requests. A job that fails by a bug is run again, and the others go on."""

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from random import random
from typing import Final, Protocol

from gateway.application.waiting import wait_for_stop

logger = logging.getLogger(__name__)

RESTART_SECONDS_MIN: Final = 1.0
RESTART_SECONDS_MAX: Final = 60.0
"""Between a failure of a job and its next run: twice as long each time, until a run has lasted for longer than this."""
RESTART_JITTER: Final = 0.2
"""The time is shorter by up to this share, so that workers that fail together are not all run again together."""


class Job(Protocol):
    """Work that goes on until it is told to stop.

    It waits for a storage that is away: to raise anything, or to end before it is told to stop, is a bug.
    """

    async def run(self, stop: asyncio.Event) -> None:
        """Work until told to stop. May be called again after it has raised."""
        ...


@dataclass(frozen=True, slots=True)
class Jobs:
    """Jobs that run at the same time.

    Attributes:
        chance: Returns random numbers, 0 ≤ number < 1.
    """

    all: Sequence[Job]
    chance: Callable[[], float] = random
    _failed: set[str] = field(default_factory=set[str], init=False)

    @property
    def failed(self) -> Collection[str]:
        """The names of the jobs that have failed, and are not run again yet."""
        return sorted(self._failed)

    async def run(self, stop: asyncio.Event) -> None:
        """Run all jobs until told to stop, and wait for what they have begun."""
        async with asyncio.TaskGroup() as tasks:
            for job in self.all:
                tasks.create_task(self._keep_running(job, stop), name=type(job).__name__)

    async def _keep_running(self, job: Job, stop: asyncio.Event) -> None:
        name, loop = type(job).__name__, asyncio.get_running_loop()
        pause = RESTART_SECONDS_MIN
        while not stop.is_set():
            began = loop.time()
            try:
                await job.run(stop)
            except asyncio.CancelledError:
                if _is_canceled():
                    raise
                # A task or a future that the job awaits was canceled.
                logger.exception("job_failed", extra={"job": name})
            except Exception:
                logger.exception("job_failed", extra={"job": name})
            else:
                if stop.is_set():
                    return
                logger.error("job_failed", extra={"job": name, "cause": "It has ended."})
            if loop.time() - began > RESTART_SECONDS_MAX:
                pause = RESTART_SECONDS_MIN
            self._failed.add(name)
            await wait_for_stop(stop, pause * (1 - RESTART_JITTER * self.chance()))
            self._failed.discard(name)
            pause = min(2 * pause, RESTART_SECONDS_MAX)


def _is_canceled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
