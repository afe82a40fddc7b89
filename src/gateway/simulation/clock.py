"""A clock whose time passes only when it is told to."""

from datetime import UTC, datetime, timedelta
from typing import Final

BEGINNING: Final = datetime(2026, 1, 1, tzinfo=UTC)
AHEAD: Final = timedelta(seconds=15)
"""What was planned at a moment that is so far ahead was planned by a clock that was ahead, and is void. Calls hang here
while days pass, so that a worker may find plans from long after its own moment."""


class VirtualClock:
    """The port `Clock`. It never goes back."""

    def __init__(self) -> None:
        self.now = BEGINNING

    def __call__(self) -> datetime:
        """The present moment."""
        return self.now

    def wait(self, microseconds: int) -> None:
        """Let time pass."""
        self.now += timedelta(microseconds=microseconds)

    def wait_until(self, moment: datetime) -> None:
        """Let time pass until then, if it is not over yet."""
        self.now = max(self.now, moment)
