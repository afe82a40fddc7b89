"""The clock of the machine."""

from datetime import UTC, datetime


def system_clock() -> datetime:
    """Return the machine's present moment, aware, in UTC."""
    return datetime.now(UTC)
