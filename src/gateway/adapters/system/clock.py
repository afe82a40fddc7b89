"""The clock of the machine."""

from datetime import UTC, datetime
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def system_clock() -> datetime:
    """Return the machine's present moment, aware, in UTC."""
    now = datetime.now(UTC)
    # Times of freezegun are of a class of its own, which no encoder knows. It replaces the name of the class here, too.
    return now if type(now) is type(_EPOCH) else _EPOCH + (now - _EPOCH)
