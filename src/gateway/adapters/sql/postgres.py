"""A unit of work on Postgres: few statements, set-shaped, and the same for every size of batch.

Sets travel as one array for each column, and `unnest` makes rows of them.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    ARRAY,
    CTE,
    Column,
    Executable,
    Select,
    Table,
    TableValuedAlias,
    and_,
    any_,
    bindparam,
    column,
    func,
    literal_column,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.adapters.sql.connection import Transaction
from gateway.adapters.sql.direct import DirectTransaction
from gateway.adapters.sql.reversals import REVERSED_BY
from gateway.adapters.sql.rows import ACCOUNT_CHANGES, PAYMENT_CHANGES, QUOTE_CHANGES
from gateway.adapters.sql.tables import accounts, answers, events, payments, quotes, refunds, transfers, users
from gateway.adapters.sql.types import INTEGER
from gateway.adapters.sql.unit_of_work import Rows, SqlUnitOfWork, Writes
from gateway.application.ports.unit_of_work import AnswerKey, Holder
from gateway.domain.account import AccountId, AccountKey
from gateway.domain.payment import MerchantReference, PaymentId, QuoteId
from gateway.domain.transaction import TransactionId

Columns = Sequence[Column[Any]]


def given(prefix: str, of: Columns) -> TableValuedAlias:
    """Rows of these columns, from one array parameter for each, named `prefix_column`."""
    arrays = [bindparam(f"{prefix}_{each.name}", type_=ARRAY(each.type)) for each in of]
    names = [column(each.name, each.type) for each in of]
    return func.unnest(*arrays).table_valued(*names).render_derived(name="given")


def arrays(prefix: str, of: Columns, rows: Collection[Sequence[Any]]) -> dict[str, Sequence[Any]]:
    """The parameters of `given`."""
    values = zip(*rows, strict=True) if rows else ((),) * len(of)
    return {f"{prefix}_{each.name}": array for each, array in zip(of, values, strict=True)}


def _named(of: Columns, columns: Columns) -> Select[*tuple[Any, ...]]:
    """These columns of the rows that the keys `wanted` name, key by key.

    `LIMIT 1` keeps the planner from turning the look-ups into a join: with statistics of an empty table, it would read
    the whole index instead, and go on doing so while the table grows.
    """
    wanted = given("wanted", of)
    row = (
        select(*columns).where(*(each == wanted.c[each.name] for each in of)).limit(literal_column("1")).lateral("row")
    )
    return select(*row.c).select_from(wanted.join(row, true()))


ACCOUNT_KEY: Final = (accounts.c.owner_id, accounts.c.currency, accounts.c.kind)
ANSWER_KEY: Final = (answers.c.owner_id, answers.c.key)
REFERENCE: Final = (payments.c.merchant_id, payments.c.reference)
EMAIL: Final = (users.c.email,)
HOLDER: Final = (accounts.c.owner_id, accounts.c.kind)
ONE: Final = literal_column("1", INTEGER)
IDS: Final = bindparam("ids", type_=ARRAY(accounts.c.id.type))

LOCK_PAYMENTS: Final = select(payments).where(payments.c.id == any_(IDS)).order_by(payments.c.id).with_for_update()

LOCK_QUOTES: Final = select(quotes).where(quotes.c.id == any_(IDS)).order_by(quotes.c.id).with_for_update()

# Keys become ids first, and then one list of ids is locked: nothing of how keys are found can disturb the order.
_keyed_ids: Final = func.array(_named(ACCOUNT_KEY, (accounts.c.id,)).scalar_subquery(), type_=ARRAY(accounts.c.id.type))
LOCK_ACCOUNTS: Final = (
    select(accounts).where(accounts.c.id == any_(_keyed_ids.concat(IDS))).order_by(accounts.c.id).with_for_update()
)

FIND_TRANSACTIONS: Final = (
    select(transfers, REVERSED_BY)
    .where(transfers.c.transaction_id == any_(IDS))
    .order_by(transfers.c.transaction_id, transfers.c.position)
)
FIND_ANSWERS: Final = _named(ANSWER_KEY, tuple(answers.c))
FIND_REFERENCES: Final = _named(REFERENCE, REFERENCE)
FIND_EMAILS: Final = _named(EMAIL, EMAIL)
FIND_HOLDERS: Final = _named(HOLDER, HOLDER)


def _inserted(name: str, table: Table) -> CTE:
    rows = given(name, [*table.c])
    return insert(table).from_select([*table.c], select(*rows.c)).returning(ONE).cte(name)


def _claimed(name: str, table: Table) -> CTE:
    rows = given(name, [*table.c])
    # DO NOTHING waits for another transaction which has written the key, and then leaves the row out: that tells it.
    claim = insert(table).from_select([*table.c], select(*rows.c)).on_conflict_do_nothing()
    return claim.returning(ONE).cte(name)


def _updated(name: str, table: Table, changes: Columns) -> CTE:
    rows = given(name, changes)
    # The row was loaded, and is locked since: if what is there now is not older, that is a bug, and changes nothing.
    same = and_(table.c.id == rows.c.id, table.c.version < rows.c.version)
    changed = update(table).values({each: rows.c[each.name] for each in changes if each is not table.c.id}).where(same)
    return changed.returning(ONE).cte(name)


class Part(NamedTuple):
    """One of the sets that a batch writes."""

    columns: Columns
    statement: CTE


PARTS: Final[Mapping[str, Part]] = {
    "users_new": Part([*users.c], _inserted("users_new", users)),
    "accounts_new": Part([*accounts.c], _inserted("accounts_new", accounts)),
    "accounts_changed": Part(ACCOUNT_CHANGES, _updated("accounts_changed", accounts, ACCOUNT_CHANGES)),
    "payments_new": Part([*payments.c], _inserted("payments_new", payments)),
    "payments_changed": Part(PAYMENT_CHANGES, _updated("payments_changed", payments, PAYMENT_CHANGES)),
    "transactions_new": Part([*transfers.c], _inserted("transactions_new", transfers)),
    "quotes_new": Part([*quotes.c], _inserted("quotes_new", quotes)),
    "quotes_changed": Part(QUOTE_CHANGES, _updated("quotes_changed", quotes, QUOTE_CHANGES)),
    "refunds_new": Part([*refunds.c], _inserted("refunds_new", refunds)),
    "events_new": Part([*events.c], _inserted("events_new", events)),
    "answers_new": Part([*answers.c], _claimed("answers_new", answers)),
}


@cache
def write_statement(names: tuple[str, ...]) -> Executable:
    """One statement that writes these parts, in this order, and counts the rows of each. Few combinations occur."""
    return select(
        *(select(func.count()).select_from(PARTS[name].statement).scalar_subquery().label(name) for name in names)
    )


class PostgresUnitOfWork(SqlUnitOfWork):
    """See the port. Loading takes a round trip for each kind of thing that is wanted, writing takes one in all."""

    def _transaction_on(self, engine: AsyncEngine) -> Transaction:
        return DirectTransaction(engine)

    async def _lock_payments(self, ids: Collection[PaymentId]) -> Rows:
        return await self._transaction.rows(LOCK_PAYMENTS, {"ids": list(ids)})

    async def _lock_quotes(self, ids: Collection[QuoteId]) -> Rows:
        return await self._transaction.rows(LOCK_QUOTES, {"ids": list(ids)})

    async def _lock_accounts(self, keys: Collection[AccountKey], ids: Collection[AccountId]) -> Rows:
        return await self._transaction.rows(LOCK_ACCOUNTS, {"ids": list(ids), **arrays("wanted", ACCOUNT_KEY, keys)})

    async def _find_transactions(self, ids: Collection[TransactionId]) -> Rows:
        return await self._transaction.rows(FIND_TRANSACTIONS, {"ids": list(ids)})

    async def _find_answers(self, keys: Collection[AnswerKey]) -> Rows:
        return await self._transaction.rows(FIND_ANSWERS, arrays("wanted", ANSWER_KEY, keys))

    async def _find_references(self, references: Collection[MerchantReference]) -> Rows:
        return await self._transaction.rows(FIND_REFERENCES, arrays("wanted", REFERENCE, references))

    async def _find_emails(self, emails: Collection[str]) -> Rows:
        return await self._transaction.rows(FIND_EMAILS, {"wanted_email": list(emails)})

    async def _find_holders(self, holders: Collection[Holder]) -> Rows:
        return await self._transaction.rows(FIND_HOLDERS, arrays("wanted", HOLDER, holders))

    async def _write(self, writes: Writes) -> Mapping[str, int]:
        parameters: dict[str, Sequence[Any]] = {}
        for name, rows in writes.items():
            parameters |= arrays(name, PARTS[name].columns, rows)
        [counts] = await self._transaction.rows(write_statement(tuple(writes)), parameters)
        return dict(zip(writes, counts, strict=True))
