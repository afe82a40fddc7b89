"""Garbage collection, tuned for processes that serve."""

import gc
from typing import Final

NEW_OBJECTS_PER_COLLECTION: Final = 5_000
"""How many new objects start a collection. Everything waits while 5,000 objects in cycles are freed, some 3 ms."""
COLLECTIONS_PER_OLDER: Final = (5, 50)
"""How many collections of one generation come before one of the next older generation."""


def collect_garbage_seldom() -> None:
    """Tune Python's garbage collector for a process that serves: `gateway serve` does, and an embedding service may.

    Objects that exist now are never examined again, and new ones seldom. Payments leave no garbage in cycles: reference
    counts free the values of a request when it ends. With Python's defaults, a payment spends a fifth of its time on
    collections that find nothing (docs/performance.md). SQLAlchemy's statements are such cycles, and a page of a list
    makes some 2,600 of them: more objects for each collection would make the collections long, not few.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS_PER_COLLECTION, *COLLECTIONS_PER_OLDER)
