"""Cursors of the feed in a dictionary."""

from typing_extensions import override

from gateway.adapters.memory.database import MemoryDatabase
from gateway.application.ports.event_cursors import EventCursors


class MemoryEventCursors(EventCursors):
    """See the port."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._positions = database.event_cursors

    @override
    async def position(self, name: str) -> int | None:
        return self._positions.get(name)

    @override
    async def move(self, name: str, *, expected: int | None, to: int) -> bool:
        if self._positions.get(name) != expected:
            return False
        self._positions[name] = to
        return True
