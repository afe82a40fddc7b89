"""Lists of bounded cost."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Protocol, TypeVar

from gateway.ports import Listed


class HasId(Protocol):
    """A record with an id."""

    @property
    def id(self) -> str:
        """Time-ordered."""
        ...


Record = TypeVar("Record", bound=HasId)

LOOKED_AT_MAX = 2_000
"""How many records a list looks at: some milliseconds. What it has found by then is a page."""


def listed(records: Iterator[Record], matches: Callable[[Record], bool], limit: int) -> Listed[Record]:
    """The first records that match, and where the look-up ended if it ended early."""
    found: list[Record] = []
    for looked_at, record in enumerate(records, 1):
        if len(found) >= limit:
            break
        if matches(record):
            found.append(record)
        elif looked_at >= LOOKED_AT_MAX:
            return Listed(found, stopped_at=record.id)
    return Listed(found)


def created_within(at: datetime, after: datetime | None, before: datetime | None) -> bool:
    """Whether after ≤ at < before."""
    return (after is None or at >= after) and (before is None or at < before)
