"""Failed logins in a dictionary."""

from collections.abc import Collection, Mapping
from datetime import datetime

from gateway.application.ports.login_failures import Failures


class MemoryLoginFailures:
    """See the port."""

    def __init__(self) -> None:
        self._failures: dict[str, Failures] = {}

    async def of(self, scopes: Collection[str]) -> Mapping[str, Failures]:
        """As `LoginFailures.of`."""
        return {scope: self._failures[scope] for scope in scopes if scope in self._failures}

    async def add(self, scopes: Collection[str], *, now: datetime, forget_before: datetime) -> None:
        """As `LoginFailures.add`."""
        for scope in scopes:
            earlier = self._failures.get(scope)
            count = 0 if earlier is None or earlier.last_at < forget_before else earlier.count
            self._failures[scope] = Failures(count=count + 1, last_at=now)

    async def clear(self, scope: str) -> None:
        """As `LoginFailures.clear`."""
        self._failures.pop(scope, None)
