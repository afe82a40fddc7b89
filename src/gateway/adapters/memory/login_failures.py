"""Failed logins in a dictionary."""

from collections.abc import Collection, Mapping
from datetime import datetime

from typing_extensions import override

from gateway.application.ports.housekeeping import Deleted
from gateway.application.ports.login_failures import Failures, LoginFailures


class MemoryLoginFailures(LoginFailures):
    """See the port."""

    def __init__(self) -> None:
        self._failures: dict[str, Failures] = {}

    @override
    async def of(self, scopes: Collection[str]) -> Mapping[str, Failures]:
        return {scope: self._failures[scope] for scope in scopes if scope in self._failures}

    @override
    async def add(self, scopes: Collection[str], *, now: datetime, forget_before: datetime) -> None:
        for scope in scopes:
            earlier = self._failures.get(scope)
            count = 0 if earlier is None or earlier.last_at < forget_before else earlier.count
            self._failures[scope] = Failures(count=count + 1, last_at=now)

    @override
    async def clear(self, scope: str) -> None:
        self._failures.pop(scope, None)

    def delete_old(self, before: datetime, limit: int) -> Deleted:
        """As `Housekeeping.delete_login_failures`."""
        old = [scope for scope, failures in self._failures.items() if failures.last_at < before]
        for scope in old[:limit]:
            del self._failures[scope]
        return Deleted(count=len(old[:limit]), is_last=len(old) <= limit)
