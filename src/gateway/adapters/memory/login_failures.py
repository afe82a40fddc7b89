"""Failed logins in a dictionary."""

from collections.abc import Collection, Mapping
from datetime import datetime

from typing_extensions import override

from gateway.application.ports.housekeeping import Deleted
from gateway.application.ports.login_failures import ChangeOfFailures, Failures, LoginFailures


class MemoryLoginFailures(LoginFailures):
    """See the port. No method awaits anything, so each is one step."""

    def __init__(self) -> None:
        self._failures: dict[str, Failures] = {}

    @override
    async def of(self, scopes: Collection[str]) -> Mapping[str, Failures]:
        return self._found(scopes)

    @override
    async def update(self, scopes: Collection[str], change: ChangeOfFailures) -> None:
        for scope, failures in change(self._found(scopes)).items():
            if failures is None:
                self._failures.pop(scope, None)
            else:
                self._failures[scope] = failures

    def _found(self, scopes: Collection[str]) -> Mapping[str, Failures]:
        return {scope: self._failures[scope] for scope in scopes if scope in self._failures}

    def delete_old(self, before: datetime, limit: int) -> Deleted:
        """As `Housekeeping.delete_login_failures`."""
        old = [scope for scope, failures in self._failures.items() if failures.last_at < before]
        for scope in old[:limit]:
            del self._failures[scope]
        return Deleted(count=len(old[:limit]), is_last=len(old) <= limit)
