"""Pipeline: a unit of work is decided while the unit of work before it commits (docs/decisions/0011)."""

import asyncio

InFlight = asyncio.Future[bool]
"""A commit that is not yet known to have ended. Its result is whether it succeeded."""


class Pipeline:
    """The order of the units of work of one storage. One of them at a time has the turn.

    It loads, decides and sends its commit. While its commit is in flight, the next unit of work has the turn, and
    decides on what this one writes. A unit of work that does not begin a commit keeps the turn to its end.
    """

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._in_flight: InFlight | None = None

    async def enter(self) -> None:
        """Wait for the turn."""
        await self._turn.acquire()

    @property
    def in_flight(self) -> InFlight | None:
        """The commit that is in flight, if there is one."""
        return None if self._in_flight is None or self._in_flight.done() else self._in_flight

    def begin_commit(self) -> InFlight:
        """Say that the commit is sent now, and end the turn. The caller sets the result when the commit has ended."""
        loop = asyncio.get_running_loop()
        self._in_flight = loop.create_future()
        # The turn ends after this task has sent its statement: the next unit of work may take as long to decide as the
        # statement takes to run.
        loop.call_soon(self._turn.release)
        return self._in_flight

    def leave(self) -> None:
        """End the turn without a commit."""
        self._turn.release()


class Turn:
    """A unit of work that has the turn. The turn ends once: when the commit begins, or with `end`."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._is_over = False

    def begin_commit(self) -> InFlight:
        """As `Pipeline.begin_commit`."""
        self._is_over = True
        return self._pipeline.begin_commit()

    def end(self) -> None:
        """End the turn, unless it is over."""
        if not self._is_over:
            self._is_over = True
            self._pipeline.leave()


async def was_committed(in_flight: InFlight) -> bool:
    """Wait until a commit has ended, and say whether it succeeded. Cancelling the wait does not touch the commit."""
    return await asyncio.shield(in_flight)
