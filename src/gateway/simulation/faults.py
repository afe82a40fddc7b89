"""Faults: errors and delays of transactions, added to a storage without any."""

from dataclasses import dataclass
from random import Random
from types import TracebackType
from typing import Final, NamedTuple, Self

from gateway.application.ports.unit_of_work import (
    Changes,
    KeyBusy,
    KeyTaken,
    Records,
    StorageUnavailable,
    TryAgain,
    UnitOfWork,
    Wanted,
)
from gateway.simulation.clock import VirtualClock

LOAD_FAULTS_PERCENT: Final = 3
COMMIT_FAULTS_PERCENT: Final = 9
AWAY_MAX: Final = 12
"""The maximum number of consecutive transactions without storage."""

SLOW_MICROSECONDS_MAX: Final = 90_000_000
"""The maximum duration of one call, in microseconds: longer than the shortest hold."""


class CommitFault(NamedTuple):
    """A fault of a commit: whether it is written, and what the caller gets."""

    written: bool
    told: type[Exception] | None = None


SLOW: Final = CommitFault(written=True)
COMMIT_FAULTS: Final = (
    CommitFault(written=False, told=TryAgain),
    CommitFault(written=True, told=TryAgain),
    CommitFault(written=False, told=StorageUnavailable),
    CommitFault(written=True, told=StorageUnavailable),
    CommitFault(written=False, told=KeyTaken),
    CommitFault(written=False, told=KeyBusy),
    SLOW,
)


@dataclass(slots=True)
class Faults:
    """Draws faults. Without `random`, there are none."""

    clock: VirtualClock
    random: Random | None = None
    away: int = 0

    def before_load(self) -> bool:
        """Let a load meet a fault. Returns whether it met one.

        Raises:
            StorageUnavailable, TryAgain: The storage is away, or gives the transaction up.
        """
        if self.random is None:
            return False
        if self.away:
            self.away -= 1
            raise StorageUnavailable("The storage is away.")
        dice = self.random.randrange(100)
        if dice >= LOAD_FAULTS_PERCENT:
            return False
        if dice == 0:
            self.away = self.random.randrange(AWAY_MAX)
            raise StorageUnavailable("The storage is away.")
        if dice == 1:
            raise TryAgain("The storage gave the transaction up.")
        self._be_slow()
        return True

    def at_commit(self) -> CommitFault | None:
        """Draw the fault of a commit."""
        if self.random is None or self.random.randrange(100) >= COMMIT_FAULTS_PERCENT:
            return None
        fault = self.random.choice(COMMIT_FAULTS)
        if fault is SLOW:
            self._be_slow()
        return fault

    def _be_slow(self) -> None:
        if self.random is not None:
            self.clock.wait(self.random.randrange(SLOW_MICROSECONDS_MAX))


class FaultyUnitOfWork:
    """A unit of work with faults. `written` is what it has committed, even if the caller got an error."""

    def __init__(self, inner: UnitOfWork, faults: Faults) -> None:
        self._inner = inner
        self._faults = faults
        self._over = False
        self.written: Changes | None = None
        self.met_fault = False

    async def load(self, wanted: Wanted) -> Records:
        """Load as `UnitOfWork.load`, or meet a fault."""
        self.met_fault = True
        self.met_fault = self._faults.before_load()
        return await self._inner.load(wanted)

    async def commit(self, changes: Changes) -> None:
        """Commit as `UnitOfWork.commit`, or meet a fault."""
        if self._over:
            # What a database does after a rollback: the transaction is empty, and commits.
            return
        fault = self._faults.at_commit()
        self.met_fault = self.met_fault or fault is not None
        self._over = True
        if fault is None or fault.written:
            await self._inner.commit(changes)
            self.written = changes
        if fault is not None and fault.told is not None:
            raise fault.told("The storage failed.")

    async def __aenter__(self) -> Self:
        """Begin."""
        await self._inner.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End."""
        await self._inner.__aexit__(kind, error, traceback)
