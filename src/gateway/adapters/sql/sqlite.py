"""A unit of work on SQLite. Its transaction locks the whole file, so no row is locked."""

from collections.abc import Collection, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self

from sqlalchemy import BindParameter, Column, Table, bindparam, delete, func, insert, or_, select, tuple_, update
from sqlalchemy.sql import ColumnElement
from sqlalchemy.sql.dml import UpdateBase
from typing_extensions import override

from gateway.adapters.sql.hybrid_clock import HybridClock
from gateway.adapters.sql.loading import Queries, Rows, StoredAccounts, load_records
from gateway.adapters.sql.rows.accounts import ACCOUNT_CHANGES
from gateway.adapters.sql.rows.events import EVENT_BATCH_COLUMNS, EVENT_COLUMNS
from gateway.adapters.sql.rows.payment_counters import COUNTERS_CHANGES
from gateway.adapters.sql.rows.payments import PAYMENT_CHANGES
from gateway.adapters.sql.rows.quotes import QUOTE_CHANGES
from gateway.adapters.sql.rows.users import USER_CHANGES
from gateway.adapters.sql.rows.values import VERSION_BEFORE, Values
from gateway.adapters.sql.sqlalchemy_transaction import DatabaseTransaction
from gateway.adapters.sql.subqueries import DATA_OF_EVENT, REVERSED_BY
from gateway.adapters.sql.tables.access import api_keys, sessions, users
from gateway.adapters.sql.tables.audit import audit_log, audit_unlinked
from gateway.adapters.sql.tables.events import answers, event_batches, events
from gateway.adapters.sql.tables.exchange import quotes
from gateway.adapters.sql.tables.ledger import accounts, ids_ahead, payments, refunds, transfers
from gateway.adapters.sql.tables.members import members
from gateway.adapters.sql.tables.risk import payment_counters
from gateway.adapters.sql.tables.webhooks import webhook_endpoints
from gateway.adapters.sql.writing import IDS_AHEAD, SESSIONS_ENDED, Versions, check_counts, rows_to_write, versions_of
from gateway.application.ports.unit_of_work import AccountHolder, AnswerKey, Changes, Records, UnitOfWork, Wanted
from gateway.domain.account import AccountId, AccountKey
from gateway.domain.payment import PaymentId, PaymentReference, QuoteId
from gateway.domain.transaction import TransactionId
from gateway.domain.user import UserId
from gateway.domain.webhook_endpoint import EndpointId

Columns = Collection[Column[Any]]


def _among(parameter: str, *of: Column[Any]) -> ColumnElement[bool]:
    return tuple_(*of).in_(bindparam(parameter, expanding=True))


FIND_USERS: Final = select(users).where(users.c.id.in_(bindparam("ids", expanding=True)))
FIND_ACCOUNTS_OF: Final = select(accounts.c.id).where(accounts.c.owner_id.in_(bindparam("owner_ids", expanding=True)))
FIND_PAYMENTS: Final = select(payments).where(payments.c.id.in_(bindparam("ids", expanding=True)))
FIND_QUOTES: Final = select(quotes).where(quotes.c.id.in_(bindparam("ids", expanding=True)))
FIND_COUNTERS: Final = select(payment_counters).where(payment_counters.c.id.in_(bindparam("ids", expanding=True)))
FIND_ACCOUNTS_BY_KEY: Final = select(accounts).where(
    _among("keys", accounts.c.owner_id, accounts.c.currency, accounts.c.kind)
)
FIND_ACCOUNTS_BY_ID: Final = select(accounts).where(accounts.c.id.in_(bindparam("ids", expanding=True)))
FIND_TRANSACTIONS: Final = (
    select(transfers, REVERSED_BY)
    .where(transfers.c.transaction_id.in_(bindparam("ids", expanding=True)))
    .order_by(transfers.c.transaction_id, transfers.c.position)
)
FIND_ANSWERS: Final = select(answers, DATA_OF_EVENT).where(_among("keys", answers.c.owner_id, answers.c.key))
_REFERENCE: Final = (payments.c.merchant_id, payments.c.reference, payments.c.reference_held_by)
FIND_WEBHOOK_ENDPOINTS: Final = select(webhook_endpoints).where(
    or_(
        webhook_endpoints.c.id.in_(bindparam("ids", expanding=True)),
        webhook_endpoints.c.owner_id.in_(bindparam("owner_ids", expanding=True)),
    )
)
FIND_API_KEYS: Final = select(api_keys).where(api_keys.c.owner_id.in_(bindparam("owner_ids", expanding=True)))
FIND_MEMBERS: Final = select(members).where(members.c.merchant_id.in_(bindparam("merchant_ids", expanding=True)))
FIND_REFERENCES: Final = select(*_REFERENCE).where(payments.c.reference.is_not(None), _among("references", *_REFERENCE))
FIND_EMAILS: Final = select(users.c.email).where(users.c.email.in_(bindparam("emails", expanding=True)))
FIND_USER_IDS: Final = select(users.c.id).where(users.c.id.in_(bindparam("user_ids", expanding=True)))
FIND_ACCOUNT_HOLDERS: Final = (
    select(accounts.c.owner_id, accounts.c.kind)
    .where(_among("account_holders", accounts.c.owner_id, accounts.c.kind))
    .distinct()
)


