"""Cursors of the feed: how far each of its readers has come, for readers that go on after a restart."""

from typing import Protocol


class EventCursors(Protocol):
    """A position for each name. Both methods raise `StorageUnavailable` when the storage is away."""

    async def position(self, name: str) -> int | None:
        """The position of the last event that the reader has dealt with; `None` if its cursor was never moved."""
        ...

    async def move(self, name: str, *, expected: int | None, to: int) -> bool:
        """Move a cursor, if it still is where the caller believes it to be. Of several calls at once, one succeeds.

        Args:
            name: The name of the reader.
            expected: The present position, as `position` tells it.
            to: The new position: 0 … `POSITION_MAX`.

        Returns:
            Whether it was moved. Otherwise it stays where it is.
        """
        ...
