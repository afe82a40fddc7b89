"""A unit of work on Postgres, in few round trips.

What a payment needs takes two: one reads, and one writes if nothing of it was changed since (docs/decisions/0010). What
is remembered is not read, also while it is still being committed (docs/decisions/0011).
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any

from sqlalchemy import Executable

from gateway.adapters.sql.account_cache import AccountCache
from gateway.adapters.sql.asyncpg_transaction import AsyncpgTransaction
from gateway.adapters.sql.constant_columns import Constant, ConstantColumns
from gateway.adapters.sql.contention import Contention
from gateway.adapters.sql.order import Order
from gateway.adapters.sql.pipeline import InFlight, Pipeline, was_committed
from gateway.adapters.sql.postgres_statements import (
    ACCOUNT_KEY,
    ANSWER_KEY,
    FIND_ANSWERS,
    FIND_EMAILS,
    FIND_HOLDERS,
    FIND_REFERENCES,
    FIND_TRANSACTIONS,
    FIND_USER_IDS,
    HOLDER,
    LOCK_ACCOUNTS,
    LOCK_PAYMENTS,
    LOCK_QUOTES,
    READ_ACCOUNTS,
    READ_ACCOUNTS_BY_KEY,
    REFERENCE,
    RELIED_ON,
    arrays,
    parameters_of,
    write_statement,
)
from gateway.adapters.sql.sqlalchemy_transaction import to_the_end
from gateway.adapters.sql.unit_of_work import Rows, SqlUnitOfWork, Writes
from gateway.application.ports.unit_of_work import (
    AnswerKey,
    Changes,
    Conflict,
    Holder,
    KeyTaken,
    Records,
    TryAgain,
    Wanted,
)
from gateway.domain.account import Account, AccountId, AccountKey
from gateway.domain.payment import PaymentId, PaymentReference, QuoteId
from gateway.domain.transaction import TransactionId
from gateway.domain.user import UserId


class PostgresUnitOfWork(SqlUnitOfWork):
    """See the port. Loading takes a round trip for each kind of thing that is wanted, writing takes one in all.

    What changes accounts alone, as payments do, takes no locks and no transaction of several statements, unless others
    were seen to write to the same accounts lately: one statement reads, another one writes if every account still has
    the version that was read, or fails as a whole. Whatever else is wanted is locked from the beginning.

    Where accounts may be remembered, only those are read that are not, and if there are none, a payment takes one round
    trip. Units of work go in a row then. One has its turn while it loads and decides; on committing it waits for the
    one before to land, takes down how it leaves its accounts, and gives the turn away while its statement is on the
    way. If it fails, what it took down is forgotten, and the next one, which has decided on it, fails with `Overtaken`.
    """

    def __init__(
        self,
        transaction: AsyncpgTransaction,
        contention: Contention,
        constant_columns: ConstantColumns,
        cache: AccountCache,
        pipeline: Pipeline,
        order: Order,
    ) -> None:
        super().__init__(transaction, order)
        self._transaction = transaction
        self._contention = contention
        self._constant_columns = constant_columns
        self._cache = cache
        self._pipeline = pipeline
        self._locks = False
        self._has_turn = False
        self._uses_cache = False
        self._before: InFlight | None = None
        self._wanted = Wanted()
        self._found_answers = True
        self._has_read = False
        self._from_cache: dict[AccountId, Account] = {}

    async def load(self, wanted: Wanted) -> Records:
        """As `UnitOfWork.load`: from memory, what is known."""
        if wanted.may_be_cached:
            await self._take_turn(wanted)
        records = await super().load(wanted)
        return replace(records, are_cached=True) if self._from_cache else records

    async def _take_turn(self, wanted: Wanted) -> None:
        await self._pipeline.enter()
        self._has_turn = True
        self._before = self._pipeline.in_flight
        self._uses_cache = not self._must_lock(wanted) and not self._cache.answered_any(wanted.answers)
        if self._before is not None and not self._uses_cache:
            await was_committed(self._before)
            self._before = None

    async def commit(self, changes: Changes) -> None:
        """As `UnitOfWork.commit`."""
        changed = {account.id for account in changes.accounts_changed}
        try:
            if self._locks:
                await super().commit(changes)
            else:
                await self._commit_at_once(changes, changed)
        except BaseException:
            self._cache.forget([*changed, *self._from_cache])
            raise
        if self._locks or not self._wanted.may_be_cached:
            self._cache.forget(changed)

    async def _commit_at_once(self, changes: Changes, changed: Collection[AccountId]) -> None:
        writes = dict(self._writes(changes))
        relied_on = [(each.id, each.version) for each in self._from_cache.values() if each.id not in changed]
        if relied_on:
            writes[RELIED_ON] = relied_on
        statement, parameters = self._statement(writes, checked=True)
        if self._before is not None and not await was_committed(self._before):
            raise Conflict("What this rests on was not committed.")
        answered = {answer.key for answer in changes.answers_new}
        if self._all_cached:
            await self._must_be_unanswered(set(self._wanted.answers) - answered)
        in_flight = self._begun_commit(changes, answered)
        committed = False
        try:
            await self._see_through(statement, parameters)
            committed = True
            self._order.committed(writes.get("ids_ahead", ()))
        finally:
            if in_flight is not None:
                in_flight.set_result(committed)

    async def _must_be_unanswered(self, keys: Collection[AnswerKey]) -> None:
        """What is not kept under its key would not find that key taken."""
        if keys and await self._transaction.rows(FIND_ANSWERS, arrays("wanted", ANSWER_KEY, keys)):
            raise KeyTaken("One of the idempotency keys was answered elsewhere.")

    def _begun_commit(self, changes: Changes, answered: Collection[AnswerKey]) -> InFlight | None:
        """That the next one may go on from here, if all that it must know is remembered."""
        if not self._has_turn or not self._cache.keep(changes.accounts_changed, answered):
            return None
        if changes.users_new or changes.accounts_new:
            return None  # The next one would look for them in vain.
        self._has_turn = False
        return self._pipeline.begin_commit()

    async def _see_through(self, statement: Executable, parameters: Mapping[str, Any]) -> None:
        try:
            # It is its own commit, and so it is seen to its end as one.
            await to_the_end(self._transaction.rows(statement, parameters))
        except KeyTaken:
            raise  # Somebody asks again, or gave a name twice: no reason to lock what everybody pays.
        except TryAgain:
            self._contention.notice()
            # The other process may have changed anything. Each account found out by itself would be another conflict.
            self._cache.forget_accounts()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """As `SqlUnitOfWork`; and let the next one have its turn, unless it has."""
        try:
            await super().__aexit__(kind, error, traceback)
        finally:
            if self._has_turn:
                self._pipeline.leave()

    async def _accounts(self, keys: Collection[AccountKey], ids: Collection[AccountId]) -> list[Account]:
        if not self._uses_cache:
            return await super()._accounts(keys, ids)
        known, unknown_keys, unknown_ids = self._cache.known(keys, ids)
        self._from_cache |= known
        if unknown_keys or unknown_ids:
            return [*known.values(), *await super()._accounts(unknown_keys, unknown_ids)]
        return list(known.values())

    @property
    def _all_cached(self) -> bool:
        """Whether all accounts are from memory, and so nothing was read that would have told of answers."""
        return bool(self._from_cache) and not self._has_read

    async def _prepare(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._locks = self._must_lock(wanted)
        if self._locks:
            await self._transaction.begin()

    def _must_lock(self, wanted: Wanted) -> bool:
        return self._contention.is_expected or bool(
            wanted.payments or wanted.quotes or wanted.transactions or wanted.emails or wanted.user_ids or wanted.payers
        )

    async def _lock_payments(self, ids: Collection[PaymentId]) -> Rows:
        return await self._transaction.rows(LOCK_PAYMENTS, {"ids": list(ids)})

    async def _lock_quotes(self, ids: Collection[QuoteId]) -> Rows:
        return await self._transaction.rows(LOCK_QUOTES, {"ids": list(ids)})

    async def _lock_accounts(self, keys: Collection[AccountKey], ids: Collection[AccountId]) -> Rows:
        by_id = READ_ACCOUNTS if ids else READ_ACCOUNTS_BY_KEY
        found = await self._transaction.rows(
            LOCK_ACCOUNTS if self._locks else by_id,
            {
                "ids": list(ids),
                **arrays("wanted", ACCOUNT_KEY, keys),
                **arrays("answered", ANSWER_KEY, self._wanted.answers),
            },
        )
        self._has_read = True
        if found:
            self._found_answers = found[0][-1]
        return found

    async def _find_transactions(self, ids: Collection[TransactionId]) -> Rows:
        return await self._transaction.rows(FIND_TRANSACTIONS, {"ids": list(ids)})

    async def _find_answers(self, keys: Collection[AnswerKey]) -> Rows:
        if not self._found_answers or self._all_cached:
            return ()
        return await self._transaction.rows(FIND_ANSWERS, arrays("wanted", ANSWER_KEY, keys))

    async def _find_references(self, references: Collection[PaymentReference]) -> Rows:
        return await self._transaction.rows(FIND_REFERENCES, arrays("wanted", REFERENCE, references))

    async def _find_emails(self, emails: Collection[str]) -> Rows:
        return await self._transaction.rows(FIND_EMAILS, {"wanted_email": list(emails)})

    async def _find_user_ids(self, user_ids: Collection[UserId]) -> Rows:
        return await self._transaction.rows(FIND_USER_IDS, {"wanted_id": list(user_ids)})

    async def _find_holders(self, holders: Collection[Holder]) -> Rows:
        return await self._transaction.rows(FIND_HOLDERS, arrays("wanted", HOLDER, holders))

    async def _write(self, writes: Writes) -> Mapping[str, int]:
        statement, parameters = self._statement(writes, checked=False)
        [counts] = await self._transaction.rows(statement, parameters)
        return dict(zip(writes, counts, strict=True))

    def _statement(self, writes: Writes, *, checked: bool) -> tuple[Executable, Mapping[str, Any]]:
        parameters: dict[str, Any] = {}
        parts: list[tuple[str, Constant]] = []
        for name, rows in writes.items():
            values = list(zip(*rows, strict=True))
            alike = self._constant_columns.of(name, values)
            parts.append((name, alike))
            parameters.update(parameters_of(name, values, alike))
        return write_statement(tuple(parts), checked=checked), parameters
