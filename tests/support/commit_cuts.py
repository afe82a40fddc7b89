"""Commits that are cut at a storage's own COMMIT: before it takes effect, or after, when only its answer is lost."""

from collections.abc import Generator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from enum import Enum, auto
from types import TracebackType
from typing import Any, Final, Self

import pytest

from gateway.adapters.sql.asyncpg_transaction import AsyncpgTransaction
from gateway.adapters.sql.sqlalchemy_transaction import DatabaseTransaction
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Changes, Records, StorageUnavailable, UnitOfWork, Wanted

_WRITES_WITH_RECORDS: Final = {
    "users": {"replace_password_hash", "replace_email"},
    "sessions": {"start"},
    "second_factors": {"change"},
    "rates": {"put"},
    "audit_log": {"append"},
}
"""The methods of each part of a storage that write a record of the audit log, beside units of work."""


class Cut(Enum):
    """Where a commit is cut."""

    BEFORE = auto()
    AFTER = auto()


@dataclass(slots=True)
class CommitCuts:
    """Cuts the next write that has a record of the audit log, at its first COMMIT.

    A change that is there after the first COMMIT was cut `AFTER`, and not after it was cut `BEFORE`, was made in that
    transaction. Memory has no COMMIT: there the whole write is cut.
    """

    next: Cut | None = None
    at_commit: bool = True
    made: int = 0
    """How many were cut."""
    _armed: bool = field(default=False, init=False)

    def over(self, storage: Storage) -> Storage:
        """The storage, with commits that are cut."""
        parts: dict[str, Any] = {
            each.name: _Part(getattr(storage, each.name), _WRITES_WITH_RECORDS[each.name], self)
            for each in fields(Storage)
            if each.name in _WRITES_WITH_RECORDS
        }
        return replace(storage, **parts, unit_of_work=lambda: _Work(storage.unit_of_work(), self))

    def patched(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Cut at the COMMIT of the transactions of the SQL adapter."""
        for kind in (DatabaseTransaction, AsyncpgTransaction):
            monkeypatch.setattr(kind, "commit", self._cutting(kind.commit))

    def _cutting(self, commit: Any) -> Any:
        async def cut(transaction: Any) -> None:
            if not self._armed:
                await commit(transaction)
                return
            self._armed = False
            await self._cut(lambda: commit(transaction))

        return cut

    async def write(self, call: Any) -> Any:
        """Do a write that has a record."""
        if self.next is None:
            return await call()
        if not self.at_commit:
            return await self._cut(call)
        with self._arm():
            return await call()

    @contextmanager
    def _arm(self) -> Generator[None]:
        self._armed = True
        try:
            yield
        finally:
            self._armed = False

    async def _cut(self, call: Any) -> None:
        how, self.next = self.next, None
        self.made += 1
        if how is Cut.AFTER:
            await call()
        raise StorageUnavailable("The test has cut a commit.")


class _Part:
    """A part of a storage, some methods of which write records."""

    def __init__(self, part: Any, names: AbstractSet[str], cuts: CommitCuts) -> None:
        self._part, self._names, self._cuts = part, names, cuts

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._part, name)
        if name not in self._names:
            return method

        async def write(*args: Any, **kwargs: Any) -> Any:
            if name not in {"change", "append"} and kwargs.get("audit") is None:
                return await method(*args, **kwargs)
            return await self._cuts.write(lambda: method(*args, **kwargs))

        return write


class _Work:
    """A unit of work whose commit is cut if it has a record."""

    def __init__(self, inner: UnitOfWork, cuts: CommitCuts) -> None:
        self._inner, self._cuts = inner, cuts

    async def load(self, wanted: Wanted) -> Records:
        return await self._inner.load(wanted)

    async def commit(self, changes: Changes) -> None:
        if changes.audit_new:
            await self._cuts.write(lambda: self._inner.commit(changes))
        else:
            await self._inner.commit(changes)

    async def __aenter__(self) -> Self:
        await self._inner.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._inner.__aexit__(kind, error, traceback)
