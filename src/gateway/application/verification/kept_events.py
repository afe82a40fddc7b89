"""Kept events: which events of a record must be there, after housekeeping has deleted the first ones of the feed."""

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise

from gateway.domain.immutable import immutable


@immutable
class KeptEvents:
    """What is known of deleted events.

    Attributes:
        since: Events that were created at this moment or later are all there; `None` if no event was ever deleted.
    """

    since: datetime | None = None

    def has(self, created_at: datetime) -> bool:
        """Whether an event of this moment must be stored; if so, every later event of its object must be, too."""
        return self.since is None or created_at >= self.since

    def may_be_all(self, sequences: Sequence[int], version: int, *, created_at: datetime, updated_at: datetime) -> bool:
        """Whether these can be the sequences of all events that are kept of an object.

        Args:
            sequences: In any order.
            version: The version of the object: the sequence of its last event.
            created_at: When the object was created, with its first event.
            updated_at: When it was changed last, with its last event.
        """
        found = sorted(sequences)
        if not found:
            return not self.has(updated_at)
        without_gaps = found[-1] == version and all(after == before + 1 for before, after in pairwise(found))
        return without_gaps and (found[0] == 1 or not self.has(created_at))
