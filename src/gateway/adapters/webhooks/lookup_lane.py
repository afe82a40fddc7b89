"""A lane of look-ups: its threads are shared by callers, who take turns."""

import asyncio
from dataclasses import dataclass, field
from typing import Final

from gateway.adapters.webhooks.addresses import Address
from gateway.application.errors import Overloaded, RateLimited

LOOKUPS_MAX: Final = 1024
"""Look-ups of one lane that run or wait, of all callers. Further ones are refused."""
LOOKUPS_PER_CALLER_MAX: Final = 64
"""Look-ups of one lane that run or wait, of one caller. Further ones of this caller are refused. An owner has at most
16 endpoints."""
RETRY_AFTER_SECONDS: Final = 1
"""When a caller with too many look-ups may try again."""


@dataclass(slots=True, eq=False)
class Lookup:
    """The look-up of one host name, which waits for a thread or runs in one.

    Attributes:
        host: The name.
        lane: Where it waits and runs.
        started: Set when it has a thread.
        answer: Set when it has ended.
        waiters: How many tasks of each caller wait for it.
    """

    host: str
    lane: "LookupLane"
    started: asyncio.Future[None]
    answer: asyncio.Future[tuple[Address, ...]]
    waiters: dict[str, int] = field(default_factory=dict[str, int])


class LookupLane:
    """Some threads, and the look-ups that wait for one of them.

    Waiting look-ups take turns among callers. A caller gets a further thread only while the caller's running look-ups
    are fewer than the threads that are free: one caller has half of the threads at most, and n callers whose look-ups
    never end leave one of n + 1 parts to the others.

    Source: Choudhury and Hahne, "Dynamic Queue Length Thresholds for Shared-Memory Packet Switches" (1998).
    """

    def __init__(self, threads: int) -> None:
        self._free = threads
        self._running: dict[str, int] = {}
        self._lines: dict[str, dict[str, Lookup]] = {}
        """For each caller with a waiting look-up: the look-ups by their names, first in, first out. The caller with the
        next turn comes first."""
        self._size = 0

    def join(self, lookup: Lookup, caller: str) -> None:
        """Let a look-up wait for a turn of this caller. It may wait for turns of several callers.

        Raises:
            RateLimited: The caller has too many look-ups that run or wait.
            Overloaded: All callers together have too many.
        """
        line = self._lines.get(caller, {})
        if lookup.host in line:
            return
        if len(line) + self._running.get(caller, 0) >= LOOKUPS_PER_CALLER_MAX:
            raise _too_many_of_caller()
        if self._size >= LOOKUPS_MAX:
            raise _too_many()
        self._lines.setdefault(caller, line)[lookup.host] = lookup
        self._size += 1

    def leave(self, lookup: Lookup, caller: str) -> None:
        """Let a look-up no longer wait for a turn of this caller."""
        line = self._lines.get(caller)
        if line is None or line.pop(lookup.host, None) is None:
            return
        self._size -= 1
        if not line:
            del self._lines[caller]

    def next(self) -> tuple[Lookup, str] | None:
        """The look-up that gets a thread now, and the caller whose turn it is; `None` if none may run.

        The thread is occupied until `release`.
        """
        caller = next(filter(self._may_run, self._lines), None)
        if caller is None:
            return None
        line = self._lines.pop(caller)
        lookup = line.pop(next(iter(line)))
        if line:
            self._lines[caller] = line
        self._free -= 1
        self._running[caller] = self._running.get(caller, 0) + 1
        return lookup, caller

    def release(self, caller: str) -> None:
        """A thread that this caller occupied is free again."""
        self._free += 1
        self._size -= 1
        self._running[caller] -= 1
        if not self._running[caller]:
            del self._running[caller]

    def clear(self) -> None:
        """Forget the look-ups that wait."""
        self._size -= sum(map(len, self._lines.values()))
        self._lines.clear()

    def refusal(self) -> RateLimited | Overloaded:
        """Why a look-up still waits: because of its caller's own look-ups, if threads are free, or of everybody's."""
        return _too_many_of_caller() if self._free else _too_many()

    def _may_run(self, caller: str) -> bool:
        return self._running.get(caller, 0) < self._free


def _too_many_of_caller() -> RateLimited:
    return RateLimited("Too many of your host names are being looked up.", retry_after_seconds=RETRY_AFTER_SECONDS)


def _too_many() -> Overloaded:
    return Overloaded("Too many host names are being looked up.")
