"""Contention: whether others write to the same rows just now."""

import time
from collections.abc import Callable
from typing import Final

LOCKING_SECONDS_MIN: Final = 0.25
LOCKING_SECONDS_MAX: Final = 4.0
"""How long a storage locks what it loads once it was overtaken. Then it tries whether it need not any more; if it is
overtaken again before it has gone without for as long as it had locked, it locks for twice as long."""


class Contention:
    """What the units of work of one storage have learned from each other about those of other processes."""

    def __init__(self, *, always: bool = False, now_seconds: Callable[[], float] = time.monotonic) -> None:
        """Nothing learned yet.

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
        """Another transaction was faster: expect more of them for a while."""
        if self.is_expected:
            return  # Of batches that were under way together, one after the other is overtaken.
        now = self._now_seconds()
        goes_on = now < self._expected_until + self._seconds
        self._seconds = min(2 * self._seconds, LOCKING_SECONDS_MAX) if goes_on else LOCKING_SECONDS_MIN
        self._expected_until = now + self._seconds
