"""Contention: whether other processes write to the same rows at present."""

import time
from collections.abc import Callable
from typing import Final

LOCKING_SECONDS_MIN: Final = 0.25
LOCKING_SECONDS_MAX: Final = 4.0
"""How long a storage locks what it loads after a conflict. If the next conflict comes soon after that time (within its
length), the time doubles."""


class Contention:
    """The conflicts that the units of work of one storage have met."""

    def __init__(self, *, always: bool = False, now_seconds: Callable[[], float] = time.monotonic) -> None:
        """No conflict yet.

        Args:
            always: Expect it whatever happens.
            now_seconds: A clock that never goes back.
        """
        self._always = always
        self._now_seconds = now_seconds
        self._expected_until = -1.0
        self._seconds = 0.0

    @property
    def is_expected(self) -> bool:
        """Whether to lock what is loaded, rather than to check at the end that nobody has changed it."""
        return self._always or self._now_seconds() < self._expected_until

    def notice(self) -> None:
        """There was a conflict: expect more of them for a while."""
        if self.is_expected:
            return  # Batches that were in flight together meet the same conflict, one after the other.
        now = self._now_seconds()
        goes_on = now < self._expected_until + self._seconds
        self._seconds = min(2 * self._seconds, LOCKING_SECONDS_MAX) if goes_on else LOCKING_SECONDS_MIN
        self._expected_until = now + self._seconds