def _parameter_of(column: Column[Any]) -> str:
    return f"given_{column.name}"


def _inserted(table: Table) -> tuple[Columns, UpdateBase]:
    return [*table.c], insert(table).values({each: bindparam(_parameter_of(each)) for each in table.c})


def _updated(table: Table, changes: Columns) -> tuple[Columns, UpdateBase]:
    values: dict[Column[Any], BindParameter[Any]] = {
        each: bindparam(_parameter_of(each)) for each in changes if each is not table.c.id
    }
    # As on Postgres: what is there is what was loaded, or nothing is written, and that is noticed.
    same = (table.c.id == bindparam("given_id"), table.c.version == bindparam(_parameter_of(VERSION_BEFORE)))
    return [*changes, VERSION_BEFORE], update(table).values(values).where(*same)


def _replaced(table: Table) -> tuple[Columns, UpdateBase]:
    values: dict[Column[Any], BindParameter[Any]] = {
        each: bindparam(_parameter_of(each)) for each in table.c if each is not table.c.id
    }
    return [*table.c], update(table).values(values).where(table.c.id == bindparam(_parameter_of(table.c.id)))


def _deleted(table: Table) -> tuple[Columns, UpdateBase]:
    return [table.c.id], delete(table).where(table.c.id == bindparam(_parameter_of(table.c.id)))


def _ended_sessions() -> tuple[Columns, UpdateBase]:
    columns = (sessions.c.user_id, sessions.c.revoked_at)
    is_running = (sessions.c.user_id == bindparam("given_user_id"), sessions.c.revoked_at.is_(None))
    values: dict[Column[Any], Any] = {sessions.c.revoked_at: bindparam(_parameter_of(sessions.c.revoked_at))}
    return columns, update(sessions).values(values).where(*is_running)


def _inserted_batches() -> tuple[Columns, UpdateBase]:
    """The whole file is locked, so a batch is given the next positions at once; its id is the first of them."""
    newest = select(event_batches.c.first_position + event_batches.c.size).order_by(
        event_batches.c.first_position.desc()
    )
    next_position = func.coalesce(newest.limit(1).scalar_subquery(), 1)
    values: dict[Column[Any], Any] = {each: bindparam(_parameter_of(each)) for each in EVENT_BATCH_COLUMNS}
    positions = {event_batches.c.first_position: next_position, event_batches.c.batch_id: next_position}
    return EVENT_BATCH_COLUMNS, insert(event_batches).values(values | positions)


def _inserted_events() -> tuple[Columns, UpdateBase]:
    batch_id = select(func.max(event_batches.c.first_position)).scalar_subquery()
    values: dict[Column[Any], Any] = {each: bindparam(_parameter_of(each)) for each in EVENT_COLUMNS}
    return EVENT_COLUMNS, insert(events).values(values | {events.c.batch_id: batch_id})


PARTS: Final[Mapping[str, tuple[Columns, UpdateBase]]] = {
    "ids_ahead": _inserted(ids_ahead),
    "users_new": _inserted(users),
    "users_changed": _updated(users, USER_CHANGES),
    SESSIONS_ENDED: _ended_sessions(),
    "accounts_new": _inserted(accounts),
    "accounts_changed": _updated(accounts, ACCOUNT_CHANGES),
    "payments_new": _inserted(payments),
    "payments_changed": _updated(payments, PAYMENT_CHANGES),
    "payment_counters_new": _inserted(payment_counters),
    "payment_counters_changed": _updated(payment_counters, COUNTERS_CHANGES),
    "transactions_new": _inserted(transfers),
    "quotes_new": _inserted(quotes),
    "quotes_changed": _updated(quotes, QUOTE_CHANGES),
    "refunds_new": _inserted(refunds),
    "webhook_endpoints_new": _inserted(webhook_endpoints),
    "webhook_endpoints_changed": _replaced(webhook_endpoints),
    "webhook_endpoints_deleted": _deleted(webhook_endpoints),
    "api_keys_new": _inserted(api_keys),
    "api_keys_changed": _replaced(api_keys),
    "api_keys_deleted": _deleted(api_keys),
    "members_new": _inserted(members),
    "members_changed": _replaced(members),
    "members_deleted": _deleted(members),
    "audit_new": _inserted(audit_log),
    "audit_unlinked": _inserted(audit_unlinked),
    "event_batches_new": _inserted_batches(),
    "events_new": _inserted_events(),
    "answers_new": _inserted(answers),
}


