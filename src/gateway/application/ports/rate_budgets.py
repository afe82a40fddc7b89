"""Rate budgets: token buckets that all processes share."""

from collections.abc import Callable
from typing import Protocol, TypeAlias

ChangeOfBudget: TypeAlias = Callable[[int, int], int]
"""Gets the moment when a bucket is full and the present moment, and returns the moment to store. Pure: it may be called
more than once. Moments are nanoseconds by one clock, which all processes share."""


class RateBudgets(Protocol):
    """Buckets by scope, each stored as the moment when it is full again.

    A storage that only one process has open may keep them in memory: all are full after a restart.
    """

    async def update(self, scope: str, change: ChangeOfBudget) -> None:
        """Change a bucket in one step: of concurrent updates, each sees what the others stored.

        A scope that is not stored has a full bucket: its moment is 0. Full buckets may be forgotten at any time.

        Raises:
            StorageUnavailable: The storage is away.
        """
        ...
