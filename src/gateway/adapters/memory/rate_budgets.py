"""Rate budgets in a dictionary."""

import time
from collections.abc import Callable
from typing import Final

from typing_extensions import override

from gateway.application.ports.rate_budgets import ChangeOfBudget, RateBudgets

BUCKETS_MAX: Final = 10_000
"""With so many buckets, those that are full are forgotten."""


class MemoryRateBudgets(RateBudgets):
    """See the port. No method awaits anything, so each is one step."""

    def __init__(self, monotonic: Callable[[], int] = time.monotonic_ns) -> None:
        self._monotonic = monotonic
        self._full_at: dict[str, int] = {}
        self._forget_at = BUCKETS_MAX

    @override
    async def update(self, scope: str, change: ChangeOfBudget) -> None:
        now = self._monotonic()
        self._full_at[scope] = change(self._full_at.get(scope, 0), now)
        if len(self._full_at) >= self._forget_at:
            self._full_at = {each: full_at for each, full_at in self._full_at.items() if full_at > now}
            self._forget_at = max(2 * len(self._full_at), BUCKETS_MAX)
