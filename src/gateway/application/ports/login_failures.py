"""Failed logins, counted where every process sees them."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Protocol, TypeAlias

from gateway.domain.immutable import immutable


@immutable
class Failures:
    """How many attempts have failed in a row, or are being checked, and when the last one began."""

    count: int
    last_at: datetime


ChangeOfFailures: TypeAlias = Callable[[Mapping[str, Failures]], Mapping[str, Failures | None]]
"""Gets the failures of the scopes that have any; returns those to store, and `None` for those to forget. Pure: it may
be called more than once. What it raises leaves `update`, and nothing is changed."""


class LoginFailures(Protocol):
    """Counts by scope: an account, an address, or both. All raise `StorageUnavailable` when the storage is away."""

    async def of(self, scopes: Collection[str]) -> Mapping[str, Failures]:
        """The failures of those scopes that have any."""
        ...

    async def update(self, scopes: Collection[str], change: ChangeOfFailures) -> None:
        """Change the failures of these scopes in one step: of concurrent updates, each sees what the others stored."""
        ...
