"""A unit of work on Postgres: few statements, set-shaped, and the same for every size of batch.

Sets travel as one array for each column, and `unnest` makes rows of them. What a payment needs takes two round trips:
one reads, and one writes if nothing of it was changed since (docs/decisions/0010). What is remembered is not read, also
while it is still being committed (docs/decisions/0011).
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache, lru_cache
from types import TracebackType
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    Executable,
    Insert,
    Integer,
    Label,
    Select,
    Table,
    TableValuedAlias,
    Update,
    and_,
    any_,
    bindparam,
    column,
    exists,
    func,
    literal_column,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import Insert as PostgresInsert
from sqlalchemy.dialects.postgresql import insert

from gateway.adapters.sql.connection import to_the_end
from gateway.adapters.sql.contention import Contention
from gateway.adapters.sql.direct import DirectTransaction
from gateway.adapters.sql.kept_answers import DATA_OF_EVENT
from gateway.adapters.sql.pipeline import Landed, Pipeline, landed
from gateway.adapters.sql.remembered import Remembered
from gateway.adapters.sql.reversals import REVERSED_BY
from gateway.adapters.sql.rows import ACCOUNT_CHANGES, PAYMENT_CHANGES, QUOTE_CHANGES, VERSION_BEFORE
from gateway.adapters.sql.shapes import Alike, Shapes
from gateway.adapters.sql.tables import accounts, answers, events, payments, quotes, refunds, transfers, users
from gateway.adapters.sql.types import INTEGER
from gateway.adapters.sql.unit_of_work import Rows, SqlUnitOfWork, Writes, writes_of
from gateway.application.ports.unit_of_work import (
    AnswerKey,
    Changes,
    Holder,
    KeyTaken,
    Overtaken,
    Records,
    TryAgain,
    Wanted,
)
from gateway.domain.account import Account, AccountId, AccountKey
from gateway.domain.payment import MerchantReference, PaymentId, QuoteId
from gateway.domain.transaction import TransactionId

Columns = Sequence[Column[Any]]

STATEMENTS_KEPT_MAX: Final = 512
"""Compiled statements that write: one for each combination of parts and shapes."""


def given(prefix: str, of: Columns) -> TableValuedAlias:
    """Rows of these columns, from one array parameter for each, named `prefix_column`."""
    arrays = [bindparam(f"{prefix}_{each.name}", type_=ARRAY(each.type)) for each in of]
    names = [column(each.name, each.type) for each in of]
    return func.unnest(*arrays).table_valued(*names).render_derived(name="given")


def arrays(prefix: str, of: Columns, rows: Collection[Sequence[Any]]) -> dict[str, Sequence[Any]]:
    """The parameters of `given`."""
    values = zip(*rows, strict=True) if rows else ((),) * len(of)
    return {f"{prefix}_{each.name}": array for each, array in zip(of, values, strict=True)}


def _named(of: Columns, columns: Sequence[ColumnElement[Any]], prefix: str = "wanted") -> Select[*tuple[Any, ...]]:
    """These columns of the rows that the keys `wanted` name, key by key.

    `LIMIT 1` keeps the planner from turning the look-ups into a join: with statistics of an empty table, it would read
    the whole index instead, and go on doing so while the table grows.
    """
    wanted = given(prefix, of)
    row = (
        select(*columns).where(*(each == wanted.c[each.name] for each in of)).limit(literal_column("1")).lateral("row")
    )
    return select(*row.c).select_from(wanted.join(row, true()))


ONE: Final = literal_column("1", INTEGER)
ACCOUNT_KEY: Final = (accounts.c.owner_id, accounts.c.currency, accounts.c.kind)
ANSWER_KEY: Final = (answers.c.owner_id, answers.c.key)
REFERENCE: Final = (payments.c.merchant_id, payments.c.reference)
EMAIL: Final = (users.c.email,)
HOLDER: Final = (accounts.c.owner_id, accounts.c.kind)
IDS: Final = bindparam("ids", type_=ARRAY(accounts.c.id.type))

LOCK_PAYMENTS: Final = select(payments).where(payments.c.id == any_(IDS)).order_by(payments.c.id).with_for_update()

LOCK_QUOTES: Final = select(quotes).where(quotes.c.id == any_(IDS)).order_by(quotes.c.id).with_for_update()

FOUND_ANSWERS: Final = exists(_named(ANSWER_KEY, (answers.c.key,), "answered").subquery("found")).label("found_answers")
"""Whether any of the wanted keys was answered. Read with the accounts, it saves nearly every batch a round trip. What
another transaction answers meanwhile is found when this one claims the key."""

# Keys become ids first, and then one list of ids is locked: nothing of how keys are found can disturb the order.
_keyed_ids: Final = func.array(_named(ACCOUNT_KEY, (accounts.c.id,)).scalar_subquery(), type_=ARRAY(accounts.c.id.type))
LOCK_ACCOUNTS: Final = (
    select(accounts, FOUND_ANSWERS)
    .where(accounts.c.id == any_(_keyed_ids.concat(IDS)))
    .order_by(accounts.c.id)
    .with_for_update(of=accounts)
)


def _read_accounts(*, by_id: bool) -> Executable:
    by_key = _named(ACCOUNT_KEY, [*accounts.c])
    found = by_key.union(select(accounts).where(accounts.c.id == any_(IDS))) if by_id else by_key
    read = found.subquery("read")
    return select(*read.c, FOUND_ANSWERS)


READ_ACCOUNTS_BY_KEY: Final = _read_accounts(by_id=False)
READ_ACCOUNTS: Final = _read_accounts(by_id=True)

FIND_TRANSACTIONS: Final = (
    select(transfers, REVERSED_BY)
    .where(transfers.c.transaction_id == any_(IDS))
    .order_by(transfers.c.transaction_id, transfers.c.position)
)
FIND_ANSWERS: Final = _named(ANSWER_KEY, (*answers.c, DATA_OF_EVENT))
FIND_REFERENCES: Final = _named(REFERENCE, REFERENCE)
FIND_EMAILS: Final = _named(EMAIL, EMAIL)
FIND_HOLDERS: Final = _named(HOLDER, HOLDER)


RELIED_ON: Final = "accounts_relied_on"
"""The part that writes nothing: accounts that something was decided on, and that must be as they were remembered."""


class Part(NamedTuple):
    """One of the sets that a batch writes: its columns, and the statement that writes rows of them."""

    columns: Columns
    written: Callable[[Select[Any]], Insert | Update | Select[Any]]


def _inserting(table: Table) -> Part:
    def inserted(rows: Select[Any]) -> Insert:
        return insert(table).from_select([*table.c], rows)

    return Part([*table.c], inserted)


def _updating(table: Table, changes: Columns) -> Part:
    def updated(rows: Select[Any]) -> Update:
        after = rows.subquery("after")
        is_what_was_loaded = and_(table.c.id == after.c.id, table.c.version == after.c[VERSION_BEFORE.name])
        values = {each: after.c[each.name] for each in changes if each is not table.c.id}
        return update(table).values(values).where(is_what_was_loaded)

    return Part([*changes, VERSION_BEFORE], updated)


def _finding(columns: Columns) -> Part:
    def found(rows: Select[Any]) -> Select[Any]:
        wanted = rows.subquery("wanted")
        is_wanted = [each == wanted.c[each.name] for each in columns]
        row = select(ONE).where(*is_wanted).limit(literal_column("1")).lateral("row")  # As in `_named`.
        return select(ONE).select_from(wanted.join(row, true()))

    return Part(columns, found)


PARTS: Final[Mapping[str, Part]] = {
    RELIED_ON: _finding((accounts.c.id, accounts.c.version)),
    "users_new": _inserting(users),
    "accounts_new": _inserting(accounts),
    "accounts_changed": _updating(accounts, ACCOUNT_CHANGES),
    "payments_new": _inserting(payments),
    "payments_changed": _updating(payments, PAYMENT_CHANGES),
    "transactions_new": _inserting(transfers),
    "quotes_new": _inserting(quotes),
    "quotes_changed": _updating(quotes, QUOTE_CHANGES),
    "refunds_new": _inserting(refunds),
    "events_new": _inserting(events),
    "answers_new": _inserting(answers),
}


def _rows(name: str, columns: Columns, alike: Alike) -> Select[Any]:
    """The rows of a part, from its parameters: one value for a column that is alike, else an array."""
    differing = given(name, [each for position, each in enumerate(columns) if position not in alike])
    return select(
        *(
            bindparam(f"{name}_{each.name}", type_=each.type).label(each.name)
            if position in alike
            else differing.c[each.name]
            for position, each in enumerate(columns)
        )
    ).select_from(differing)


def _parameters(name: str, values: Sequence[Sequence[Any]], alike: Alike) -> Iterable[tuple[str, Any]]:
    """The parameters of `_rows`."""
    travels = (column[0] if position in alike else column for position, column in enumerate(values))
    return zip(_parameter_names(name), travels, strict=True)


@cache
def _parameter_names(name: str) -> Sequence[str]:
    return [f"{name}_{each.name}" for each in PARTS[name].columns]


@lru_cache(maxsize=STATEMENTS_KEPT_MAX)
def write_statement(parts: tuple[tuple[str, Alike], ...], *, checked: bool) -> Executable:
    """One statement that writes these parts, in this order, and counts the rows of each.

    Checked, it writes (or finds) all rows of all parts, or it fails and writes nothing: dividing by zero is how a
    statement that has no transaction around it takes back what it has written.
    """
    counts: list[Label[int]] = []
    are_all: list[ColumnElement[bool]] = []
    for name, alike in parts:
        columns, written = PARTS[name]
        change = written(_rows(name, columns, alike))
        if name == "answers_new" and isinstance(change, PostgresInsert) and not checked:
            # It waits for another transaction that has written the key, and then leaves the row out: that tells it.
            # Checked, the same insert fails, and everything beside it.
            change = change.on_conflict_do_nothing()
        rows = change.cte(name) if isinstance(change, Select) else change.returning(ONE).cte(name)
        count = select(func.count()).select_from(rows).scalar_subquery()
        counts.append(count.label(name))
        first = bindparam(f"{name}_{columns[0].name}", type_=ARRAY(columns[0].type))
        are_all.append(count == func.cardinality(first))
    return select(ONE // and_(*are_all).cast(Integer)) if checked else select(*counts)


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
        transaction: DirectTransaction,
        contention: Contention,
        shapes: Shapes,
        remembered: Remembered,
        pipeline: Pipeline,
    ) -> None:
        super().__init__(transaction)
        self._transaction = transaction
        self._contention = contention
        self._shapes = shapes
        self._remembered = remembered
        self._pipeline = pipeline
        self._locks = False
        self._has_turn = False
        self._recalls = False
        self._before: Landed | None = None
        self._wanted = Wanted()
        self._found_answers = True
        self._has_read = False
        self._from_memory: dict[AccountId, Account] = {}

    async def load(self, wanted: Wanted) -> Records:
        """As `UnitOfWork.load`: from memory, what is known."""
        if wanted.may_be_remembered:
            await self._take_turn(wanted)
        records = await super().load(wanted)
        return replace(records, are_remembered=True) if self._from_memory else records

    async def _take_turn(self, wanted: Wanted) -> None:
        await self._pipeline.enter()
        self._has_turn = True
        self._before = self._pipeline.under_way
        self._recalls = not self._must_lock(wanted) and not self._remembered.answered_any(wanted.answers)
        if self._before is not None and not self._recalls:
            await landed(self._before)
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
            self._remembered.forget([*changed, *self._from_memory])
            raise
        if self._locks or not self._wanted.may_be_remembered:
            self._remembered.forget(changed)

    async def _commit_at_once(self, changes: Changes, changed: Collection[AccountId]) -> None:
        writes = dict(writes_of(changes, self._versions))
        relied_on = [(each.id, each.version) for each in self._from_memory.values() if each.id not in changed]
        if relied_on:
            writes[RELIED_ON] = relied_on
        statement, parameters = self._statement(writes, checked=True)
        if self._before is not None and not await landed(self._before):
            raise Overtaken("What this rests on was not committed.")
        answered = {answer.key for answer in changes.answers_new}
        if self._knows_all:
            await self._must_be_unanswered(set(self._wanted.answers) - answered)
        under_way = self._taken_off(changes, answered)
        committed = False
        try:
            await self._see_through(statement, parameters)
            committed = True
        finally:
            if under_way is not None:
                under_way.set_result(committed)

    async def _must_be_unanswered(self, keys: Collection[AnswerKey]) -> None:
        """What is not kept under its key would not find that key taken."""
        if keys and await self._transaction.rows(FIND_ANSWERS, arrays("wanted", ANSWER_KEY, keys)):
            raise KeyTaken("One of the idempotency keys was answered elsewhere.")

    def _taken_off(self, changes: Changes, answered: Collection[AnswerKey]) -> Landed | None:
        """That the next one may go on from here, if all that it must know is remembered."""
        if not self._has_turn or not self._remembered.keep(changes.accounts_changed, answered):
            return None
        if changes.users_new or changes.accounts_new:
            return None  # The next one would look for them in vain.
        self._has_turn = False
        return self._pipeline.take_off()

    async def _see_through(self, statement: Executable, parameters: Mapping[str, Any]) -> None:
        try:
            # It is its own commit, and so it is seen to its end as one.
            await to_the_end(self._transaction.rows(statement, parameters))
        except KeyTaken:
            raise  # Somebody asks again, or gave a name twice: no reason to lock what everybody pays.
        except TryAgain:
            self._contention.notice()
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
        if not self._recalls:
            return await super()._accounts(keys, ids)
        known, unknown_keys, unknown_ids = self._remembered.known(keys, ids)
        self._from_memory |= known
        if unknown_keys or unknown_ids:
            return [*known.values(), *await super()._accounts(unknown_keys, unknown_ids)]
        return list(known.values())

    @property
    def _knows_all(self) -> bool:
        """Whether all accounts are from memory, and so nothing was read that would have told of answers."""
        return bool(self._from_memory) and not self._has_read

    async def _prepare(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._locks = self._must_lock(wanted)
        if self._locks:
            await self._transaction.begin()

    def _must_lock(self, wanted: Wanted) -> bool:
        return self._contention.is_expected or bool(
            wanted.payments or wanted.quotes or wanted.transactions or wanted.emails or wanted.payers
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
        if not self._found_answers or self._knows_all:
            return ()
        return await self._transaction.rows(FIND_ANSWERS, arrays("wanted", ANSWER_KEY, keys))

    async def _find_references(self, references: Collection[MerchantReference]) -> Rows:
        return await self._transaction.rows(FIND_REFERENCES, arrays("wanted", REFERENCE, references))

    async def _find_emails(self, emails: Collection[str]) -> Rows:
        return await self._transaction.rows(FIND_EMAILS, {"wanted_email": list(emails)})

    async def _find_holders(self, holders: Collection[Holder]) -> Rows:
        return await self._transaction.rows(FIND_HOLDERS, arrays("wanted", HOLDER, holders))

    async def _write(self, writes: Writes) -> Mapping[str, int]:
        statement, parameters = self._statement(writes, checked=False)
        [counts] = await self._transaction.rows(statement, parameters)
        return dict(zip(writes, counts, strict=True))

    def _statement(self, writes: Writes, *, checked: bool) -> tuple[Executable, Mapping[str, Any]]:
        parameters: dict[str, Any] = {}
        parts: list[tuple[str, Alike]] = []
        for name, rows in writes.items():
            values = list(zip(*rows, strict=True))
            alike = self._shapes.of(name, values)
            parts.append((name, alike))
            parameters.update(_parameters(name, values, alike))
        return write_statement(tuple(parts), checked=checked), parameters
