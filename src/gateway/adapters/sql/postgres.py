"""A unit of work on Postgres commits in one of three ways, chosen when it loads.

- Locked: a transaction of several statements, which locks what it loads.
- Checked: one statement reads, and one writes if everything that was read still has its version
  (docs/decisions/0010).
- Pipelined: as checked, on cached accounts, while the unit of work before it still commits (docs/decisions/0011).
"""

from collections.abc import Collection
from dataclasses import dataclass
from operator import attrgetter
from types import TracebackType
from typing import Final, Protocol, Self

from typing_extensions import override

from gateway.adapters.sql.account_cache import AccountCache
from gateway.adapters.sql.asyncpg_transaction import AsyncpgTransaction
from gateway.adapters.sql.cached_accounts import CachedAccounts
from gateway.adapters.sql.constant_columns import ConstantColumns
from gateway.adapters.sql.contention import Contention
from gateway.adapters.sql.hybrid_clock import HybridClock
from gateway.adapters.sql.loading import StoredAccounts, load_records
from gateway.adapters.sql.pipeline import InFlight, Pipeline, Turn, was_committed
from gateway.adapters.sql.postgres_queries import PostgresQueries, Statement, statement_of
from gateway.adapters.sql.postgres_statements import RELIED_ON
from gateway.adapters.sql.writing import IDS_AHEAD, Versions, check_counts, rows_to_write, versions_of
from gateway.application.ports.batch_records import AnswerKey
from gateway.application.ports.unit_of_work import Changes, Conflict, KeyTaken, Records, TryAgain, UnitOfWork, Wanted
from gateway.domain.account import Account, AccountId


@dataclass(slots=True, frozen=True)
class PostgresState:
    """What the units of work of one storage share.

    Attributes:
        shared_lock_seconds: How long one that locks what it loads waits for each lock, unless it wants otherwise.
    """

    contention: Contention
    constant_columns: ConstantColumns
    cache: AccountCache
    pipeline: Pipeline
    clock: HybridClock
    shared_lock_seconds: float


class CommitStrategy(Protocol):
    """One of the three ways to load and commit. See the module."""

    async def load(self, wanted: Wanted) -> Records:
        """Load what is wanted. See `UnitOfWork.load`."""
        ...

    async def commit(self, changes: Changes) -> None:
        """Commit all changes or none. See `UnitOfWork.commit`."""
        ...


_ALWAYS_LOCKED: Final = attrgetter(
    *("payments", "quotes", "transactions", "emails", "user_ids", "payers", "counts_payments"),
    *("webhook_endpoints", "webhook_owners", "users", "api_key_owners", "member_merchants", "lock_seconds_max"),
    *("customers", "external_ids"),
)
"""What is wanted that is never cached: a batch that needs any of it locks what it loads. One that says how long it
waits for locks does as well."""


