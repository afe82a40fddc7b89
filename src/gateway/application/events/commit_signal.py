"""Wakes readers of the event feed in this process, as soon as events were committed."""

import asyncio


class CommitSignal:
    """Told after each commit with events; readers wait for it.

    A commit of another process is not told: readers poll as well. To miss no commit between a read and the wait after
    it, note `commits` before the read:

        seen = signal.commits
        events = await feed.read(...)
        await signal.wait(seconds, seen=seen)

    Attributes:
        commits: How many commits were told.
    """

    __slots__ = ("_waiting", "commits")

    def __init__(self) -> None:
        self.commits = 0
        self._waiting: asyncio.Future[None] | None = None

    def notify(self) -> None:
        """Wake all readers that wait."""
        self.commits += 1
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            waiting.set_result(None)

    async def wait(self, seconds: float, *, seen: int | None = None) -> None:
        """Wait for the next commit, at most `seconds`. Returns at once if `commits` is no longer `seen`."""
        if seen is not None and seen != self.commits:
            return
        if self._waiting is None:
            self._waiting = asyncio.get_running_loop().create_future()
        await asyncio.wait([self._waiting], timeout=seconds)