class SqliteQueries(Queries):
    """See `Queries`. The transaction has locked the whole file, so no row is locked."""

    def __init__(self, transaction: DatabaseTransaction) -> None:
        self._transaction = transaction

    @override
    async def users(self, ids: Collection[UserId]) -> Rows:
        return await self._transaction.rows(FIND_USERS, {"ids": list(ids)})

    @override
    async def accounts_of(self, owner_ids: Collection[UserId]) -> Rows:
        return await self._transaction.rows(FIND_ACCOUNTS_OF, {"owner_ids": list(owner_ids)})

    @override
    async def payments(self, ids: Collection[PaymentId]) -> Rows:
        return await self._transaction.rows(FIND_PAYMENTS, {"ids": list(ids)})

    @override
    async def quotes(self, ids: Collection[QuoteId]) -> Rows:
        return await self._transaction.rows(FIND_QUOTES, {"ids": list(ids)})

    @override
    async def payment_counters(self, customer_ids: Collection[UserId]) -> Rows:
        return await self._transaction.rows(FIND_COUNTERS, {"ids": list(customer_ids)})

    @override
    async def transactions(self, ids: Collection[TransactionId]) -> Rows:
        return await self._transaction.rows(FIND_TRANSACTIONS, {"ids": list(ids)})

    @override
    async def accounts(self, keys: Collection[AccountKey], ids: Collection[AccountId]) -> Rows:
        by_key = await self._transaction.rows(FIND_ACCOUNTS_BY_KEY, {"keys": list(keys)}) if keys else ()
        by_id = await self._transaction.rows(FIND_ACCOUNTS_BY_ID, {"ids": list(ids)}) if ids else ()
        return list({row[0]: row for row in (*by_key, *by_id)}.values())

    @override
    async def webhook_endpoints(self, ids: Collection[EndpointId], owner_ids: Collection[UserId]) -> Rows:
        return await self._transaction.rows(FIND_WEBHOOK_ENDPOINTS, {"ids": list(ids), "owner_ids": list(owner_ids)})

    @override
    async def api_keys(self, owner_ids: Collection[UserId]) -> Rows:
        return await self._transaction.rows(FIND_API_KEYS, {"owner_ids": list(owner_ids)})

    @override
    async def members(self, merchant_ids: Collection[UserId]) -> Rows:
        return await self._transaction.rows(FIND_MEMBERS, {"merchant_ids": list(merchant_ids)})

    @override
    async def answers(self, keys: Collection[AnswerKey]) -> Rows:
        return await self._transaction.rows(FIND_ANSWERS, {"keys": list(keys)})

    @override
    async def references(self, references: Collection[PaymentReference]) -> Rows:
        return await self._transaction.rows(FIND_REFERENCES, {"references": list(references)})

    @override
    async def emails(self, emails: Collection[str]) -> Rows:
        return await self._transaction.rows(FIND_EMAILS, {"emails": list(emails)})

    @override
    async def user_ids(self, user_ids: Collection[UserId]) -> Rows:
        return await self._transaction.rows(FIND_USER_IDS, {"user_ids": list(user_ids)})

    @override
    async def account_holders(self, account_holders: Collection[AccountHolder]) -> Rows:
        return await self._transaction.rows(FIND_ACCOUNT_HOLDERS, {"account_holders": list(account_holders)})


class SqliteUnitOfWork(UnitOfWork):
    """See the port. There are no round trips to save: one statement for each kind of record."""

    def __init__(self, transaction: DatabaseTransaction, clock: HybridClock) -> None:
        self._transaction = transaction
        self._clock = clock
        self._versions: Versions = {}

    @override
    async def load(self, wanted: Wanted) -> Records:
        queries = SqliteQueries(self._transaction)
        records = await load_records(wanted, queries, StoredAccounts(queries, self._clock), self._clock)
        self._versions = versions_of(records)
        return records

    @override
    async def commit(self, changes: Changes) -> None:
        """Cancelled before the COMMIT it rolls back; cancelled during it, it finishes it."""
        writes = await rows_to_write(changes, self._versions, self._clock)
        counts = {name: await self._write(name, rows) for name, rows in writes.items()}
        check_counts(writes, counts)
        await self._transaction.commit()
        self._clock.committed(writes.get(IDS_AHEAD, ()))

    async def _write(self, name: str, rows: Sequence[Values]) -> int:
        columns, statement = PARTS[name]
        names = [_parameter_of(each) for each in columns]
        return await self._transaction.change(statement, [dict(zip(names, row, strict=True)) for row in rows])

    async def __aenter__(self) -> Self:
        """Wait for the transaction of another unit of work to end, and begin."""
        await self._transaction.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Roll back what was not committed."""
        await self._transaction.__aexit__(kind, error, traceback)
