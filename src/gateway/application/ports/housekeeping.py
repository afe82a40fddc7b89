"""Deletes old rows in small steps, and extends the search index of events."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from gateway.domain.immutable import immutable


@immutable
class Deleted:
    """What one step has deleted.

    Attributes:
        count: How many rows.
        is_last: Whether nothing was left to delete, or another worker is deleting it.
    """

    count: int
    is_last: bool


@immutable
class EventReaders:
    """Who still needs stored events.

    Attributes:
        cursors: The position of each reader that has a cursor, by its name.
        first_waiting: The lowest position of an event that waits to be delivered; `None` if none waits.
        replayed_since: Replays need the events that were created at this moment or later; `None` without replays.
    """

    cursors: Mapping[str, int]
    first_waiting: int | None
    replayed_since: datetime | None


class Housekeeping(Protocol):
    """Each method is one short transaction, safe beside others of its kind, and raises `StorageUnavailable`.

    `limit` is how many rows a step deletes, at most: 1 or more. Rows of the ledger are never deleted.
    """

    async def delete_answers(self, *, before: datetime, limit: int) -> Deleted:
        """Delete answers to idempotency keys that were created before a moment. A step may find none, and not be last.

        A worker passes through all answers. Until it has come to the end, later moments are of no effect.
        """
        ...

    async def oldest_answer(self) -> datetime | None:
        """A moment before which no answer is left; `None` if there are no answers at all."""
        ...

    async def event_readers(self) -> EventReaders:
        """Who still needs stored events. What is not told of here, nobody has begun to read."""
        ...

    async def delete_events(self, *, before: datetime, until: int, limit: int) -> Deleted:
        """Delete the first events of the feed, and the blocks of the index that have only deleted events.

        Deletion ends at the first event that is kept. The last event of the feed is always kept: it has the newest
        position. A storage that keeps the events of a transaction together deletes them together, also if they are
        more than `limit`.

        Args:
            before: Events that were created at this moment or later are kept.
            until: Events with a greater position are kept.
            limit: As for the other methods.
        """
        ...

    async def index_events(self, *, blocks_max: int) -> bool:
        """Add the next blocks of events to the search index, at most `blocks_max`. Returns whether more may be added.

        Storages that search without an index do nothing.
        """
        ...

    async def delete_quotes(self, *, before: datetime, limit: int) -> Deleted:
        """Delete quotes that no payment has used and that expired before a moment. `limit`: how many are looked at."""
        ...

    async def delete_sessions(self, *, before: datetime, limit: int) -> Deleted:
        """Delete sessions that were revoked, or whose unused refresh token expired, before a moment.

        Refresh tokens are deleted with their session and no earlier: a second use of one is noticed until then.
        `limit`: how many sessions, and how many used tokens.
        """
        ...

    async def delete_audit_records(self, *, before: datetime, limit: int) -> Deleted:
        """Delete the first links of the chain of the audit log, with their records, created before a moment.

        The last link is always kept, and the hash of the last one that was deleted, so that the rest can be verified.
        Deletion ends at a link whose record is missing: somebody has deleted it, and it must be found.
        """
        ...

    async def delete_login_failures(self, *, before: datetime, limit: int) -> Deleted:
        """Delete counts of failed logins whose last failure was before a moment."""
        ...
