"""Failed logins, counted where every process sees them."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Protocol

from gateway.domain.immutable import immutable


@immutable
class Failures:
    """How often logins have failed in a row, and when the last one did."""

    count: int
    last_at: datetime


class LoginFailures(Protocol):
    """Counts by scope: an account or an address. All raise `StorageUnavailable` when the storage is away."""

    async def of(self, scopes: Collection[str]) -> Mapping[str, Failures]:
        """The failures of those scopes that have any."""
        ...

    async def add(self, scopes: Collection[str], *, now: datetime, forget_before: datetime) -> None:
        """Count one more failure for each scope. Counts whose last failure is older than `forget_before` start anew."""
        ...

    async def clear(self, scope: str) -> None:
        """Forget a scope's failures."""
        ...
