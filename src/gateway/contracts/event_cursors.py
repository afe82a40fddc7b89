"""What every storage promises about the cursors of the feed."""

import asyncio

from gateway.application.ports.storage import Storage
from gateway.domain.limits import POSITION_MAX

TIMEOUT_SECONDS = 60
"""Longer than any storage may take."""


class EventCursorsContract:
    """Subclass it, and give a fixture `storage` which returns an empty `Storage`."""

    async def test_a_cursor_that_was_never_moved_has_no_position(self, storage: Storage) -> None:
        """Which is not the same as the position 0."""
        assert await storage.event_cursors.position("a") is None
        assert await storage.event_cursors.move("a", expected=None, to=0)
        assert await storage.event_cursors.position("a") == 0

    async def test_a_cursor_is_moved_from_where_it_is(self, storage: Storage) -> None:
        """Each name for itself, and up to the last position that there may be."""
        assert await storage.event_cursors.move("a", expected=None, to=3)
        assert await storage.event_cursors.move("b", expected=None, to=4)
        assert await storage.event_cursors.move("a", expected=3, to=POSITION_MAX)
        assert await storage.event_cursors.position("a") == POSITION_MAX
        assert await storage.event_cursors.position("b") == 4
        assert await storage.event_cursors.position("c") is None

    async def test_a_cursor_is_not_moved_from_where_it_is_not(self, storage: Storage) -> None:
        """It stays, and so does one that was never moved."""
        assert not await storage.event_cursors.move("a", expected=0, to=1)
        assert await storage.event_cursors.position("a") is None
        assert await storage.event_cursors.move("a", expected=None, to=5)
        for expected in (None, 0, 4, 6):
            assert not await storage.event_cursors.move("a", expected=expected, to=7)
        assert await storage.event_cursors.position("a") == 5

    async def test_of_sixteen_moves_at_once_one_succeeds(self, storage: Storage) -> None:
        """The first move of a cursor, and a later one."""
        for expected, positions in ((None, range(16)), (0, range(16, 32))):
            async with asyncio.timeout(TIMEOUT_SECONDS):
                moved = await asyncio.gather(
                    *(storage.event_cursors.move("a", expected=expected, to=position) for position in positions)
                )
            assert sum(moved) == 1
            assert await storage.event_cursors.position("a") == positions[moved.index(True)]
            found = await storage.event_cursors.position("a")
            assert found is not None
            assert await storage.event_cursors.move("a", expected=found, to=0)