class PostgresUnitOfWork(UnitOfWork):
    """See the port. Loading takes one round trip for each kind of record that is wanted, writing takes one in all."""

    def __init__(self, transaction: AsyncpgTransaction, state: PostgresState) -> None:
        self._transaction = transaction
        self._state = state
        self._turn: Turn | None = None
        self._strategy: CommitStrategy = Checked(transaction, state)

    @override
    async def load(self, wanted: Wanted) -> Records:
        self._strategy = await self._choose(wanted)
        return await self._strategy.load(wanted)

    @override
    async def commit(self, changes: Changes) -> None:
        await self._strategy.commit(changes)

    async def _choose(self, wanted: Wanted) -> CommitStrategy:
        transaction, state = self._transaction, self._state
        if not wanted.may_be_cached:
            return Locked(transaction, state) if self._must_lock(wanted) else Checked(transaction, state)
        await state.pipeline.enter()
        self._turn = Turn(state.pipeline)
        before = state.pipeline.in_flight
        uses_cache = not self._must_lock(wanted) and not state.cache.answered_any(wanted.answers)
        if before is not None and not uses_cache:
            await was_committed(before)
            before = None
        if self._must_lock(wanted):
            return Locked(transaction, state)
        return Pipelined(transaction, state, self._turn, before, uses_cache=uses_cache)

    def _must_lock(self, wanted: Wanted) -> bool:
        return self._state.contention.is_expected or any(_ALWAYS_LOCKED(wanted))

    async def __aenter__(self) -> Self:
        """Take a connection."""
        await self._transaction.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Roll back what was not committed, give the connection back, and end the turn."""
        try:
            await self._transaction.__aexit__(kind, error, traceback)
        finally:
            if self._turn is not None:
                self._turn.end()


class Locked(CommitStrategy):
    """Locks what it loads: BEGIN, a statement for each kind of record, one that writes, COMMIT."""

    def __init__(self, transaction: AsyncpgTransaction, state: PostgresState) -> None:
        self._transaction = transaction
        self._state = state
        self._versions: Versions = {}

    @override
    async def load(self, wanted: Wanted) -> Records:
        seconds_max = wanted.lock_seconds_max
        shared_seconds = self._state.shared_lock_seconds
        await self._transaction.begin(lock_seconds_max=shared_seconds if seconds_max is None else seconds_max)
        queries = PostgresQueries(self._transaction, wanted.answers, locks=True)
        if seconds_max is not None:
            await queries.wait_for(wanted.answers)
        clock = self._state.clock
        records = await load_records(wanted, queries, StoredAccounts(queries, clock), clock)
        self._versions = versions_of(records)
        return records

    @override
    async def commit(self, changes: Changes) -> None:
        state = self._state
        try:
            writes = await rows_to_write(changes, self._versions, state.clock)
            statement = statement_of(writes, state.constant_columns, checked=False)
            [counts] = await self._transaction.fetch(statement.text, statement.arguments)
            check_counts(writes, dict(zip(writes, counts, strict=True)))
            await self._transaction.commit()
        finally:
            state.cache.forget(account.id for account in changes.accounts_changed)
        state.clock.committed(writes.get(IDS_AHEAD, ()))


class Checked(CommitStrategy):
    """Locks nothing: one statement writes if every record still has the version that was read, or fails as a whole."""

    def __init__(self, transaction: AsyncpgTransaction, state: PostgresState) -> None:
        self._transaction = transaction
        self._state = state
        self._versions: Versions = {}

    @override
    async def load(self, wanted: Wanted) -> Records:
        queries = PostgresQueries(self._transaction, wanted.answers, locks=False)
        clock = self._state.clock
        records = await load_records(wanted, queries, StoredAccounts(queries, clock), clock)
        self._versions = versions_of(records)
        return records

    @override
    async def commit(self, changes: Changes) -> None:
        state = self._state
        try:
            writes = await rows_to_write(changes, self._versions, state.clock)
            await run_checked(statement_of(writes, state.constant_columns, checked=True), self._transaction, state)
        finally:
            state.cache.forget(account.id for account in changes.accounts_changed)
        state.clock.committed(writes.get(IDS_AHEAD, ()))


class Pipelined(CommitStrategy):
    """Decides on cached accounts, as the previous unit of work leaves them, while the previous one commits.

    Its own statement is sent once the previous unit of work was committed. Then the next unit of work has its turn. If
    this unit of work fails, its accounts leave the cache, and the next one fails with `Conflict`.
    """

    def __init__(
        self,
        transaction: AsyncpgTransaction,
        state: PostgresState,
        turn: Turn,
        before: InFlight | None,
        *,
        uses_cache: bool,
    ) -> None:
        self._transaction = transaction
        self._state = state
        self._turn = turn
        self._before = before
        self._uses_cache = uses_cache
        self._queries = PostgresQueries(transaction, (), locks=False)
        self._wanted = Wanted()
        self._cached: dict[AccountId, Account] = {}
        self._versions: Versions = {}

    async def load(self, wanted: Wanted) -> Records:
        """As `UnitOfWork.load`: from the cache, what is there."""
        state = self._state
        self._wanted = wanted
        self._queries = PostgresQueries(self._transaction, wanted.answers, locks=False)
        stored = StoredAccounts(self._queries, state.clock)
        accounts = CachedAccounts(state.cache, self._queries, stored, self._cached) if self._uses_cache else stored
        records = await load_records(wanted, self._queries, accounts, state.clock)
        self._versions = versions_of(records)
        return records

    @override
    async def commit(self, changes: Changes) -> None:
        changed = {account.id for account in changes.accounts_changed}
        try:
            await self._commit(changes, changed)
        except BaseException:
            self._state.cache.forget([*changed, *self._cached])
            raise

    async def _commit(self, changes: Changes, changed: Collection[AccountId]) -> None:
        state = self._state
        writes = await rows_to_write(changes, self._versions, state.clock)
        relied_on = [(each.id, each.version) for each in self._cached.values() if each.id not in changed]
        if relied_on:
            writes[RELIED_ON] = relied_on
        statement = statement_of(writes, state.constant_columns, checked=True)
        if self._before is not None and not await was_committed(self._before):
            raise Conflict("The unit of work before this one was not committed.")
        answered = {answer.key for answer in changes.answers_new}
        if self._cached and not self._queries.has_read_accounts:
            await self._must_be_unanswered(set(self._wanted.answers) - answered)
        in_flight = self._begin_commit(changes, answered)
        committed = False
        try:
            await run_checked(statement, self._transaction, state)
            committed = True
            state.clock.committed(writes.get(IDS_AHEAD, ()))
        finally:
            if in_flight is not None:
                in_flight.set_result(committed)

    async def _must_be_unanswered(self, keys: Collection[AnswerKey]) -> None:
        """Look for answers under keys that this commit does not claim: no other statement looks for them."""
        if keys and await self._queries.answers_of(keys):
            raise KeyTaken("One of the idempotency keys was answered elsewhere.")

    def _begin_commit(self, changes: Changes, answered: Collection[AnswerKey]) -> InFlight | None:
        """Let the next unit of work decide on the cache, if that has all that it must know."""
        if not self._state.cache.keep(changes.accounts_changed, answered):
            return None
        if changes.users_new or changes.accounts_new:
            return None  # They are not cached, so the next unit of work must read them.
        return self._turn.begin_commit()


async def run_checked(statement: Statement, transaction: AsyncpgTransaction, state: PostgresState) -> None:
    """Run a statement that is a transaction by itself."""
    try:
        await transaction.fetch(statement.text, statement.arguments)
    except KeyTaken:
        raise  # A key was sent twice, or a name given twice: no reason to lock accounts.
    except TryAgain:
        state.contention.notice()
        # The other process may have changed any account. Each would be another conflict.
        state.cache.forget_accounts()
        raise
