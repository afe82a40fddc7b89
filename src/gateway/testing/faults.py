"""A storage that fails when a test wants it to."""

import inspect
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from types import TracebackType
from typing import Any, Self

from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Changes, Records, StorageUnavailable, UnitOfWork, Wanted

_GUARDED_NOT = frozenset({"unit_of_work", "scheduling", "time", "audit", "unit_of_work_in"})


@dataclass(slots=True)
class StorageFaults:
    """Faults of the storages that `over` has made."""

    _away: int = 0
    _lost: list[bool] = field(default_factory=list[bool])
    """For each of the next commits that are lost, whether it is written."""

    @contextmanager
    def away(self) -> Generator[None]:
        """The storage cannot be reached: every method raises `StorageUnavailable`."""
        self._away += 1
        try:
            yield
        finally:
            self._away -= 1

    def lose_commit(self, *, written: bool) -> None:
        """The next commit raises `StorageUnavailable`: after it was written, or before, and nobody can tell which.

        The caller of the gateway gets `StorageUnavailable`, and may call again with the same key.

        Within `execute_in` there is no commit of the gateway: the writing of the command is lost, and either way the
        program rolls back. The answer to the program's own commit is lost where the program commits.
        """
        self._lost.append(written)

    def over(self, storage: Storage) -> Storage:
        """A storage that fails as it is told."""
        guarded = {
            each.name: _Guarded(getattr(storage, each.name), self)
            for each in fields(Storage)
            if each.name not in _GUARDED_NOT
        }
        parts: dict[str, Any] = guarded
        if storage.unit_of_work_in is not None:
            parts["unit_of_work_in"] = self._inside(storage.unit_of_work_in)
        return replace(
            storage,
            **parts,
            unit_of_work=lambda: _FaultyUnitOfWork(storage.unit_of_work(), self),
            audit=self._checked(storage.audit),
        )

    def _inside(self, unit_of_work_in: Callable[[object], UnitOfWork]) -> Callable[[object], UnitOfWork]:
        def faulty(connection: object) -> UnitOfWork:
            return _FaultyUnitOfWork(unit_of_work_in(connection), self)

        return faulty

    def check(self) -> None:
        """Refuse what is asked while the storage is away.

        Raises:
            StorageUnavailable: It is.
        """
        if self._away:
            raise StorageUnavailable("The test has the storage away.")

    def next_commit(self) -> bool | None:
        """Whether the next commit is written, if it is to be lost; `None` if it is not."""
        return self._lost.pop(0) if self._lost else None

    def _checked(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            self.check()
            return function(*args, **kwargs)

        async def call_and_wait(*args: Any, **kwargs: Any) -> Any:
            self.check()
            return await function(*args, **kwargs)

        return call_and_wait if inspect.iscoroutinefunction(function) else call

    def guarded(self, member: Any) -> Any:
        """A member of a part, which is refused while the storage is away."""
        return self._checked(member) if callable(member) else member


class _Guarded:
    """A part of a storage."""

    def __init__(self, part: object, faults: StorageFaults) -> None:
        self._part = part
        self._faults = faults

    def __getattr__(self, name: str) -> Any:
        return self._faults.guarded(getattr(self._part, name))


class _FaultyUnitOfWork:
    """A unit of work, whose storage may be away and whose commits may be lost."""

    def __init__(self, inner: UnitOfWork, faults: StorageFaults) -> None:
        self._inner = inner
        self._faults = faults

    async def load(self, wanted: Wanted) -> Records:
        self._faults.check()
        return await self._inner.load(wanted)

    async def commit(self, changes: Changes) -> None:
        self._faults.check()
        written = self._faults.next_commit()
        if written is not False:
            await self._inner.commit(changes)
        if written is not None:
            raise StorageUnavailable("The test has lost the answer to a commit.")

    async def __aenter__(self) -> Self:
        await self._inner.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._inner.__aexit__(kind, error, traceback)
