"""The time, as the application asks for it."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time; rules never look at a clock themselves, they are told."""

    def __call__(self) -> datetime:
        """Return the present moment, aware, in UTC."""
        ...
